"""What GitHub Actions wants to see of a check: annotations on stdout, a summary in a file that it names."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from hermes_diag.cli.terminal import document
from hermes_diag.core.errors import HermesDiagError
from hermes_diag.core.report import CheckReport
from hermes_diag.reporters.formats import github, markdown


def is_there() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Annotate what is refused inside at the file and line that it names; on stderr, where it is said."""
    try:
        yield
    except HermesDiagError as exc:
        if is_there():
            place = re.match(r"(?P<file>[^:]+\.toml):(?:(?P<line>[0-9]+):)? ", exc.message)
            file, line = (_in_workspace(Path(place["file"])), int(place["line"] or 1)) if place else ("", None)
            _annotate(github.error(file, line, "hermes-diag", str(exc)), aside=True)
        raise


def tell(report: CheckReport, cwd: Path, pure: bool) -> str:
    """Print annotations (pure: to stderr, which the runner reads too) and append the summary.

    cwd: the worker's folder. Returns what is to be said, "" when all went well.
    """
    factory = _in_workspace(cwd / report.defined.file) if report.defined else ""
    for line in github.commands(report, factory):
        _annotate(line, aside=pure)
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return ""
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace", opener=_unhurried) as file:
            # Another step's last line may be open.
            file.write(("\n\n" if file.tell() else "") + markdown.render(report, 0, verbose=False))
    except OSError as exc:  # in a container job the runner's path may not be there: no reason to fail
        return f"no summary: GITHUB_STEP_SUMMARY cannot be written: {exc.strerror}"
    return ""


def _unhurried(path: str, flags: int) -> int:
    """Of our own alone if it is new; a pipe that nobody reads is refused, and not waited for."""
    return os.open(path, flags | os.O_NONBLOCK, 0o600)


def _annotate(line: str, aside: bool) -> None:
    with contextlib.suppress(OSError):  # without a stderr the exit code has to do
        document(line, sys.stderr if aside else sys.stdout)


def _in_workspace(path: Path) -> str:
    """A file as an annotation names it, "" when it is not of the repository."""
    workspace = Path(os.path.realpath(os.environ.get("GITHUB_WORKSPACE") or "."))
    file = Path(os.path.realpath(path))
    return file.relative_to(workspace).as_posix() if file.is_relative_to(workspace) else ""
