"""Where environments are kept. A finished one holds a stamp, written last and under a lock: a half-made one is never
used, and of two runs at the same time one makes it and the other waits.

Built elsewhere and moved, its scripts would name the other place.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.run.environments.installer import LOOK_EVERY, SAY_EVERY, Installer

STAMP = "made-by-hermes-diag"
#: So many environments of one checkout stay, and so many sets of dependencies; and seconds for which each does.
KEPT, USED_LATELY = 5, 3600


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where all is kept: below XDG_CACHE_HOME, or ~/.cache."""
    cache = environ.get("XDG_CACHE_HOME", "")
    root = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"  # the standard: a relative path is ignored
    return root / "hermes-diag"


def ensure(place: Path, make: Callable[[Path, int], None], installer: Installer) -> Path:
    """The interpreter of the environment at that place; `make(place, lock)` is called when there is none yet.

    Raises what `make` does, CannotMeasure when nothing can be written there.
    """
    python = place / "bin" / "python"
    if not _works(python):
        with writable(place.parent), _locked(place.with_name(f"{place.name}.lock"), installer) as lock:
            if not _works(python):
                shutil.rmtree(place, ignore_errors=True)  # what a killed run left, or its interpreter is gone
                try:
                    make(place, lock)
                    (place / STAMP).touch()
                except BaseException:
                    shutil.rmtree(place, ignore_errors=True)
                    raise
    with contextlib.suppress(OSError):  # when it was used last; a cache that is only read does not tell
        os.utime(place / STAMP)
    return python


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
        used = sorted(((_used(one), one) for one in parent.iterdir() if one.is_dir()), reverse=True)
        for at, one in used[kept:]:
            if time.time() - at > USED_LATELY:  # a run may be using it
                (one / STAMP).unlink(missing_ok=True)
                shutil.rmtree(one, ignore_errors=True)  # its lock stays: another run may just have opened it


def _used(place: Path) -> float:
    stamp = place / STAMP
    return (stamp if stamp.exists() else place).stat().st_mtime


def _works(python: Path) -> bool:
    """Whether the environment is finished; its base interpreter may have been removed since."""
    return python.exists() and (python.parent.parent / STAMP).exists()


@contextmanager
def _locked(path: Path, installer: Installer) -> Iterator[int]:
    with open(path, "w") as file:
        said = time.monotonic() - SAY_EVERY
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - said >= SAY_EVERY:
                    said = time.monotonic()
                    installer.say("another hermes-diag is making that environment; waiting for it ...")
                installer.check()
                time.sleep(LOOK_EVERY)
        yield file.fileno()
