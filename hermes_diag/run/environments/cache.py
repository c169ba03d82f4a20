"""Where environments are kept. A finished one holds a stamp, written last and under a lock: a half-made one is never
used, and of two runs at the same time one makes it and the other waits.

Built elsewhere and moved, its scripts would name the other place.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hermes_diag.core import folders, scratch
from hermes_diag.core.errors import CannotMeasure
from hermes_diag.run.environments.installer import LOOK_EVERY, SAY_EVERY, Installer

STAMP = "made-by-hermes-diag"
#: So many environments of one checkout stay, so many sets of dependencies, and those that a run is using.
KEPT = 5
_using: list[IO[bytes]] = []  # stamps of environments that this process uses, each with a lock that all may share


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where all is kept: below XDG_CACHE_HOME, or ~/.cache."""
    cache = environ.get("XDG_CACHE_HOME", "")
    root = (
        Path(cache) if os.path.isabs(cache) else folders.home() / ".cache"
    )  # the standard: a relative path is ignored
    return root / "hermes-diag"


def ensure(place: Path, make: Callable[[Path, int], None], installer: Installer, again: bool = True) -> Path:
    """The interpreter of the environment at that place; `make(place, lock)` is called when there is none yet.

    again: try once more where another run has removed it meanwhile. Raises what `make` does, CannotMeasure when nothing
    can be written there.
    """
    python = place / "bin" / "python"
    if not _works(python):
        with writable(place.parent), _locked(_lock_of(place), installer) as lock:
            if not _works(python):
                if (place / STAMP).exists():
                    installer.say(f"the environment in {place} is damaged: it is made anew")
                shutil.rmtree(place, ignore_errors=True)  # what a killed run left, or its interpreter is gone
                try:
                    make(place, lock)
                    (place / STAMP).write_bytes(b"".join(_files(place)))
                except BaseException:
                    shutil.rmtree(place, ignore_errors=True)
                    _lock_of(place).unlink(missing_ok=True)
                    raise
    with contextlib.suppress(OSError):  # when it was used last; a cache that is only read does not tell
        os.utime(place / STAMP)
    with contextlib.suppress(OSError):
        _using.append(open(place / STAMP, "rb"))  # noqa: SIM115 - until the end of this process
        fcntl.flock(_using[-1], fcntl.LOCK_SH)  # who removes it holds the other lock for no longer than that takes
    if _works(python):
        return python
    if again:
        return ensure(place, make, installer, again=False)  # another run has just removed it
    raise CannotMeasure(f"the environment in {place} is not as it was made", "remove that folder, and run again")


@contextmanager
def writable(parent: Path) -> Iterator[None]:
    """Makes the folder. Raises CannotMeasure for what the system refuses within."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as exc:
        raise CannotMeasure(
            f"cannot make an environment in {parent}: {exc.strerror or type(exc).__name__}",
            "set XDG_CACHE_HOME to a folder with room that you may write to",
        ) from None


def prune(parent: Path, kept: int = KEPT) -> None:
    """Remove all but the environments in that folder that were used last."""
    with contextlib.suppress(OSError):
        places = (one for one in parent.iterdir() if one.is_dir() and not one.name.startswith(scratch.PREFIX))
        used = sorted(((_used(one), one) for one in places), reverse=True)
        for _, one in used[kept:]:
            if _given_up(one):
                shutil.rmtree(one, ignore_errors=True)  # its lock stays: another run may just have opened it


def _given_up(place: Path) -> bool:
    """Take its stamp away, so that no run uses it from now on; False while one uses it or makes it."""
    with contextlib.ExitStack() as held:
        for path in (place / STAMP, _lock_of(place)):
            try:
                fcntl.flock(held.enter_context(open(path, "rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except FileNotFoundError:
                continue
            except BlockingIOError:
                return False
        (place / STAMP).unlink(missing_ok=True)
    return True


def _is_at(path: Path, file: IO[str]) -> bool:
    """Whether the file of that name is the one that is open."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.lock")


def _used(place: Path) -> float:
    stamp = place / STAMP
    return (stamp if stamp.exists() else place).stat().st_mtime


def _works(python: Path) -> bool:
    """Whether the environment is finished, and all its files are there; its interpreter may have been removed since."""
    place = python.parent.parent
    try:
        made = (place / STAMP).read_bytes()  # empty: by an earlier release
        return python.exists() and all(map(_is_there, itertools.repeat(os.fsencode(place)), made.split(b"\n")[:-1]))
    except OSError:
        return False


def _files(place: Path) -> Iterator[bytes]:
    """A line for each file of an environment: its size and its name. What Python compiles comes and goes."""
    for folder, below, names in os.walk(os.fsencode(place)):
        below[:] = [name for name in below if name != b"__pycache__"]
        for name in names:
            path = os.path.join(folder, name)
            if b"\n" not in path and not os.path.islink(path):
                yield b"%d %s\n" % (os.lstat(path).st_size, os.path.relpath(path, os.fsencode(place)))


def _is_there(place: bytes, line: bytes) -> bool:
    """Raises OSError when it is not."""
    size, _, name = line.partition(b" ")
    return b"%d" % os.lstat(os.path.join(place, name)).st_size == size


@contextmanager
def _locked(path: Path, installer: Installer) -> Iterator[int]:
    said = time.monotonic() - SAY_EVERY
    while True:
        with open(path, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() - said >= SAY_EVERY:
                    said = time.monotonic()
                    installer.say("another hermes-diag is making that environment; waiting for it ...")
                installer.check()
            else:
                if _is_at(path, file):
                    yield file.fileno()
                    return
                continue  # who held it has removed it
        time.sleep(LOOK_EVERY)
