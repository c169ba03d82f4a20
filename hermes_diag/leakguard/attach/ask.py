"""Has a process run the walk, and reads what it wrote."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hermes_diag.core import reading, scratch
from hermes_diag.core.errors import CannotMeasure
from hermes_diag.leakguard.attach import bundle, rights
from hermes_diag.watch import process
from hermes_diag.watch.attached import Attached, read

#: Seconds after which the walk begins nothing new, so that it ends before 0.3 s are over.
LIMIT = 0.25
#: Seconds to wait for a process to reach a place where it can be asked.
PATIENCE = 10.0
#: Where a folder may be that both see, the usual place first.
_PLACES = ("/dev/shm", "/var/tmp", "/run")  # nosec B108
#: Characters that are read of what a process wrote.
_MOST = 64 << 20
#: Values in it: eight for each of 100,000 descriptors.
_VALUES = 800_000
#: A script that does nothing and is always there.
_NOTHING = "/dev/null"


def ask(pid: int, patience: float = PATIENCE, limit: float = LIMIT, then: str = "") -> Attached:
    """Ask a process who holds its sockets.

    patience: seconds to wait for it. limit: seconds after which it begins nothing new. then: Python code that
    it runs afterwards.
    Raises CannotMeasure, process.Ended, process.NotAllowed.
    """
    asked = rights.check(pid)
    identity = process.identity(pid)
    with _folder(asked) as folder:
        result = folder / "found.json"
        more = folder / "then.py" if then else None
        if more:
            more.write_text(then, encoding="utf-8")
            more.chmod(0o644)  # in a folder that only that user may enter
        _tell(asked, bundle.task(pid, folder, result, limit, more))
        try:
            _wait(pid, identity, result, patience)
        finally:
            if not result.exists():
                _take_back(asked)
        return _read(pid, result)


def _wait(pid: int, identity: float, result: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while not result.exists():
        if process.identity(pid) != identity:
            raise process.Ended(f"process {pid} has ended")
        if time.monotonic() > until:
            raise _silent(pid, patience)
        time.sleep(0.005)


def _take_back(asked: rights.Asked) -> None:
    """What the process would still run is replaced with an empty file; without it, it would print that ours is gone."""
    with contextlib.suppress(CannotMeasure):  # it has ended
        _tell(asked, {"pid": asked.pid, "script": _NOTHING})


def _silent(pid: int, patience: float) -> CannotMeasure:
    if process.stat(pid).state in "Tt":
        return CannotMeasure(f"--attach: process {pid} is stopped; the request was taken back", f"kill -CONT {pid}")
    try:
        where = Path(f"/proc/{pid}/wchan").read_text().strip("0\n")
    except OSError:
        where = ""
    return CannotMeasure(
        f"--attach: the main thread of process {pid} ran no Python for {patience:g} s"
        + (f" (it waits in the kernel: {where})" if where else "")
        + "; the request was taken back",
        "give it something to do, e.g. a request, and ask again",
    )


def _read(pid: int, result: Path) -> Attached:
    try:
        found, pause = _text(result).split("\n")[:2]
        if reading.is_crowded(found.encode(), _VALUES):
            raise ValueError
        seen = json.loads(found)
        if "failed" in seen:
            raise CannotMeasure(
                f"--attach: the walk inside process {pid} failed ({seen['failed']} in line {seen['line']})",
                "look without --attach, and please report it",
            )
        if seen.get("refused") == "free-threaded":
            raise CannotMeasure(
                f"--attach: process {pid} runs Python without the GIL, where its other threads would not stand still",
                "look without --attach",
            )
        return read(pid, seen, float(pause))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
        raise CannotMeasure(
            f"--attach: what process {pid} wrote cannot be read ({type(exc).__name__})", "look without --attach"
        ) from None


def _text(result: Path) -> str:
    """What the process wrote. The file is in its hands: no link is followed, and nothing else than a file is read."""
    descriptor = os.open(result, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, encoding="utf-8") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError
        return file.read(_MOST)


def _tell(asked: rights.Asked, task: dict[str, object]) -> None:
    """Have the script handed over. Raises CannotMeasure with what `sys.remote_exec` says."""
    try:
        done = subprocess.run(
            [asked.interpreter, "-I", "-S", "-c", bundle.HANDOVER],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise CannotMeasure(
            f"--attach: {asked.interpreter} could not be run to hand the script over ({type(exc).__name__})",
            "look without --attach",
        ) from None
    if done.stdout.strip():
        kind, message = json.loads(done.stdout)
        raise rights.explained(asked, kind, message)
    if done.returncode:
        raise CannotMeasure(
            f"--attach: {asked.interpreter} could not be run to hand the script over (exit code {done.returncode})",
            "look without --attach",
        )


@contextmanager
def _folder(asked: rights.Asked) -> Iterator[Path]:
    """A private folder that the process sees under the same name, and may read and write."""
    for place in (tempfile.gettempdir(), *_PLACES):
        try:
            scratch.sweep(place)
            folder = scratch.make(place)
        except OSError:
            continue
        try:
            if os.geteuid() != asked.user:
                os.chown(folder, asked.user, asked.group)
            if _sees(asked.pid, folder):
                yield folder
                return
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    raise CannotMeasure(
        f"--attach: process {asked.pid} sees none of our temporary folders: it runs in a container or with folders "
        "of its own (chroot, PrivateTmp)",
        "run hermes-diag where the process runs, or set TMPDIR to a folder that both see",
    )


def _sees(pid: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.stat(folder), os.stat(f"/proc/{pid}/root{folder}"))
    except OSError:
        return False
