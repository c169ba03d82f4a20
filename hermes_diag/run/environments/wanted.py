"""What a user's word for a target means: releases, a source checkout, or an interpreter; and the environment for it."""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path

from hermes_diag.core import folders
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import quoted
from hermes_diag.run import pythons
from hermes_diag.run.environments import base, checkout, releases
from hermes_diag.run.environments.installer import Installer

#: Characters of a word at most.
_LONGEST = 4096
_HERMES = ("hermes", releases.HERMES)
_KNOWN = (*_HERMES, "openai", "httpx", "httpx2", "httpcore", "httpcore2")


@dataclass(frozen=True)
class Wanted:
    """One target; of pins, place and python one is set. pins: (package, release) each."""

    name: str  # as output names it
    pins: tuple[tuple[str, str], ...] = ()
    place: Path | None = None
    revision: str = ""
    python: str = ""

    @property
    def is_hermes(self) -> bool:
        """Whether it is a Hermes Agent by its name; an interpreter may hold one, too."""
        return self.place is not None or any(name == releases.HERMES for name, _ in self.pins)


@dataclass(frozen=True)
class Ready:
    """A target that can be run. named: with what was found out of it."""

    wanted: Wanted
    python: str
    named: str


def parse(given: str, cure: str = "") -> Wanted:
    """What a word means. cure: what to do about one that means nothing. Raises UsageError."""
    cure = cure or _HELP
    if not given or len(given) > _LONGEST or not given.isprintable() or given.startswith("-"):
        raise UsageError(f"{quoted(given)} is neither a release nor a path", cure)
    if "==" in given and "/" not in given:
        return _releases(given)
    if releases.is_version(given):
        version = releases.padded(given)
        return Wanted(f"{releases.HERMES} {version}", pins=((releases.HERMES, version),))
    path, revision = _revision(folders.expanded(given))
    try:
        if not path.is_dir():
            return Wanted(given, python=pythons.resolve(given))
        python = next((path / one for one in ("bin/python", "bin/python3") if (path / one).is_file()), None)
        if python is not None and not (path / "pyproject.toml").exists():
            return Wanted(given, python=os.path.abspath(python))
    except OSError as exc:  # a name that is too long, links in a circle
        raise UsageError(f"{quoted(given)}: {exc.strerror}", cure) from None
    except UsageError:
        if "/" in given and not path.exists():
            raise UsageError(f"there is nothing at {quoted(given)}", cure) from None
        raise UsageError(f"{quoted(given)} is no release, no folder and no interpreter", cure) from None
    return Wanted(given, place=Path(os.path.realpath(path)), revision=revision)


_HELP = "write a release such as 0.19.0 or openai==2.24.0, the folder of a checkout, or a Python"


def _releases(given: str) -> Wanted:
    pins = []
    for one in given.split(","):
        name, _, version = (part.strip() for part in one.partition("=="))
        if name not in _KNOWN:
            raise UsageError(f"{quoted(one)} names no package that is compared here", f"known: {', '.join(_KNOWN)}")
        releases.check_version(version)
        pins.append((releases.HERMES if name in _HERMES else name, releases.padded(version)))
    if len(dict(pins)) < len(pins):
        raise UsageError(f"{quoted(given)} names a package twice", "leave one of them out")
    return Wanted(" + ".join(f"{name} {version}" for name, version in pins), pins=tuple(pins))


def _revision(path: Path) -> tuple[Path, str]:
    """The folder and the revision of `PATH@REVISION`; a folder may have an @ in its own name."""
    text = str(path)
    place, at, revision = text.rpartition("@")
    try:
        return (Path(place), revision) if at and revision and not path.exists() and Path(place).is_dir() else (path, "")
    except OSError:
        return path, ""


def ready(wanted: Wanted, base_python: str, installer: Installer) -> Ready:
    """The interpreter for a target; its environment is made if there is none yet.

    Raises UsageError, CannotMeasure, Stopped.
    """
    if wanted.python:
        return Ready(wanted, wanted.python, wanted.name)
    own = base.of(base_python)
    if wanted.place is not None:
        made = checkout.ensure(wanted.place, wanted.revision, own, installer)
        return Ready(wanted, str(made.python), f"{wanted.name} ({made.named})")
    pins = wanted.pins
    if not {"openai", releases.HERMES} & dict(pins).keys():  # the SDK that hermes-diag has itself
        pins = (*pins, ("openai", importlib.metadata.version("openai")))
    return Ready(wanted, str(releases.ensure(pins, own, installer)), wanted.name)


def hermes(given: str) -> Wanted:
    """What a word means that names a Hermes Agent. Raises UsageError."""
    wanted = parse(
        given, "write a release such as 0.19.0, the folder of a checkout, or that of a virtualenv that has it"
    )
    if wanted.pins and not wanted.is_hermes:
        raise UsageError(f"{wanted.name} is no Hermes Agent", "write a release such as 0.19.0, or a PATH")
    return wanted
