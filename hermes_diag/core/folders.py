"""The home folder of a user, and names that begin with ~. `Path.home` and `Path.expanduser` raise RuntimeError where a
user has none, as one of a container without HOME."""

from __future__ import annotations

import os
from pathlib import Path

from hermes_diag.core.errors import CannotMeasure


def home() -> Path:
    """This user's. Raises CannotMeasure."""
    found = os.path.expanduser("~")
    if not os.path.isabs(found):
        raise CannotMeasure("this user has no home folder", "set HOME to a folder")
    return Path(found)


def expanded(given: str | os.PathLike[str]) -> Path:
    """The path, with a home folder in the place of ~ or ~user where there is one."""
    return Path(os.path.expanduser(given))
