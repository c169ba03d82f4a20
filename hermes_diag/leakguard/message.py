"""What was left behind, in words for a reader who does not know this tool."""

from __future__ import annotations

import linecache
import os
from collections.abc import Hashable
from pathlib import Path

from hermes_diag.core import text, units
from hermes_diag.core.escape import fields_of
from hermes_diag.core.sockets import CLOSE_WAIT
from hermes_diag.leakguard.left import COLLECTED, Descriptor, Left, Socket
from hermes_diag.leakguard.opening import Opening
from hermes_diag.leakguard.stacks import Line, is_own
from hermes_diag.watch import filters

#: Lines of a chain of calls, and things of one kind, that are shown.
_CALLS, _THINGS = 4, 10

_MEANING = {
    CLOSE_WAIT: "the other side has closed it, nobody here has",
    "ESTABLISHED": "still connected",
    "CLOSE": "reset by the other side or never connected, and not closed here",
}

_NOUNS = {
    "close_wait": "in CLOSE_WAIT",
    "leaked": "open",
    "fds": "more open descriptor",
    "threads": "more running thread",
}


def message(left: Left, beyond: dict[str, tuple[int, int]], root: Path) -> str:
    """The whole failure. beyond: as of Left.beyond, not empty. root: paths are shown relative to it."""
    left = fields_of(left)
    parts = [headline(beyond)]
    if {"close_wait", "leaked"} & beyond.keys():
        asked = [one for one in left.sockets if ("close_wait" if one.row.state == CLOSE_WAIT else "leaked") in beyond]
        parts += _grouped(asked, root)
    if "fds" in beyond:
        parts += _descriptors(left.fds, root)
    if "threads" in beyond:
        parts += [_thread(name, opening, root) for name, opening in left.threads[:_THINGS]]
    return text.lines("\n\n".join(parts))


def headline(beyond: dict[str, tuple[int, int]]) -> str:
    """One line: `left behind: 2 sockets in CLOSE_WAIT (allowed: close_wait=0)`."""
    found = []
    for name, (count, most) in beyond.items():
        noun = _NOUNS[name]
        if name in ("close_wait", "leaked"):
            noun = f"socket{'s' * (count != 1)} {noun}"
        else:
            noun += "s" * (count != 1)
        found.append(f"{count} {noun} (allowed: {name}={most})")
    return "left behind: " + ", ".join(found)


def summary(left: Left) -> str:
    """States and how many: `CLOSE_WAIT 2, UNIX 1`."""
    states = [one.row.state for one in left.sockets]
    return ", ".join(f"{state} {states.count(state)}" for state in sorted(set(states)))


def place(opening: Opening | None, root: Path) -> str:
    """The line that opened it: `test_x.py:12 in test_a`, or empty."""
    return text.lines(text.one_line(_line(opening.lines[0], root))) if opening and opening.lines else ""


def _key(one: Socket) -> Hashable:
    lines = one.opening.lines if one.opening else ()
    return one.row.state, one.row.remote, one.holder, one.collected, lines


def _grouped(sockets: list[Socket], root: Path) -> list[str]:
    """Sockets that differ only in age and descriptor, as one."""
    groups: dict[Hashable, list[Socket]] = {}
    for one in sockets:
        groups.setdefault(_key(one), []).append(one)
    several = list(groups.values())
    shown = [_sockets(group, root) for group in several[:_THINGS]]
    more = sum(map(len, several[_THINGS:]))
    return [*shown, f"... and {more} more"] if more else shown


def _sockets(group: list[Socket], root: Path) -> str:
    one, many = group[0], len(group) > 1
    words = [_what(one), _age(group), *_holder(one, many)]
    said = (f"{len(group)} x " if many else "") + ", ".join(filter(None, words))
    if one.collected:
        said += "\n    nothing refers to it any more: it was open until the garbage was collected"
    if one.age is None and one.opening:
        return said + _calls("opened by the child, which was started", one.opening.lines, root)
    return said + _opened(one.opening, root)


def _what(one: Socket) -> str:
    row = one.row
    if row.state == "LISTEN":
        return f"LISTEN on {filters.text(row.local)} (still listening)"
    to = f" to {filters.text(row.remote)}" if row.remote[1] else " socket"
    if row.state == COLLECTED:
        return f"socket{to.removesuffix(' socket')}, {COLLECTED}"
    meaning = _MEANING.get(row.state)
    return f"{row.state}{to}" + (f" ({meaning})" if meaning else "")


def _age(group: list[Socket]) -> str:
    ages = sorted(one.age for one in group if one.age is not None)
    if not ages:
        return ""
    least, most = units.duration(ages[0]), units.duration(ages[-1])
    return f"{least} old" if least == most else f"{least} to {most} old"


def _holder(one: Socket, many: bool) -> list[str]:
    if one.holder is None:
        return ["no descriptor left: a thread still waits in it, or another process holds it"]
    if one.holder:
        return [f"held by child process {one.holder}{_command(one.holder)}"]
    return [] if many or one.fd is None else [f"fd {one.fd}"]


def _command(pid: int) -> str:
    """The name of a process; its arguments may hold secrets."""
    import psutil

    try:
        return f" ({text.one_line(psutil.Process(pid).name())})"
    except psutil.Error:
        return ""


def _opened(opening: Opening | None, root: Path) -> str:
    if opening is None:
        return "\n    opened out of sight of Python: by a C library (uvloop is one) or a child process"
    said = _calls("accepted by a server that was opened" if opening.accepted else "opened", opening.lines, root)
    if opening.thread:
        said += f"\n    in thread {opening.thread}" + _calls("which was started", opening.started, root)
    return said + _calls("while the test was", opening.meanwhile, root)


def _calls(verb: str, lines: tuple[Line, ...], root: Path) -> str:
    """The innermost lines, and the outermost, which is the test's own."""
    shown = lines if len(lines) <= _CALLS else (*lines[: _CALLS - 1], lines[-1])
    said = ""
    for number, line in enumerate(shown):
        between = " (others between)" if len(lines) > len(shown) and number == len(shown) - 1 else ""
        said += f"\n    {f'{verb} at' if number == 0 else f'called{between} from'} {_line(line, root)}"
        source = linecache.getline(line.file, line.number).strip()
        if source and is_own(line.file):
            said += f"\n        {source}"
    return said


def _line(line: Line, root: Path) -> str:
    return f"{_path(line.file, root)}:{line.number} in {line.function}"


def _path(file: str, root: Path) -> str:
    for folder in ("site-packages", "dist-packages"):
        _, found, rest = file.rpartition(f"{os.sep}{folder}{os.sep}")
        if found:
            return rest
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file


def _thread(name: str, opening: Opening | None, root: Path) -> str:
    if opening is None:
        return f"thread {name}, still running"
    return f"thread {name}, still running{_calls('started', opening.lines, root)}"


def _target(target: str, root: Path) -> str:
    return _path(target, root) if target.startswith(os.sep) else target


def _descriptors(fds: tuple[Descriptor, ...], root: Path) -> list[str]:
    """Those of one line that point to the same, as one."""
    groups: dict[str, int] = {}
    for one in fds:
        said = f"descriptor of {_target(one.target, root)}" + _opened_at_one_of(one, root)
        groups[said] = groups.get(said, 0) + 1
    shown = [f"{count} x {said}" if count > 1 else said for said, count in list(groups.items())[:_THINGS]]
    more = sum(list(groups.values())[_THINGS:])
    return [*shown, f"... and {more} more"] if more else shown


def _opened_at_one_of(one: Descriptor, root: Path) -> str:
    if not one.openings:
        return "\n    no opening line was seen"
    return "".join(
        _calls("opened" if number == 0 else "or opened", opening.lines, root)
        for number, opening in enumerate(one.openings)
    )
