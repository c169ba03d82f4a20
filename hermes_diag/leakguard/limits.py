"""The arguments of `limit_sockets`, from a marker or from a line of text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from hermes_diag.core import units
from hermes_diag.core.errors import UsageError
from hermes_diag.core.sockets import SocketRow
from hermes_diag.core.text import did_you_mean
from hermes_diag.watch import filters

COUNTS = ("close_wait", "leaked", "fds", "threads")
#: Seconds; the longest time that may be asked for.
LONGEST = 600.0


@dataclass(frozen=True)
class Limits:
    """How much a test may leave behind; None: not checked.

    close_wait: sockets in CLOSE_WAIT. leaked: sockets in any other state. fds: descriptors that are no
    sockets, more than before. threads: Python threads, more than before. remote: only sockets towards one
    of these count. settle: seconds to wait at most for things to go;
    also written as 500ms, 2s.
    """

    close_wait: int | None = 0
    leaked: int | None = 0
    fds: int | None = 0
    threads: int | None = 0
    remote: tuple[str, ...] = ()
    settle: float = 1.0

    def wants(self) -> Callable[[SocketRow], bool]:
        """Whether a socket goes to one of `remote`."""
        return filters.remotes(self.remote, _resolve)


NAMES = tuple(field.name for field in fields(Limits))


def changed(limits: Limits, given: Mapping[str, object], source: str) -> Limits:
    """Limits with these arguments instead. source: who gave them, for the error. Raises UsageError."""
    return replace(limits, **{name: _value(name, value, source) for name, value in given.items()})


def from_text(limits: Limits, text: str, source: str) -> Limits:
    """From `leaked=1 fds=none remote=10.0.0.0/8,10.1.2.3:443`. Raises UsageError."""
    given: dict[str, object] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{source}: {word!r} is no NAME=VALUE", f"NAME is one of {', '.join(NAMES)}")
        if name in given:
            raise UsageError(f"{source}: {name} is given twice", "give it once")
        given[name] = value.split(",") if name == "remote" else _number(value)
    return changed(limits, given, source)


def _number(text: str) -> object:
    if text.lower() == "none":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _value(name: str, value: object, source: str) -> Any:
    if name in COUNTS:
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value
        raise UsageError(f"{source}: {name}={value!r} is no count", "give 0 or more, or None: not checked")
    if name == "settle":
        if isinstance(value, str):
            return units.time(f"{source}: settle", value, least=0, most=LONGEST)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST:
            return float(value)
        raise UsageError(f"{source}: settle={value!r} is no time", f"give seconds from 0 to {LONGEST:g}, or 500ms, 2s")
    if name == "remote":
        return _remotes(value, source)
    raise UsageError(f"{source}: there is no argument {name!r}", did_you_mean(name, NAMES))


def _remotes(value: object, source: str) -> tuple[str, ...]:
    wanted = (value,) if isinstance(value, str) else value
    if not isinstance(wanted, tuple | list) or not all(isinstance(one, str) for one in wanted):
        raise UsageError(f"{source}: remote={value!r} is no address", "give 'HOST:PORT', a network, or a list of them")
    try:
        filters.remotes(wanted, _resolve)
    except UsageError as exc:
        raise UsageError(f"{source}: {exc.message.replace('--remote ', 'remote=', 1)}", exc.hint) from None
    return tuple(wanted)


def _resolve(host: str) -> list[str]:
    """Only names that need no packet."""
    if host == "localhost":
        return ["127.0.0.1", "::1"]
    raise UsageError(f"--remote {host}: a name, and nothing is looked up", "give its address or network")
