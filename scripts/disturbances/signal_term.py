"""SIGTERM to hermes-diag itself, at any moment from its start on."""

import contextlib
import signal


@contextlib.contextmanager
def around(one):
    yield (signal.SIGTERM,)


def during(one):
    one.wait()
    with contextlib.suppress(ProcessLookupError):
        one.host.send_signal(signal.SIGTERM)
    return (signal.SIGTERM,)
