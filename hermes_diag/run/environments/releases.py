"""Environments with given releases of packages, and which releases there are. No index is named: the user's own
configuration of pip or uv holds."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.version import InvalidVersion, Version

from hermes_diag.core import scratch
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.text import quoted
from hermes_diag.run.environments import cache, reasons
from hermes_diag.run.environments.base import Base
from hermes_diag.run.environments.installer import Failed, Installer

#: The name of Hermes Agent on the index.
HERMES = "hermes-agent"
#: A release as the packaging rules write it; nothing that could be read as an option or a path.
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,4}((a|b|rc|\.post|\.dev)[0-9]+)?")
#: Releases that are asked of uv at most, which names one at a time.
_MOST = 200


def is_version(text: str) -> bool:
    """Whether it is written as a release is."""
    return len(text) <= 40 and bool(_VERSION.fullmatch(text))


def check_version(version: str) -> None:
    """Raises UsageError for a text that cannot be a version."""
    if not is_version(version):
        raise UsageError(f"{quoted(version)} is no version", "write a release, for example 0.19.0")


def padded(version: str) -> str:
    """With three numbers at least: 0.19 and 0.19.0 are one release."""
    found = Version(version)
    numbers = (*found.release, 0, 0)[: max(3, len(found.release))]
    return ".".join(map(str, numbers)) + str(found).removeprefix(found.base_version)


def ensure(pins: Sequence[tuple[str, str]], base: Base, installer: Installer) -> Path:
    """The interpreter of an environment with those releases, (name, version) each; made if there is none yet.

    Raises CannotMeasure, Stopped.
    """
    wanted = [f"{name}=={version}" for name, version in pins]
    named = " and ".join(f"{name} {version}" for name, version in pins)
    place = cache.folder() / "environments" / f"{'+'.join(wanted).replace('==', '-')[:80]}-{base.tag}"
    return cache.ensure(place, lambda final, lock: _make(final, lock, wanted, named, pins, base, installer), installer)


def ensure_dependencies(wanted: Sequence[str], of: str, base: Base, installer: Installer) -> Path:
    """The interpreter of an environment with a checkout's requirements. Raises CannotMeasure, Stopped."""
    key = hashlib.sha256("\n".join(sorted(wanted)).encode()).hexdigest()[:12]
    parent = cache.folder() / "dependencies"
    what = f"what {of} depends on"
    python = cache.ensure(
        parent / f"{key}-{base.tag}",
        lambda final, lock: _make(final, lock, wanted, what, (), base, installer),
        installer,
    )
    cache.prune(parent)
    return python


def _make(
    final: Path,
    lock: int,
    wanted: Sequence[str],
    named: str,
    pins: Sequence[tuple[str, str]],
    base: Base,
    installer: Installer,
) -> None:
    installer.say(f"making an environment with {named} (Python {base.version}, {installer.name}), once ...")
    try:
        python = installer.create(final, base, named, lock)
        installer.install(python, wanted, named, lock)
    except Failed as exc:
        raise _refusal(str(exc), named, pins, base, installer) from None
    installer.say(f"{named}: kept in {final}")


def _refusal(said: str, named: str, pins: Sequence[tuple[str, str]], base: Base, installer: Installer) -> CannotMeasure:
    """Why it cannot be had, and what can."""
    if "No space left on device" in said:
        return CannotMeasure(
            f"cannot install {named}: no space is left on the device",
            "make room, or set XDG_CACHE_HOME and TMPDIR to folders with room",
        )
    if reasons.is_unreachable(said):
        return CannotMeasure(
            f"cannot install {named}: the package index does not answer",
            f"is the network there? Which index is asked, the configuration of {installer.name} says",
        )
    for name, version in pins:
        if needed := reasons.needs_python(said, version):
            return CannotMeasure(
                f"{name} {version} needs Python {needed}, and {base.python} is {base.version}",
                "name one that fits with --base-python",
            )
        if f"{name}=={version}" in said and re.search("no version of|from versions|No matching", said):
            there = reasons.available(said) if len(pins) == 1 else []
            there = there or released(name, base, installer, most=reasons.MOST + 1)
            if there and version not in there:
                newer = f"; a newer {name} is to be checked out, and given as PATH" if name == HERMES else ""
                return CannotMeasure(f"{name} {version} is not to be had", f"there are {reasons.listed(there)}{newer}")
    return CannotMeasure(
        f"cannot install {named}: {reasons.reason(said)}",
        "check the version and the network, or name a Python that has it",
    )


def released(name: str, base: Base, installer: Installer, least: str = "", most: int = _MOST) -> list[str]:
    """Releases of a package that this Python can have, newest first; none when nobody can say.

    least: older ones are not asked for. Raises Stopped.
    """
    if installer.uv:
        return list(_by_uv(name, base, installer, least, most))
    for python in dict.fromkeys((base.python, sys.executable)):  # a Python of the system may be without pip
        command = [python, "-I", "-m", "pip", "index", "versions", "--disable-pip-version-check", "--no-input"]
        with contextlib.suppress(Failed, CannotMeasure):
            version = ["--python-version", base.version] if python != base.python else []
            if found := reasons.available(installer.run([*command, *version, name], f"the releases of {name}")):
                return [one for one in found if not least or Version(one) >= Version(least)]
    return []


def _by_uv(name: str, base: Base, installer: Installer, least: str, most: int) -> Iterator[str]:
    """uv has no command that lists them: it is asked for the newest one below the last."""
    assert installer.uv
    below, floor = "", f",>={least}" if least else ""
    with scratch.folder() as folder:
        asked = Path(folder) / "asked.in"
        for _ in range(most):
            asked.write_text(f"{name}{below or '>=0'}{floor}\n")
            options = ("--no-deps", "--quiet", "--no-header", "--no-annotate", "--python", base.python)
            try:
                out = installer.run([installer.uv, "pip", "compile", *options, str(asked)], f"the releases of {name}")
                found = out.strip().partition("==")[2].split(";")[0].strip()
                Version(found)
            except (Failed, InvalidVersion):
                return
            yield found
            below = f"<{found}"
