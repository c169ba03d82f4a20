"""What GitHub Actions wants to see of a check: annotations on stdout, a summary in a file that it names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hermes_diag.model import CheckReport
from hermes_diag.reporters import github, markdown


def is_there() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def tell(report: CheckReport, cwd: Path, pure: bool) -> str:
    """Print annotations (pure: to stderr, which the runner reads too) and append the summary.

    cwd: the worker's folder. Returns what is to be said, "" when all went well.
    """
    for line in github.render(report, in_workspace(report, cwd)):
        print(line, file=sys.stderr if pure else sys.stdout)
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return ""
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(
                ("\n\n" if file.tell() else "") + markdown.render(report)
            )  # another step's last line may be open
    except OSError as exc:  # in a container job the runner's path may not be there: no reason to fail
        return f"no summary: GITHUB_STEP_SUMMARY cannot be written: {exc.strerror}"
    return ""


def in_workspace(report: CheckReport, cwd: Path) -> str:
    """The factory's file as an annotation names it, "" when it is not of the repository."""
    if report.defined is None:
        return ""
    workspace = Path(os.path.realpath(os.environ.get("GITHUB_WORKSPACE") or "."))
    file = Path(os.path.realpath(cwd / report.defined.file))
    return file.relative_to(workspace).as_posix() if file.is_relative_to(workspace) else ""
