"""kill -9 of an interpreter, a lane or a job."""

import contextlib

import psutil


def fits(command):
    return command.workers


@contextlib.contextmanager
def around(one):
    yield ()


def during(one):
    one.wait()
    process = one.of_role(one.random.choice(("interpreter", "lane", "job")))
    if process is not None:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return ()
