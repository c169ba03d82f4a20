"""Calls of the user's code: whatever it raises becomes Broken, and a call that hangs ends the process."""

import os
import sys
import threading
import time
import traceback

from .contract import PHRASES, Fact, Failed

#: Seconds after which a call of the user's code, or an import of it, counts as hanging. An import may load a lot.
PATIENCE, IMPORT_PATIENCE = 10.0, 60.0
#: Seconds after which the host is told that a call goes on, so that it waits, too.
SLOW = 5.0
#: A call that uses the processor for so much of the time is slow and does not hang, also on a machine that others keep
#: busy; it gets so many times the patience.
BUSY, MOST = 0.05, 6

IMPORTING = "importing the factory"
#: What must put up with which arguments.
CALLED = {
    "calling the factory": "one argument, the dict client_kwargs",
    "making the pool": "client_kwargs if it takes an argument, else without",
    "calling acquire()": "no argument, or the session's name",
    "calling release()": "one argument, the client",
    "calling close()": "no argument",
}
#: Calls with which nothing has been measured yet: if the first of them hangs, that says nothing about clients.
_FIRST = (IMPORTING, "making the pool", "calling the factory", "calling acquire()")

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

    patience = None  # seconds, as the user said it
    _returned = frozenset()  # what has come to an end before

    def __init__(self, channel, doing, passes=False):
        """passes: an exception is not the user's mistake but what is measured."""
        self._channel, self._doing, self._passes = channel, doing, passes
        self._over = threading.Event()

    @classmethod
    def begin(cls, settings):
        """For a new job."""
        cls.patience = settings.get("patience")
        cls._returned = frozenset()

    def __enter__(self):
        self._pid = os.getpid()
        caller = threading.get_ident()
        self._supervisor = threading.Thread(target=self._watch, args=(caller,), name="supervisor", daemon=True)
        self._supervisor.start()

    def __exit__(self, kind, exc, tb):
        if os.getpid() != self._pid:  # the user's code forked, and its child would now play worker
            os._exit(0)
        self._over.set()
        self._supervisor.join()  # or it would be counted as a thread that the call has left
        if exc is None:
            SupervisedCall._returned |= {self._doing}
        if exc is None or self._passes or isinstance(exc, Broken):
            return
        at = frames(traceback.extract_tb(tb))
        if isinstance(exc, SyntaxError) and exc.filename:
            at += ("%s:%d" % (_short(exc.filename), exc.lineno or 0),)
        # A TypeError that was raised in no line of the user's comes from the call itself: wrong arguments.
        how = "" if at or not isinstance(exc, TypeError) else CALLED.get(self._doing, "")
        raise Broken("%s while %s%s" % (_chain(exc), self._doing, how and ": it is called with " + how), at) from None

    def _watch(self, thread):
        limit = self.patience or (IMPORT_PATIENCE if self._doing == IMPORTING else PATIENCE)
        begun, hanging = time.monotonic(), 0.0
        while True:
            step, used, at = min(SLOW, limit - hanging), time.process_time(), time.monotonic()
            if self._over.wait(step):
                return
            now = time.monotonic()
            if time.process_time() - used < BUSY * (now - at):
                hanging += now - at
            if hanging >= limit or now - begun >= MOST * limit:
                return self._hangs(thread, now - begun)
            self._channel.send(Fact("slow", {"doing": self._doing, "seconds": round(now - begun)}))

    def _hangs(self, thread, seconds):
        stack = traceback.extract_stack(sys._current_frames().get(thread))
        error = "no return within %.0f s while %s" % (seconds, self._doing)
        hung = self._doing in self._returned or self._doing not in _FIRST
        self._channel.give_up(Failed(error, frames(stack), "hang" if hung else "factory"))


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
        said = " of " + exc.name if isinstance(exc, ImportError) and exc.name else ""
        if isinstance(exc, RuntimeError):
            said = next((": " + phrase for phrase in PHRASES if phrase in str(exc)), "")
        names.append(type(exc).__name__ + said)
        exc = exc.__cause__ or exc.__context__
    return " <- ".join(names)


def _short(path):
    return "/".join(path.replace(os.sep, "/").split("/")[-2:])
