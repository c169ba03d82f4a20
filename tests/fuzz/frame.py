"""What every input is held to: no exception but those that are meant, no more than 2 s of work or 64 MB of memory, and
nothing that a terminal would obey in what is shown."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import pkgutil
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from fuzz import readers
from hermes_diag.core.errors import HermesDiagError
from hermes_diag.core.text import one_line

CORPUS = Path(__file__).parent / "corpus"
#: Seconds of processor time, and bytes beyond what was there before.
SECONDS, MEMORY = 2.0, 64 << 20
#: What moves a cursor, rings, or begins a sequence; lines may end, and tables may have tabs.
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINUX = sys.platform.startswith("linux")


class Found(AssertionError):
    """An input that a reader does not stand."""


class _TooLong(BaseException):
    """Not an Exception: a reader that takes any error for a bad file must not take this one."""


def names() -> list[str]:
    """Every reader."""
    return sorted(module.name for module in pkgutil.iter_modules(readers.__path__))


def load(name: str) -> ModuleType:
    """The reader of that name."""
    return importlib.import_module(f"fuzz.readers.{name}")


def corpus(name: str) -> list[Path]:
    """Inputs that a reader has not stood once."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())


def put(reader: ModuleType, data: bytes) -> bool:
    """Put an input through a reader; whether it was taken for what it should be. Raises Found."""
    allowed = (HermesDiagError, *getattr(reader, "ALLOWED", ()))
    before = _memory()
    begun = time.process_time()
    taken, shown = True, ""
    try:
        with _bounded():
            shown = reader.run(data)
    except _TooLong as exc:
        raise Found(f"took more than {SECONDS:g} s, {_place(exc)}") from exc
    except allowed as exc:
        taken, shown = False, one_line(getattr(exc, "whole", ""))  # as cli/__init__.py shows it
    except Exception as exc:
        raise Found(f"{type(exc).__name__} {_place(exc)}: {str(exc)[:200]!r}") from exc
    seconds, grown = time.process_time() - begun, _peak() - before
    if seconds > SECONDS:
        raise Found(f"took {seconds:.1f} s")
    if grown > MEMORY:
        raise Found(f"took {grown >> 20} MB")
    if obeyed := _OBEYED.search(shown):
        raise Found(f"shows {obeyed[0]!r}: {shown[max(0, obeyed.start() - 60) : obeyed.end() + 20]!r}")
    return taken


def name_of(data: bytes) -> str:
    """What an input is called in the corpus."""
    return hashlib.sha256(data).hexdigest()[:12]


@contextlib.contextmanager
def as_file(data: bytes, name: str = "input") -> Iterator[Path]:
    """The input as a file, in a folder of its own for this process."""
    path = _folder() / name
    path.write_bytes(data)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


_made: dict[int, tempfile.TemporaryDirectory[str]] = {}


def _folder() -> Path:
    if os.getpid() not in _made:
        shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        _made[os.getpid()] = tempfile.TemporaryDirectory(prefix="hermes-diag-fuzz-", dir=shared)
    return Path(_made[os.getpid()].name)


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Within, more processor time than that raises _TooLong, wherever Python or `re` is."""

    def stop(number: int, frame: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, 1.2 * SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _memory() -> int:
    """Bytes that are resident now; from here on the highest counts."""
    if not _LINUX:
        return _peak()
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # proc(5): resets the peak
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _peak() -> int:
    if not _LINUX:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    with open("/proc/self/status", "rb") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith(b"VmHWM:")), 0)


def _place(exc: BaseException) -> str:
    """The innermost line of ours."""
    at, last = exc.__traceback__, ""
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if f"{os.sep}hermes_diag{os.sep}" in file:
            last = f"at {os.path.basename(file)}:{at.tb_lineno}"
        at = at.tb_next
    return last or "at a line that is not ours"
