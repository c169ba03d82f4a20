"""Names of addresses and addresses of names, which asks the resolver, and so only on --set resolve=on; names of this
machine."""

from __future__ import annotations

import contextlib
import os
import pwd
import queue
import socket
import threading
import time

from hermes_diag.core.anonymise import Known
from hermes_diag.core.errors import UsageError


def addresses(host: str) -> list[str]:
    """The addresses of a name. Only called when the user allowed packets to be sent."""
    try:
        return list({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as exc:
        raise UsageError(f"--remote {host}: the name cannot be looked up ({exc})", "give an address") from None


def reverse(ips: set[str]) -> dict[str, str]:
    """Reverse names, as far as the resolver gives them within two seconds."""
    found: queue.Queue[tuple[str, str]] = queue.Queue()

    def ask(ip: str) -> None:
        try:
            found.put((ip, socket.gethostbyaddr(ip)[0]))
        except OSError:
            found.put((ip, ""))

    asked = sorted(ips)[:50]
    for ip in asked:
        threading.Thread(target=ask, args=(ip,), daemon=True).start()
    names: dict[str, str] = {}
    until = time.monotonic() + 2.0
    for _ in asked:
        try:
            ip, name = found.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if name:
            names[ip] = name
    return names


def of_this_machine() -> Known:
    """Names by which a report could tell this machine and whoever runs it."""
    users = {os.environ.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER")}
    with contextlib.suppress(KeyError):  # a container's user may have no name
        users.add(pwd.getpwuid(os.getuid()).pw_name)
    node = os.uname().nodename
    return Known(tuple(dict.fromkeys(filter(None, (node, node.partition(".")[0])))), tuple(sorted(filter(None, users))))
