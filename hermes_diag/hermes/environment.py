"""Environments with one release of Hermes Agent each, made once and kept in the user's cache.

A finished environment holds a stamp, written last and under a lock: a half-made one is never used, and two
runs at the same time make one. (Built elsewhere and moved, its scripts would name the other place.) uv makes
it when it is there, else venv and pip of this Python. No index is named: the user's own configuration holds.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hermes_diag.core.errors import CannotMeasure, UsageError

#: A release as the packaging rules write it; nothing that could be read as an option or a path.
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,4}((a|b|rc|\.post|\.dev)[0-9]+)?")
STAMP = "made-by-hermes-diag"
#: Seconds that an installer may take.
PATIENCE = 900


def check_version(version: str) -> None:
    """Raises UsageError for a text that cannot be a version."""
    if len(version) > 40 or not _VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is no version", "write a release, for example 0.19.0")


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where environments are kept: below XDG_CACHE_HOME, or ~/.cache."""
    cache = environ.get("XDG_CACHE_HOME", "")
    root = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"  # the standard: a relative path is ignored
    return root / "hermes-diag" / "hermes"


def ensure(version: str, say: Callable[[str], None]) -> Path:
    """The interpreter of an environment with that release; `say` gets a line before each step that takes time.

    Raises UsageError for a text that cannot be a version, CannotMeasure when the environment cannot be made.
    """
    check_version(version)
    final = folder() / f"{version}-py{sys.version_info.major}.{sys.version_info.minor}"
    python = final / "bin" / "python"
    if not _works(python):
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with _locked(final.with_name(f"{final.name}.lock"), say) as lock:
                if not _works(python):
                    _make(version, final, lock, say)
        except OSError as exc:
            raise CannotMeasure(
                f"cannot make an environment in {final.parent}: {exc.strerror or type(exc).__name__}",
                "set XDG_CACHE_HOME to a folder with room that you may write to",
            ) from None
    return python


def _works(python: Path) -> bool:
    """Whether the environment is finished; its base interpreter may have been removed since."""
    return python.exists() and (python.parent.parent / STAMP).exists()


@contextmanager
def _locked(path: Path, say: Callable[[str], None]) -> Iterator[int]:
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another hermes-diag is making that environment; waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _make(version: str, final: Path, lock: int, say: Callable[[str], None]) -> None:
    shutil.rmtree(final, ignore_errors=True)  # what a killed run left, or one whose interpreter is gone
    wanted = f"hermes-agent=={version}"
    python = final / "bin" / "python"
    uv = shutil.which("uv")

    def run(*command: str) -> None:
        _run([*command], version, lock)

    try:
        say(f"making an environment with hermes-agent {version} ({'uv' if uv else 'venv and pip'}), once ...")
        if uv:
            run(uv, "venv", "--quiet", "--python", sys.executable, str(final))
            # Compiled now: the worker writes nothing into an environment.
            run(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), wanted)
        else:
            run(sys.executable, "-m", "venv", str(final))
            pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
            run(str(python), *pip, wanted)
        (final / STAMP).touch()
    except BaseException:
        shutil.rmtree(final, ignore_errors=True)
        raise
    say(f"kept in {final}")


def _run(command: list[str], version: str, lock: int) -> None:
    """Run one step of an installer. Raises CannotMeasure with its reason in one line.

    The installer inherits the lock: it may still run after this process was killed.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=PATIENCE,
            check=False, pass_fds=(lock,),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CannotMeasure(f"the installer of hermes-agent {version} took more than {PATIENCE} s") from None
    if done.returncode:
        raise CannotMeasure(
            f"cannot install hermes-agent {version}: {reason(done.stderr)}",
            "check the version and the network, or name a Python that has it with --python",
        )


def reason(text: str) -> str:
    """The most telling line of an installer's output, without URLs, which may hold a password."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if re.match(r"(?i)error|no matching|\W*because|\W*╰", line)] or lines
    return re.sub(r"\b\w+://\S+", "<address>", told[0])[:300] if told else "it gave no reason"
