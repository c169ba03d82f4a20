"""Environments with a source checkout of Hermes Agent. Nothing is written into the user's folder: what it needs to run
is copied into the cache, and its dependencies are an environment that checkouts with the same ones share."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from hermes_diag.core import scratch, toml, units
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.text import quoted
from hermes_diag.run.environments import cache, releases, sources
from hermes_diag.run.environments.base import Base
from hermes_diag.run.environments.installer import Failed, Installer

SOURCE = "source"
#: Files that are named at most.
_NAMED = 5


@dataclass(frozen=True)
class Project:
    """What a pyproject.toml says. parts: names at the top of the folder that a wheel would hold; (): not known."""

    name: str
    version: str
    python: str
    requires: tuple[str, ...] | None  # None: only its build can tell
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """named: such as `0.20.4 at 1a2b3c4`."""

    python: Path
    named: str


def ensure(place: Path, revision: str, base: Base, installer: Installer) -> Made:
    """An environment with a checkout as it is now, or as it was at a revision.

    Raises UsageError when it is none, CannotMeasure, Stopped.
    """
    source = sources.open_source(place, revision)
    project = read_project(source.read("pyproject.toml"), place)
    if not source.has("run_agent.py"):
        raise UsageError(
            f"{place} has no run_agent.py: it is no checkout of Hermes Agent", "name the folder that has it"
        )
    named = f"{project.version} at {source.commit[:7]}" if source.commit else project.version
    named += ", edited" if source.edited else ""
    if project.python:
        base.check(f"{project.name} {named}", project.python)
    _tell_left_out(source.left_out(project.parts), installer)
    if project.requires is None:
        raise CannotMeasure(
            f"{place}: its pyproject.toml lists no dependencies",
            "make an environment that has it, and name that with --python",
        )
    dependencies = releases.ensure_dependencies(project.requires, f"{project.name} {named}", base, installer)
    parent = cache.folder() / "checkouts" / hashlib.sha256(str(place).encode()).hexdigest()[:12]
    with cache.writable(parent):
        scratch.sweep(parent)
        staged = scratch.make(parent)
        try:
            digest = source.copy(staged, project.parts)
            label = f"{project.version}{f'+g{source.commit[:7]}' if source.commit else ''}"
            label += ".edited" if source.edited else ""
            key = hashlib.sha256(f"{digest} {label} {dependencies}".encode()).hexdigest()[:12]
            python = cache.ensure(
                parent / f"{source.commit[:7] or 'folder'}-{key}",
                lambda final, lock: _make(final, lock, staged, label, dependencies, base, installer),
                installer,
            )
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    cache.prune(parent)
    return Made(python, named)


def _tell_left_out(names: Sequence[str], installer: Installer) -> None:
    if names:
        were = "was" if len(names) == 1 else "were"
        named = ", ".join((*names[:_NAMED], *(["..."] if len(names) > _NAMED else [])))
        installer.say(f"{units.count(len(names), 'file')} that git does not know {were} left out: {named}")


def _make(
    final: Path, lock: int, staged: Path, label: str, dependencies: Path, base: Base, installer: Installer
) -> None:
    """A virtualenv that sees the copy first, then the dependencies."""
    try:
        installer.run([base.python, "-I", "-m", "venv", "--without-pip", str(final)], label, lock)
    except Failed as exc:
        raise CannotMeasure(f"cannot make an environment with {base.python}: {exc.args[0].strip()[-200:]}") from None
    shutil.copytree(staged, final / SOURCE, symlinks=True)
    site = next(final.glob("lib/python*/site-packages"))
    others = next(dependencies.parent.parent.glob("lib/python*/site-packages"))
    # addsitedir: a line with a path alone would leave out the .pth files that are there.
    (site / "hermes-diag.pth").write_text(f"{final / SOURCE}\nimport site; site.addsitedir({str(others)!r})\n")
    info = site / f"hermes_agent-{label}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {releases.HERMES}\nVersion: {label}\n")
    with contextlib.suppress(Failed):  # a file that is no Python of this release: whoever imports it will say so
        installer.run([str(final / "bin" / "python"), "-I", "-m", "compileall", "-q", str(final / SOURCE)], label, lock)


def read_project(text: bytes | None, place: Path) -> Project:
    """Raises UsageError for what is no project."""
    if text is None or len(text) > toml.MAX_BYTES:
        raise UsageError(
            f"{place} has no pyproject.toml: it is no checkout of Hermes Agent", "name the folder that has it"
        )
    try:
        document = toml.loads(text.decode())
        own = document["project"]
        name, requires = str(own["name"]), own.get("dependencies")
        found = tuple(str(Requirement(one)) for one in requires) if isinstance(requires, list) else None
    except (ValueError, RecursionError, InvalidRequirement, TypeError):
        raise UsageError(f"{place}: its pyproject.toml cannot be read", "does pip install it?") from None
    except (KeyError, AttributeError):
        raise UsageError(f"{place}: its pyproject.toml names no project", "name a checkout of Hermes Agent") from None
    try:
        version = str(Version(str(own.get("version", "0"))))
    except InvalidVersion:
        version = "0"
    python = own.get("requires-python", "")
    return Project(quoted(name)[1:-1], version, python if isinstance(python, str) else "", found, _parts(document))


def _parts(document: dict[str, Any]) -> tuple[str, ...]:
    """What setuptools would take into a wheel, by the first part of each path; () when it does not say."""
    tool = document.get("tool", {})
    setup = tool.get("setuptools", {}) if isinstance(tool, dict) else {}
    try:
        modules: Sequence[str] = setup["py-modules"]
        find = setup["packages"]["find"]
        packages: Sequence[str] = () if "where" in find else find["include"]
        data = [one for files in setup.get("data-files", {}).values() for one in files]
        found = {f"{one}.py" for one in modules} | {one.split(".")[0].rstrip("*") for one in packages}
        found |= {one.split("/")[0] for one in data}
    except (KeyError, TypeError, AttributeError):
        return ()
    return tuple(sorted(filter(None, found))) if packages else ()
