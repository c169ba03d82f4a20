"""Everything is stopped for some seconds and goes on: Ctrl-Z and fg, a paused container."""

import contextlib
import time

import psutil


@contextlib.contextmanager
def around(one):
    yield ()


def during(one):
    one.wait()
    stopped = one.family()
    for order in ("suspend", "resume"):
        for process in stopped:
            with contextlib.suppress(psutil.Error):
                getattr(process, order)()
        if order == "suspend":
            time.sleep(one.random.uniform(1.0, 5.0))
    return ()
