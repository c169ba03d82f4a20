"""SIGINT, SIGTERM or SIGHUP within the first 0.3 s, while Python imports."""

import contextlib
import signal
import time


@contextlib.contextmanager
def around(one):
    yield ()


def during(one):
    number = one.random.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    time.sleep(one.random.uniform(0.03, 0.3))  # before that not a line of ours has run
    with contextlib.suppress(ProcessLookupError):
        one.host.send_signal(number)
    return (number,)
