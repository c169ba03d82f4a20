"""Watches a fleet and serves its metrics: what `hermes-diag export` does once its options are checked."""

from __future__ import annotations

import contextlib
import fnmatch
import ipaddress
import os
import select
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hermes_diag.cli.terminal import say
from hermes_diag.core import new_file
from hermes_diag.core.errors import OK, CannotMeasure, HermesDiagError, UsageError, cure
from hermes_diag.core.interrupts import Interrupts
from hermes_diag.core.sockets import bracketed
from hermes_diag.watch.fleet import Fleet, Found
from hermes_diag.watch.records import Look

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


@dataclass(frozen=True)
class Asked:
    """The options, checked. pids: empty for --gateway or --discover. interval: seconds."""

    pids: tuple[int, ...]
    discover: str | None
    listen: tuple[str, int]
    textfile: Path | None
    interval: float
    most: int


def address(text: str, allow_remote: bool) -> tuple[str, int]:
    """HOST:PORT of --listen. Raises UsageError."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise UsageError(f"--listen {text[:80]!r}: no port", "write HOST:PORT, e.g. 127.0.0.1:9464")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise UsageError(f"--listen {text[:80]!r}: no address", "write it as numbers, e.g. 127.0.0.1:9464") from None
    if not loopback and not allow_remote:
        raise UsageError(
            f"--listen {host}: others could read whom your processes talk to",
            "add --allow-remote to let them",
        )
    return host, int(port)


def run(asked: Asked) -> int:
    """Watch and serve until a signal comes; the exit code. Raises CannotMeasure."""
    from prometheus_client import CollectorRegistry

    from hermes_diag.cli import scraped
    from hermes_diag.reporters.openmetrics import Collector

    fleet = Fleet(_finder(asked), asked.interval, places)
    registry = CollectorRegistry()
    registry.register(Collector(fleet, asked.most))
    # Not an Event: where a signal comes while its lock is held, the handler would wait for that lock for ever.
    hears, tells = os.pipe()
    with open(hears, "rb") as heard, open(tells, "wb", 0), Interrupts(lambda number: os.write(tells, b"!")):

        def ended(seconds: float) -> bool:
            return bool(select.select([heard], [], [], seconds)[0])

        if asked.textfile is not None:
            file = asked.textfile
            fleet.run(ended, lambda: _write(file, registry))
            return OK
        host, port = asked.listen
        shown = bracketed(host)
        with contextlib.ExitStack() as stack:
            try:
                port = stack.enter_context(scraped.serving(host, port, registry))
            except OSError as exc:
                why = f"cannot listen on {shown}:{port}: {exc.strerror}"
                raise CannotMeasure(why, cure(exc, "name another --listen")) from None
            say(f"serving http://{shown}:{port}/metrics until Ctrl-C")
            fleet.run(ended)
    return OK


def _write(file: Path, registry: CollectorRegistry) -> None:
    """All metrics at once: who reads the file finds the old ones or the new ones. Raises CannotMeasure."""
    from prometheus_client import generate_latest

    try:
        # node_exporter reads it as another user.
        new_file.replace(file, generate_latest(registry), mode=0o644)
    except OSError as exc:
        todo = cure(exc, "name a file in a folder of yours")
        raise CannotMeasure(f"cannot write {file}: {exc.strerror}", todo) from None


def places(look: Look) -> dict[str, int]:
    """Sockets by the line that opened them, of a process that has a recorder."""
    from hermes_diag.leakguard import boxes
    from hermes_diag.watch import opened
    from hermes_diag.watch.descriptors import TCP

    origins = boxes.of_look(look)
    if origins is None:
        return {}
    known = [origins.descriptors.get(key) for key, kind in opened.held(look, origins) if kind == TCP]
    return dict(Counter(one.place for one in known if one))


def _finder(asked: Asked) -> Callable[[], Iterable[Found]]:
    """What tells which processes there are now."""
    if asked.pids:
        fixed = [Found(str(pid), pid) for pid in dict.fromkeys(asked.pids)]
        return lambda: fixed
    if asked.discover is not None:
        pattern = asked.discover
        return lambda: _named(pattern)
    return _gateways


def _gateways() -> list[Found]:
    from hermes_diag.hermes import home

    try:
        found = home.gateways(home.home())
    except HermesDiagError:  # none is running now
        return []
    return [Found(f"gateway {one.profile}".rstrip(), one.pid) for one in found]


def _named(pattern: str) -> list[Found]:
    """Processes whose short name fits; of several with one name each has its PID with it."""
    import psutil

    fitting = [
        (one.info["name"], one.pid)
        for one in psutil.process_iter(["name"])
        if one.pid != os.getpid() and one.info["name"] and fnmatch.fnmatchcase(one.info["name"], pattern)
    ]
    counts = Counter(name for name, _ in fitting)
    return [Found(name if counts[name] == 1 else f"{name} {pid}", pid) for name, pid in sorted(fitting)]
