"""The same signal two or three times."""

import contextlib
import signal
import time


@contextlib.contextmanager
def around(one):
    yield ()


def during(one):
    number = one.random.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    one.wait()
    for _ in range(one.random.choice((2, 3))):
        with contextlib.suppress(ProcessLookupError):
            one.host.send_signal(number)
        time.sleep(one.random.choice((0.0, 0.01, 0.2)))
    return (number,)
