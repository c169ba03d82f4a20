"""A clock that runs faster: a timeout of 600 s is told from one of 5 s in half a second.

Scaled is the time that sockets and event loops wait, never the seconds that the code under test asks for. The wait for
a free connection of the pool is the wait for a lock and is not scaled.
"""

import contextlib
import socket
import time

from . import event_loop


@contextlib.contextmanager
def scaled(factor, asked):
    """Within, a socket timeout of `factor` seconds lasts one; the seconds asked for are kept in `asked`."""
    real = socket.socket.settimeout

    def settimeout(sock, seconds):
        if seconds is not None:
            asked.append(seconds)
            seconds = seconds / factor
        real(sock, seconds)

    socket.socket.settimeout = settimeout
    try:
        yield
    finally:
        # The method is inherited from C; deleting our attribute uncovers it again.
        del socket.socket.settimeout


@contextlib.contextmanager
def scaled_loop(factor):
    """Within, the event loop of event_loop.py ages by `factor` seconds each second."""
    loop = event_loop.loop()
    selector, begun = loop._selector, time.monotonic()
    wait = selector.select

    def fast():
        return begun + (time.monotonic() - begun) * factor

    def select(timeout=None):
        return wait(timeout / factor if timeout else timeout)

    def begin():
        loop.time, selector.select = fast, select

    def end():
        del loop.time, selector.select

    event_loop.call(begin)
    try:
        yield
    finally:
        event_loop.call(end)


@contextlib.contextmanager
def recorded_loop(asked):
    """Within, the seconds for which the event loop of event_loop.py is asked to wait are kept in `asked`."""
    loop = event_loop.loop()
    call_at = loop.call_at

    def recorded(when, *args, **named):
        asked.append(when - loop.time())
        return call_at(when, *args, **named)

    loop.call_at = recorded
    try:
        yield
    finally:
        del loop.call_at
