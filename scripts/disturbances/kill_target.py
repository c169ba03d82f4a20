"""kill -9 of the process that is watched, or that is traced and has the recorder in it."""

import contextlib
import signal

import psutil


def fits(command):
    return not command.workers and command.ends_by is None


@contextlib.contextmanager
def around(one):
    yield ()


def during(one):
    one.wait()
    process = one.of_role("target")
    if process is None:
        return ()
    with contextlib.suppress(psutil.Error):
        process.kill()
    return (signal.SIGKILL,) if one.command.name.startswith("trace") else ()
