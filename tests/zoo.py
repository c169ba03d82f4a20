"""A process that has sockets in every state that can be had on loopback, and stands still.

Says `{"pid": ..., "states": {...}, ...}` as one line of JSON and leaves at the end of its stdin. Runs
alone: python tests/zoo.py
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

KEEP: list[object] = []
RESET = struct.pack("ii", 1, 0)
SO_ATTACH_FILTER = 26
V4, V6 = "127.0.0.1", "::1"


def listener(host: str = V4, backlog: int = 64) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    made.bind((host, 0))
    made.listen(backlog)
    KEEP.append(made)
    return made


def pair(at: socket.socket, host: str | None = None) -> tuple[socket.socket, socket.socket]:
    """(client, server), both kept."""
    client = socket.create_connection((host or at.getsockname()[0], at.getsockname()[1]))
    server, _ = at.accept()
    KEEP.extend((client, server))
    return client, server


def state(one: socket.socket) -> int:
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def until(one: socket.socket, wanted: int) -> None:
    """Wait until the kernel has put a socket into a state (a segment needs a moment even here)."""
    poll = select.poll()
    for _ in range(2000):
        if state(one) == wanted:
            return
        poll.poll(5)
    raise SystemExit(f"a socket did not come to state {wanted}, it is in {state(one)}")


def deaf(one: socket.socket) -> bool:
    """Let the kernel drop every segment that comes in for this socket; False without the right."""
    program = struct.pack("HBBI", 0x06, 0, 0, 0)  # ret 0
    buffer = ctypes.create_string_buffer(program)
    try:
        one.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxP", 1, ctypes.addressof(buffer)))
    except PermissionError:
        return False
    return True


def tls(folder: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a certificate of its own, and of a client that trusts anybody."""
    cert, key = Path(folder, "c.pem"), Path(folder, "k.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server, client


def main() -> None:
    out: dict[str, object] = {"pid": os.getpid()}
    plain, six = listener(), listener(V6)

    # ESTABLISHED: idle, with keepalive, with unread data, over IPv6, IPv4-mapped
    pair(plain)
    client, _ = pair(plain)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    out["keepalive"] = client.fileno()
    client, server = pair(plain)
    server.sendall(b"x" * 300)
    out["unread"] = client.fileno()
    pair(six)
    mapped = socket.socket(socket.AF_INET6)
    mapped.connect((f"::ffff:{V4}", plain.getsockname()[1]))
    KEEP.extend((mapped, plain.accept()[0]))

    # CLOSE_WAIT with 0, 1 and 5,000 unread bytes; FIN_WAIT2 is the other side, which keeps its fd
    close_wait = {}
    for unread in (0, 1, 5000):
        client, server = pair(plain)
        server.sendall(b"x" * (unread - 1 if unread > 1 else 0))
        server.shutdown(socket.SHUT_WR)
        until(client, 8)
        until(server, 5)  # once the acknowledgement, which may be delayed, has come
        if unread == 0:
            client.recv(1)
        close_wait[client.fileno()] = unread
    # 25: TLS 1.3, the server says goodbye and leaves
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = tls(folder)
    client, server = pair(plain)
    done = threading.Thread(target=lambda: KEEP.append(ours.wrap_socket(server, server_side=True)))
    done.start()
    secure = theirs.wrap_socket(client)
    done.join()
    wrapped = KEEP.pop()
    wrapped.sendall(b"hello")  # type: ignore[attr-defined]
    secure.recv(5)  # with it the session tickets are read, too
    KEEP.append(secure)
    try:
        wrapped.settimeout(5)  # type: ignore[attr-defined]
        # SSLSocket.unwrap waits for an answer; the record goes out first.
        wrapped.setblocking(False)  # type: ignore[attr-defined]
        wrapped.unwrap()  # type: ignore[attr-defined]
    except (ssl.SSLWantReadError, OSError):
        pass
    socket.socket.shutdown(wrapped, socket.SHUT_WR)  # type: ignore[arg-type]
    KEEP.append(wrapped)
    until(secure, 8)
    until(wrapped, 5)  # type: ignore[arg-type]
    close_wait[secure.fileno()] = 25
    out["close_wait"] = close_wait

    # FIN_WAIT1: the peer hears nothing
    client, server = pair(plain)
    if deaf(server):
        client.shutdown(socket.SHUT_WR)
        until(client, 4)
        out["deaf"] = True

        # CLOSING: FINs cross. A deaf server does not hear the client's, and sends its own without an
        # acknowledgement of it.
        client, server = pair(plain)
        deaf(server)
        client.shutdown(socket.SHUT_WR)
        until(client, 4)
        server.shutdown(socket.SHUT_WR)
        until(client, 11)

        # LAST_ACK: the client has our FIN, closes in turn, and its FIN is not acknowledged.
        client, server = pair(plain)
        server.shutdown(socket.SHUT_WR)
        until(client, 8)
        until(server, 5)
        deaf(server)
        client.shutdown(socket.SHUT_WR)
        until(client, 9)
    else:
        out["deaf"] = False

    # SYN_SENT: a listener whose backlog is full does not answer
    full = listener(backlog=0)
    for _ in range(8):
        waiting = socket.socket()
        waiting.setblocking(False)
        waiting.connect_ex(full.getsockname())
        KEEP.append(waiting)

    # TIME_WAIT: nobody holds it. FIN_WAIT2 without owner: closed here, the peer holds on.
    client, server = pair(plain)
    address = client.getsockname()
    client.close()
    until(server, 8)
    server.close()
    out["time_wait"], out["waits_since"] = address, time.monotonic()
    client, server = pair(plain)
    client.shutdown(socket.SHUT_WR)
    until(client, 5)
    client.close()

    # CLOSE as fd only: reset, and never connected
    client, server = pair(plain)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    server.close()
    until(client, 7)
    never = socket.socket()
    KEEP.append(never)
    out["closed"] = [client.fileno(), never.fileno()]

    # ESTABLISHED without owner: the fd is closed while a thread still reads. The thread's call keeps
    # the socket, which nothing can end but its peer.
    client, server = pair(plain)
    fd = client.detach()
    out["ownerless"] = fd
    reading = threading.Thread(target=os.read, args=(fd, 1), daemon=True)
    reading.start()
    task = f"/proc/self/task/{reading.native_id}/syscall"
    for _ in range(2000):  # until the thread is in the kernel
        try:
            with open(task) as file:
                if file.read().startswith("0 "):  # read(2)
                    break
        except OSError:
            break
        select.select([], [], [], 0.005)
    os.close(fd)

    # Other kinds
    KEEP.extend((*os.pipe(), *socket.socketpair()))
    with tempfile.TemporaryDirectory() as folder:
        KEEP.append(open(Path(folder, "state.db"), "wb"))  # noqa: SIM115

    print(json.dumps(out), flush=True)
    sys.stdin.read()
    os._exit(0)  # not through the thread that reads for ever


if __name__ == "__main__":
    main()
