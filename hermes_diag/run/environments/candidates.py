"""What lies between a good end and a bad one: releases of one package, or commits of a checkout, the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from hermes_diag.core import folders
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.text import one_line, quoted
from hermes_diag.run.environments import releases, sources, wanted
from hermes_diag.run.environments.base import Base
from hermes_diag.run.environments.installer import Installer
from hermes_diag.run.environments.wanted import Wanted

#: Characters of a commit's name and of its first line that are shown.
_SHORT, _SUBJECT = 10, 60


@dataclass(frozen=True)
class Candidates:
    """wanted: each target, the oldest first. keys: what each is, the same in every run. good, bad: places of the ends.
    lasting: whether a key always means the same."""

    wanted: tuple[Wanted, ...]
    keys: tuple[str, ...]
    good: int
    bad: int
    lasting: bool


def of_releases(good: str, bad: str, base: Base, installer: Installer) -> Candidates:
    """Releases of the package that both ends name. Raises UsageError, CannotMeasure, Stopped."""
    ends = [wanted.parse(one) for one in (good, bad)]
    for one in ends:
        if len(one.pins) != 1:
            raise UsageError(
                f"{quoted(one.name)} is not one release", "write 0.18.2 or openai==2.24.0; commits need --repo"
            )
    (name, first), (other, last) = ends[0].pins[0], ends[1].pins[0]
    if name != other:
        raise UsageError(f"{ends[0].name} and {ends[1].name} are of two packages", "name two releases of one package")
    _refuse_same(first, last)
    low, high = sorted((first, last), key=Version)
    there = releases.released(name, base, installer, least=low)
    if not there:
        raise CannotMeasure(f"the releases of {name} could not be listed", "is the network there, and pip or uv?")
    between = [one for one in reversed(there) if Version(low) < Version(one) < Version(high)]
    found = [low, *between, high]
    made = [Wanted(f"{name} {one}", pins=((name, one),)) for one in found]
    keys = tuple(f"{name}=={one}" for one in found)
    return Candidates(tuple(made), keys, found.index(first), found.index(last), True)


def of_commits(repo: Path, good: str, bad: str) -> Candidates:
    """Commits of a checkout between two revisions, along first parents. Raises UsageError."""
    place = folders.expanded(repo).resolve()
    try:
        first, last = sources.commit_of(place, good), sources.commit_of(place, bad)
    except sources.GitFailed:
        raise UsageError(f"{repo} is no git repository", "name the folder of a clone") from None
    _refuse_same(first, last)
    older, newer = (first, last) if _is_ancestor(place, first, last) else (last, first)
    if not _is_ancestor(place, older, newer):
        raise UsageError(f"neither of {quoted(good)} and {quoted(bad)} is before the other", "name two of one branch")
    listing = ("log", "--first-parent", "--reverse", "-z", "--format=%H %s")
    out = sources.git(place, *listing, "-1", older) + b"\0" + sources.git(place, *listing, f"{older}..{newer}")
    found = [one.decode("utf-8", "replace").partition(" ") for one in out.split(b"\0") if one]
    made = [
        Wanted(f"{commit[:_SHORT]} {one_line(text)[:_SUBJECT]}".strip(), place=place, revision=commit)
        for commit, _, text in found
    ]
    keys = [commit for commit, _, _ in found]
    return Candidates(tuple(made), tuple(keys), keys.index(first), keys.index(last), True)


def of_targets(given: Sequence[str], good: str | None, bad: str | None) -> Candidates:
    """Targets in the order in which they are given; the ends are the first and the last unless others are named.

    Raises UsageError.
    """
    good, bad = good or given[0], bad or given[-1]
    for option, end in (("--good", good), ("--bad", bad)):
        if end not in given:
            raise UsageError(f"{option} {quoted(end)} is none of the targets", "name one of them")
    _refuse_same(good, bad)
    low, high = sorted((given.index(good), given.index(bad)))
    part = list(given[low : high + 1])
    made = tuple(map(wanted.parse, part))
    lasting = all(one.pins for one in made)
    return Candidates(made, tuple(part), part.index(good), part.index(bad), lasting)


def _refuse_same(good: str, bad: str) -> None:
    if good == bad:
        raise UsageError("the good end is the bad end", "name two")


def _is_ancestor(place: Path, older: str, newer: str) -> bool:
    try:
        sources.git(place, "merge-base", "--is-ancestor", older, newer)
    except sources.GitFailed:
        return False
    return True
