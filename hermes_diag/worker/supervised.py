"""Calls of the user's code: whatever it raises becomes Broken, and a call that hangs ends the process."""

import os
import sys
import threading
import traceback

from .contract import Failed

#: Seconds that a call of the user's code may take before it counts as hanging.
PATIENCE = 10.0

#: What must put up with which arguments.
CALLED = {
    "calling the factory": "one argument, the dict client_kwargs",
    "making the pool": "client_kwargs if it takes an argument, else without",
    "calling acquire()": "no argument",
    "calling release()": "one argument, the client",
    "calling close()": "no argument",
}

HERE = os.path.dirname(os.path.abspath(__file__))


class Broken(Exception):
    """The user's code broke or is not what it should be. Holds what an event may say of it."""

    def __init__(self, error, frames=(), blame="factory"):
        super().__init__(error)
        self.failed = Failed(error, tuple(frames), blame)


class SupervisedCall:
    """Around a call of the user's code: an exception in it becomes Broken.

    `doing` names the call. When it does not return, the host is told from another thread, with the frames of the call.
    """

    def __init__(self, channel, doing):
        self._channel = channel
        self._doing = doing

    def __enter__(self):
        self._pid = os.getpid()
        self._timer = threading.Timer(PATIENCE, self._hangs, [threading.get_ident()])
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, kind, exc, tb):
        if os.getpid() != self._pid:  # the user's code forked, and its child would now play worker
            os._exit(0)
        self._timer.cancel()
        if exc is None or isinstance(exc, Broken):
            return
        at = frames(traceback.extract_tb(tb))
        if isinstance(exc, SyntaxError) and exc.filename:
            at += ("%s:%d" % (_short(exc.filename), exc.lineno or 0),)
        # A TypeError that was raised in no line of the user's comes from the call itself: wrong arguments.
        how = "" if at or not isinstance(exc, TypeError) else CALLED.get(self._doing, "")
        raise Broken("%s while %s%s" % (_chain(exc), self._doing, how and ": it is called with " + how), at) from None

    def _hangs(self, thread):
        stack = traceback.extract_stack(sys._current_frames().get(thread))
        error = "no return within %.0f s while %s" % (PATIENCE, self._doing)
        self._channel.give_up(Failed(error, frames(stack), "factory"))


def frames(stack):
    """The outermost and innermost frames of a stack without ours: `folder/file:line function`, no source, no values."""
    theirs = [frame for frame in stack if not os.path.abspath(frame.filename).startswith(HERE)]
    theirs = [frame for frame in theirs if not frame.filename.startswith("<frozen")]
    return tuple("%s:%d %s" % (_short(frame.filename), frame.lineno or 0, frame.name) for frame in _ends(theirs))


def _ends(stack):
    return stack if len(stack) <= 4 else stack[:2] + stack[-2:]


def _chain(exc):
    """Classes of an exception and its causes; of a failed import also the module. No text of the user's."""
    names = []
    while exc is not None and len(names) < 3:
        missing = " of " + exc.name if isinstance(exc, ImportError) and exc.name else ""
        names.append(type(exc).__name__ + missing)
        exc = exc.__cause__ or exc.__context__
    return " <- ".join(names)


def _short(path):
    return "/".join(path.replace(os.sep, "/").split("/")[-2:])
