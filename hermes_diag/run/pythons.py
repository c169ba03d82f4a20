"""Which interpreter a user means by --python, and the pip line that installs the SDK in it. Starts nothing."""

from __future__ import annotations

import os
import shlex
import shutil

from hermes_diag.core import folders
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import quoted

#: The interpreter of a virtualenv, on POSIX and on Windows.
_IN_A_VIRTUALENV = ("bin/python", "bin/python3", "Scripts/python.exe")


def resolve(given: str) -> str:
    """The interpreter that is meant: a path, a command on PATH, or the folder of a virtualenv.

    Links are not followed: a virtualenv's interpreter is one. Raises UsageError when there is none.
    """
    path = folders.expanded(given)
    if not given or not path.is_dir():
        found = os.path.expanduser(given)  # of a Path the ./ is gone, and another one on PATH would be meant
        if "\0" in found or not shutil.which(found):
            raise UsageError(
                f"there is no interpreter {quoted(given)}",
                "name a Python 3.9 or newer, or the folder of its virtualenv",
            )
        return found
    for place in _IN_A_VIRTUALENV:
        if (path / place).is_file():
            return os.path.abspath(path / place)
    here = shlex.quote(str(path))
    raise UsageError(
        f"{given} is a folder without bin/python: no virtualenv",
        f"make one: python3 -m venv {here} && {install(f'{path}/bin/python')}",
    )


def install(python: str, hermes: bool = False) -> str:
    """The pip line that gives an interpreter the SDK, or Hermes Agent, which brings its own."""
    return f"{shlex.quote(python)} -m pip install {'hermes-agent' if hermes else shlex.quote('openai>=2.24')}"


def newer(least: str) -> str:
    """What to do about a Python that is too old."""
    return f"name a Python {least} or newer: python3 -m venv NEW && {install('NEW/bin/python')}"
