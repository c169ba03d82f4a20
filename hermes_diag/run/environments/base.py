"""The Python that an environment is made with: its own or one that the user names."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.run import asked, pythons

#: Seconds that an interpreter may take to say what it is.
PATIENCE = 60
_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){1,2}\w{0,20}")
_ASK = (
    "import json, sys, sysconfig; print(json.dumps([getattr(sys, '_base_executable', None) or sys.executable, "
    "'.'.join(map(str, sys.version_info[:3])), str(sysconfig.get_config_var('SOABI'))]))"
)


@dataclass(frozen=True)
class Base:
    """python: the interpreter itself, no virtualenv's. version: such as 3.11.2. tag: short, and its own."""

    python: str
    version: str
    tag: str

    def check(self, what: str, requires: str) -> None:
        """Raises CannotMeasure when this Python is none that `what` runs on. requires: as in Requires-Python."""
        try:
            fits = SpecifierSet(requires).contains(self.version, prereleases=True)
        except InvalidSpecifier:
            return  # the installer will say
        if not fits:
            raise CannotMeasure(
                f"{what} needs Python {requires}, and {self.python} is {self.version}",
                "name one that fits with --base-python",
            )


def of(given: str) -> Base:
    """The interpreter that a path, a command or the folder of a virtualenv means. Raises UsageError, CannotMeasure."""
    python = pythons.resolve(given)
    try:
        own, version, build = map(str, json.loads(asked.answer([python, "-I", "-c", _ASK], PATIENCE)))
        if not _VERSION.fullmatch(version) or not os.path.isabs(own) or not own.isprintable():
            raise asked.NoAnswer("no Python says that")
    except (asked.NoAnswer, ValueError, TypeError, RecursionError):
        raise CannotMeasure(f"{python} did not say which Python it is", "name a Python 3.9 or newer") from None
    short = ".".join(version.split(".")[:2])
    return Base(own, version, f"py{short}-{hashlib.sha256(f'{own} {version} {build}'.encode()).hexdigest()[:6]}")
