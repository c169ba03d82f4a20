"""kill -9 of the process that is watched."""

import contextlib

import psutil


def fits(command):
    return command.name.startswith(("sockets", "watch"))


@contextlib.contextmanager
def around(one):
    yield ()


def during(one):
    one.wait()
    process = one.of_role("target")
    if process is not None:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return ()
