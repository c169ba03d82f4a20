"""Where Hermes keeps things: its home, its profiles, the PID of a running gateway, request dumps.

Only reads. `gateway.lock` is never touched: whoever takes it in order to probe stops a gateway from
starting; `gateway_state.json` is not asked, it still says "running" after a SIGTERM.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from hermes_diag.core import folders, reading
from hermes_diag.core.errors import CannotMeasure, UsageError

PID_FILE = "gateway.pid"
#: `request_dump_{session}_{YYYYmmdd_HHMMSS_ffffff}.json`
_DUMP = re.compile(r"request_dump_.*_(\d{8}_\d{6}_\d{6})\.json")
#: A pid file is one short line; a longer file is something else.
_LARGEST = 1 << 16


@dataclass(frozen=True)
class Gateway:
    """A running gateway. profile: "" is the home itself. checked: that the PID was not reused."""

    pid: int
    profile: str
    checked: bool


@dataclass(frozen=True)
class Recorded:
    """What a pid file says. start: in the unit of Hermes; None in files of old releases."""

    pid: int
    start: int | None


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """HERMES_HOME, or ~/.hermes."""
    return folders.expanded(environ.get("HERMES_HOME", "").strip() or folders.home() / ".hermes")


def place(root: Path, profile: str | None = None) -> Path:
    """The folder of a profile, or the home itself. Raises UsageError when it is not there."""
    if not root.is_dir():
        raise UsageError(f"there is no Hermes home at {root}", "set HERMES_HOME to it")
    return _places(root, profile)[profile or ""]


def last_dump(root: Path, profile: str | None = None) -> Path:
    """The newest request dump of a home and all its profiles, or of one; by the time in its name.

    Raises UsageError when there is none.
    """
    if not root.is_dir():
        raise UsageError(f"there is no Hermes home at {root}", "set HERMES_HOME to it, or name the file")
    dumps: list[tuple[str, Path]] = []
    for place in _places(root, profile).values():
        try:
            names = os.listdir(place / "sessions")
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise UsageError(f"cannot list {place / 'sessions'}: {exc.strerror}", "name the file") from None
        matches = ((_DUMP.fullmatch(name), name) for name in names)
        dumps += [(match[1], place / "sessions" / name) for match, name in matches if match]
    if not dumps:
        where = f"profile {profile!r} of {root}" if profile else str(root)
        raise UsageError(
            f"{where} has no request dump", "Hermes writes one to sessions/ when a turn has failed; or name a file"
        )
    return max(dumps)[1]


def gateways(root: Path, profile: str | None = None) -> list[Gateway]:
    """The running gateways of a home, of all its profiles or of one.

    Raises UsageError for a home or a profile that is not there, CannotMeasure when none is running.
    """
    if not root.is_dir():
        raise UsageError(f"there is no Hermes home at {root}", "set HERMES_HOME to it, or give a PID")
    files = _pid_files(root, profile)
    running, why = [], []
    for name, path in files.items():
        try:
            running.append(_running(name, path))
        except CannotMeasure as exc:
            why.append(exc)
    if running:  # two files may name one process, and one of them may be older
        return list({one.pid: one for one in sorted(running, key=lambda one: one.checked)}.values())
    if why:
        raise why[0]
    place = f"profile {profile!r} of {root}" if profile else str(root)
    raise CannotMeasure(f"no gateway is running: {place} has no {PID_FILE}", "start it, or give a PID")


def choose(found: list[Gateway]) -> Gateway:
    """The only gateway. Raises UsageError with the list when there are several."""
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{one.pid} ({named(one)})" for one in found)
    example = next((f"--profile {one.profile}" for one in found if one.profile), "--profile NAME")
    raise UsageError(
        f"{len(found)} gateways are running: {listed}", f"say which one: {example}, or --pid {found[0].pid}"
    )


def named(gateway: Gateway) -> str:
    """How output names a gateway."""
    return f"profile {gateway.profile}" if gateway.profile else "no profile"


def recorded(text: str) -> Recorded | None:
    """The content of a pid file: an object with pid and start_time, or a bare number. None: neither."""
    import json

    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    pid, start = (value.get("pid"), value.get("start_time")) if isinstance(value, dict) else (value, None)
    if not _is_number(pid) or not 0 < pid < 1 << 31 or not (start is None or _is_number(start)):
        return None
    return Recorded(pid, start)


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _pid_files(root: Path, profile: str | None) -> dict[str, Path]:
    """Profile name -> pid file, of the regular files only: reading a pipe might never end."""
    places = _places(root, profile)
    return {name: place / PID_FILE for name, place in places.items() if (place / PID_FILE).is_file()}


def _places(root: Path, profile: str | None) -> dict[str, Path]:
    """Profile name -> folder; "" is the home itself. Raises UsageError for a profile that is not there."""
    profiles = root / "profiles"
    if profile is not None:
        if profile in ("", ".", "..") or "/" in profile or not (profiles / profile).is_dir():
            known = ", ".join(sorted(one.name for one in profiles.iterdir())) if profiles.is_dir() else ""
            raise UsageError(
                f"{root} has no profile {profile!r}", f"it has {known}" if known else "it has none: name no profile"
            )
        return {profile: profiles / profile}
    places = {"": root}
    if profiles.is_dir():
        places |= {one.name: one for one in sorted(profiles.iterdir()) if one.is_dir()}
    return places


def _running(profile: str, path: Path) -> Gateway:
    """The gateway that a pid file names. Raises CannotMeasure when it is not running."""
    try:
        text = reading.whole(path, _LARGEST).decode("utf-8", "replace")
        written = path.stat().st_mtime
    except OSError as exc:
        raise CannotMeasure(
            f"cannot read {path}: {exc.strerror}", "run as the user of the gateway, or give --pid"
        ) from None
    found = recorded(text)
    if found is None:
        raise CannotMeasure(
            f"{path} is no pid file: it holds no process number", "give --pid; Hermes writes it anew when it starts"
        )
    start = _starts(found.pid)
    if start is None:
        raise CannotMeasure(
            f"{path} is stale: process {found.pid} has ended", "start the gateway, or give --pid if it runs elsewhere"
        )
    marks, began = start
    if found.start is not None and found.start not in marks:
        raise CannotMeasure(
            f"{path} is stale: PID {found.pid} now belongs to another process, which started at another time",
            "start the gateway, or give --pid if it runs elsewhere",
        )
    if found.start is None and began > written + 2:  # the system clock may have been set in between
        raise CannotMeasure(
            f"{path} is stale: process {found.pid} is younger than the file", "start the gateway, or give --pid"
        )
    return Gateway(found.pid, profile, found.start is not None)


def _starts(pid: int) -> tuple[set[int], float] | None:
    """The ways in which Hermes may have written down the start of a running process, and the start in seconds since the
    epoch."""
    from hermes_diag.watch import process

    try:
        facts = process.facts(pid)
        if not process.LINUX:
            return {round(facts.started * 100)}, facts.started
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().split()
        # Hermes counts fields from the left, so that a blank in the name of the process shifts them.
        naive = {int(field) for field in fields[21:22] if field.isdigit()}
        return {int(process.identity(pid)), *naive}, facts.started
    except (process.Ended, process.NotAllowed, OSError):
        return None
