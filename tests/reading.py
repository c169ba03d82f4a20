"""A process of which threads wait for data; says as a line of JSON who waits for what, and leaves at the end of stdin.

python tests/reading.py MODE... | httpx URL. Runs in any Python from 3.9 on, for httpx in one that has it.
A thread of each mode waits, and beside them one that is always there: "beacon", in a plain recv().
"""

import asyncio
import concurrent.futures
import ctypes
import json
import os
import select
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time

LISTENER = socket.create_server(("127.0.0.1", 0))
KEEP: "list[object]" = []
#: Longer than the tests take.
LONG = 500.0


def pair():
    client = socket.create_connection(LISTENER.getsockname())
    server = LISTENER.accept()[0]
    KEEP.extend((client, server))
    return client, server


def until(true):
    while not true():
        time.sleep(0.002)


def sleeps(thread):
    """Whether a thread waits in the kernel and stays there, and not for the lock of the interpreter or another lock."""
    task = f"/proc/self/task/{thread.native_id}/"
    seen = []
    for _ in range(2):
        with open(task + "syscall") as call, open(task + "wchan") as place:
            seen.append((call.read(), place.read()))
        time.sleep(0.005)
    return seen[0] == seen[1] and "futex" not in seen[0][1] and not seen[0][0].startswith(("running", "-1"))


def is_stopped(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


def started(name, target, *arguments):
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    thread.start()
    until(lambda: thread.native_id is not None)
    return thread


def waiting(name, target, *arguments):
    thread = started(name, target, *arguments)
    until(lambda: sleeps(thread))
    return thread


def receive(one):
    """Wait for data in a function of this file."""
    one.recv(1)


def read(fd):
    """Wait for data as Python's sockets do, by the number of the descriptor."""
    socket.socket(fileno=fd).recv(1)


def blocking():
    client, _ = pair()
    return waiting("blocking", receive, client), client.fileno()


def timed():
    client, _ = pair()
    client.settimeout(LONG)
    return waiting("timed", receive, client), client.fileno()


def continued():
    """As timed; but the process was stopped and went on."""
    thread, fd = timed()
    if os.fork() == 0:
        os.kill(os.getppid(), signal.SIGSTOP)
        until(lambda: is_stopped(os.getppid(), thread.native_id))
        os.kill(os.getppid(), signal.SIGCONT)
        os._exit(0)
    os.wait()
    until(lambda: sleeps(thread))
    return thread, fd


def tls():
    import trustme

    authority = trustme.CA()
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.num_tickets = 0  # the second one comes late, and would wake the reader once more
    authority.issue_cert("localhost").configure_cert(ours)
    authority.configure_trust(theirs)
    client, server = pair()
    shaking = threading.Thread(target=lambda: KEEP.append(ours.wrap_socket(server, server_side=True)))
    shaking.start()
    secure = theirs.wrap_socket(client, server_hostname="localhost")
    shaking.join()
    KEEP.append(secure)
    return waiting("tls", receive, secure), secure.fileno()


def httpx(url):
    import httpx

    gone_by = threading.Event()

    def stream():
        with httpx.Client(timeout=LONG) as client, client.stream("POST", url, json={"stream": True}) as response:
            for _ in response.iter_lines():
                gone_by.set()

    thread = started("httpx", stream)
    gone_by.wait()
    until(lambda: sleeps(thread))
    sockets = [fd for fd in map(int, os.listdir("/proc/self/fd")) if is_connection(fd)]
    return thread, max(sockets)


def is_connection(fd):
    try:
        with socket.socket(fileno=os.dup(fd)) as one:
            return one.family == socket.AF_INET and bool(one.getpeername())
    except OSError:
        return False


def accepting():
    return waiting("accepting", LISTENER.dup().accept), -1


def accepting_timed():
    listener = LISTENER.dup()
    listener.settimeout(LONG)
    return waiting("accepting_timed", listener.accept), -1


def writing():
    """The peer reads nothing: the buffers are full, and the thread waits until it can write."""
    client, _ = pair()
    client.settimeout(LONG)
    return waiting("writing", client.sendall, bytes(64 << 20)), -1


def polling():
    """One wait for two sockets."""
    both = select.poll()
    for client, _ in (pair(), pair()):
        both.register(client, select.POLLIN)
    return waiting("polling", both.poll), -1


def loop():
    """asyncio, whose thread waits for all of its sockets at once."""
    client, _ = pair()
    client.setblocking(False)

    async def receive():
        await asyncio.get_running_loop().sock_recv(client, 1)

    return waiting("loop", asyncio.run, receive()), -1


def pool():
    """A thread that waits for work: in no read."""
    executor = concurrent.futures.ThreadPoolExecutor(1)
    KEEP.append(executor)
    executor.submit(int).result()
    return next(iter(executor._threads)), -1


def pipe():
    reading, writing = os.pipe()
    KEEP.append(writing)
    return waiting("pipe", os.read, reading, 1), -1


def closed():
    client, _ = pair()
    fd = client.detach()
    thread = waiting("closed", read, os.dup(fd))
    os.close(fd)
    # The copy that the thread reads is the highest number.
    fd = max(fd for fd in map(int, os.listdir("/proc/self/fd")) if is_connection(fd))
    os.close(fd)
    return thread, fd


def closed_timed():
    client, _ = pair()
    client.settimeout(LONG)
    thread = waiting("closed_timed", receive, client)
    fd = client.fileno()
    os.close(fd)
    return thread, fd


def reused_by_socket():
    """Another connection has the number now. A look can tell that from a tenth of a second after the read began."""
    thread, fd = closed_timed()
    time.sleep(0.3)
    other, _ = pair()
    if other.fileno() != fd:
        os.dup2(other.fileno(), fd)
    return thread, fd


def reused_by_file(closing=closed_timed):
    thread, fd = closing()
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it stays open
    KEEP.append(file)
    if file.fileno() != fd:
        os.dup2(file.fileno(), fd)
    return thread, fd


def reused_by_file_without_timeout():
    return reused_by_file(closed)


def main():
    modes = sys.argv[1:]
    ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # PR_SET_PTRACER: any process of this user
    client, _ = pair()
    beacon = waiting("beacon", receive, client)
    out = {"pid": os.getpid(), "beacon": (beacon.native_id, client.fileno()), "port": LISTENER.getsockname()[1]}
    if modes[:1] == ["httpx"]:
        thread, fd = httpx(modes[1])
        out["httpx"] = (thread.native_id, fd)
        modes = []
    for mode in modes:
        thread, fd = globals()[mode]()
        out[mode] = (thread.native_id, fd)
    print(json.dumps(out), flush=True)
    sys.stdin.read()
    os._exit(0)  # not through the threads that wait for ever


if __name__ == "__main__":
    main()
