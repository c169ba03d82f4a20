"""The lane: imports the SDK once, then runs each job in a process of its own.

Importing openai costs about a second and a fork a few milliseconds, so a lane forks a child per job
before it has ever started a thread or opened a socket. With --spawn (no fork on the platform, or a
fresh interpreter is wanted) the process runs one job itself and leaves.
"""

import argparse
import faulthandler
import json
import os
import signal
import sys
import traceback

from .contract import PROTOCOL, Done, Exited, Failed, Hello, Job, Started
from .link import HOST_GONE, Commands, Link


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--spawn", action="store_true")
    options = parser.parse_args(argv)
    os.set_inheritable(options.events, False)
    os.dup2(2, 1)  # a library's print must not end up anywhere but stderr
    # The host asks for this when it has waited too long; C code, so it works in a deadlock too.
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the host's to handle
    commands = Commands(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # code under test must not read our commands
    link = Link(options.events, commands)
    try:
        from . import sdk
    except Exception as exc:  # also a broken install: anything the import raises
        link.send(Failed(_name(exc), _frames(exc)))
        return 3
    link.send(Hello(protocol=PROTOCOL, **sdk.stack()))
    if options.spawn:
        return _take(commands, link, sdk) or 0
    return _lane(commands, link, sdk)


def _lane(commands, link, sdk):
    """Read a job, fork a child that inherits it, wait for the child; again until EOF."""
    while True:
        order = _read(commands)
        if order is None:
            return 0
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = _run(order, link, sdk)
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        link.send(Exited(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)))


def _take(commands, link, sdk):
    order = _read(commands)
    return HOST_GONE if order is None else _run(order, link, sdk)


def _read(commands):
    """The next (Job, payload), or None when the host is gone. Stray `go` lines are dropped."""
    while True:
        line = commands.line()
        if line is None:
            return None
        if not line.startswith(b"{"):
            continue
        order = json.loads(line)
        payload = commands.exactly(order.pop("payload_bytes"))
        if payload is None:
            return None
        return Job(**order), json.loads(payload)


def _run(order, link, sdk):
    from . import loop

    job, payload = order
    link.send(Started(os.getpid()))
    link.listen()
    try:
        loop.run(job, payload, sdk, link)
    except Exception as exc:
        link.send(Failed(_name(exc), _frames(exc)))
        return 3
    link.send(Done())
    return 0


def _name(exc):
    # Only for our own failures, e.g. "ModuleNotFoundError: openai"; no message of the SDK's.
    return type(exc).__name__ + (": " + exc.name if isinstance(exc, ImportError) and exc.name else "")


def _frames(exc):
    return tuple(
        "%s:%d %s" % (os.path.basename(f.filename), f.lineno or 0, f.name)
        for f in traceback.extract_tb(exc.__traceback__)[-8:]
    )
