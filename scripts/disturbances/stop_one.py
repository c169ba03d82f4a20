"""One process of the run is stopped for some seconds and goes on: hermes-diag, a part of a worker, a target."""

import contextlib
import time

import psutil


@contextlib.contextmanager
def around(one):
    yield ()


def during(one):
    one.wait()
    roles = ("host", "interpreter", "lane", "job") if one.command.workers else ("host", "target")
    process = one.of_role(one.random.choice(roles))
    if process is not None:
        with contextlib.suppress(psutil.Error):
            process.suspend()
        time.sleep(one.random.uniform(1.0, 5.0))
        with contextlib.suppress(psutil.Error):
            process.resume()
    return ()
