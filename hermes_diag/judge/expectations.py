"""What the user says that a client is meant to have: `--expect NAME[=VALUE]`, `expect` of the settings. Pure.

Without an expectation a value that differs from the SDK's is a fact, no problem (see promises/).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hermes_diag.core import units
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import did_you_mean, quoted

PROXIES = ("environment", "own", "none")


@dataclass(frozen=True)
class Expected:
    """One field for each expectation; None: nothing was said of it. Times in seconds."""

    timeout: float | None = None  # read
    limits: tuple[int, int | None] | None = None  # connections, and of these kept alive
    keepalive: tuple[int, ...] | None = None  # idle, interval, count; (): on, whatever its values
    proxy: str | None = None  # one of PROXIES
    retries: int | None = None
    separate: bool = False
    sdk: bool = False  # the SDK's own values, of what nothing else is said


NOTHING = Expected()


def _timeout(value: str) -> float:
    return units.time("--expect timeout", value, least=0.001, most=86_400)


def _limits(value: str) -> tuple[int, int | None]:
    connections, slash, kept = value.partition("/")
    return _number(connections), _number(kept) if slash else None


def _keepalive(value: str) -> tuple[int, ...]:
    return () if value == "on" else tuple(map(_number, value.split("/", 2)))


def _proxy(value: str) -> str:
    if value not in PROXIES:
        raise ValueError
    return value


def _number(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError
    return int(value)


#: Name, how its value is read (None: it has none), the field, how it is written.
EXPECTATIONS: Mapping[str, tuple[Callable[[str], Any] | None, str, str]] = {
    "timeout": (_timeout, "timeout", "timeout=600s"),
    "limits": (_limits, "limits", "limits=1000/100"),
    "keepalive": (_keepalive, "keepalive", "keepalive=on or keepalive=30/10/3"),
    "proxy": (_proxy, "proxy", "proxy=environment, proxy=own or proxy=none"),
    "retries": (_number, "retries", "retries=2"),
    "separate": (None, "separate", "separate"),
    "sdk-defaults": (None, "sdk", "sdk-defaults"),
}


def parse(texts: Iterable[str]) -> Expected:
    """What these say together. Raises UsageError."""
    found, given = NOTHING, set()
    for text in texts:
        name, equals, value = text.partition("=")
        if name not in EXPECTATIONS:
            raise UsageError(f"{quoted(text)}: nothing of that name can be expected", did_you_mean(name, EXPECTATIONS))
        if name in given:
            raise UsageError(f"{quoted(text)}: {name} is given twice", "give it once")
        given.add(name)
        read, field, written = EXPECTATIONS[name]
        try:
            if bool(equals) != (read is not None):
                raise ValueError
            read_value: Any = read(value) if read else True
            found = replace(found, **{field: read_value})
        except (ValueError, UsageError):
            raise UsageError(f"{quoted(text)}: cannot be read", f"write {written}") from None
    return found
