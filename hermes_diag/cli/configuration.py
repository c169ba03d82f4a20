"""The settings of `check` from where they stand, checked as far as it can be without a run."""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hermes_diag.cli.options import load as options
from hermes_diag.cli.options import subject
from hermes_diag.core import reading, toml
from hermes_diag.core.errors import UsageError
from hermes_diag.core.matrix import STRATEGIES
from hermes_diag.judge import pyproject, settings
from hermes_diag.run import pythons


def load(given: Mapping[str, Any]) -> settings.Settings:
    """Flags, environment, nearest pyproject.toml. Raises UsageError, in one line that names the place."""
    layers = [settings.flags(given), settings.environment(os.environ)]
    if found := _nearest():
        layers.append(found)
    loaded = settings.resolve(layers, datetime.date.today())

    folder = Path(loaded.cwd) if loaded.cwd else None
    with blamed_on(loaded, "cwd"):
        _check_folder(loaded.cwd)
    with blamed_on(loaded, "python"):
        pythons.resolve(loaded.python or sys.executable)
    if loaded.factory not in STRATEGIES:
        with blamed_on(loaded, "factory"):
            subject.check_spec(loaded.factory, folder)
    for number, spec in enumerate(loaded.faults):
        with blamed_on(loaded, "faults", number):
            options.faults([spec])
    return loaded


@contextlib.contextmanager
def blamed_on(loaded: settings.Settings, *path: str | int) -> Iterator[None]:
    """A UsageError raised inside becomes one line that names the place where that setting stands."""
    try:
        yield
    except UsageError as exc:
        if (layer := loaded.origins.get(str(path[0]))) is None:
            raise
        layer.wrong(path, exc.whole)


def _nearest() -> settings.Layer | None:
    """The table of the nearest pyproject.toml that has one, of this folder or one above."""
    try:
        here = Path.cwd()
    except OSError as exc:
        raise UsageError(f"the folder this runs in is not there: {exc.strerror}", "cd into one that is") from None
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        if os.path.lexists(path):
            name = os.path.relpath(path)
            layer = pyproject.document(_read(path, name), name)
            if layer is not None:
                return layer
    return None


def _read(path: Path, name: str) -> bytes:
    try:
        return reading.whole(path, toml.MAX_BYTES)
    except OSError as exc:
        raise UsageError(f"{name}: cannot be read: {exc.strerror}") from None


def _check_folder(cwd: str | None) -> None:
    if cwd is not None and not os.path.isdir(cwd):
        raise UsageError(f"there is no folder {cwd}", "name the folder that your package is in")
    if cwd is not None and not os.access(cwd, os.R_OK | os.X_OK):
        raise UsageError(f"the folder {cwd} may not be entered", "name one that you may read")
