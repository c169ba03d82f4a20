"""Durations, sizes, rates and numbers of issues as people write and read them. Pure."""

from __future__ import annotations

import math

from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import quoted

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


def split(text: str) -> tuple[float, str]:
    """`10m` as (10.0, "m"). Raises ValueError."""
    digits = len(text) - len(text.lstrip("0123456789."))
    return float(text[:digits]), text[digits:].strip()


def seconds(text: str) -> float:
    """`500ms`, `2s`, `10m`, `1.5h`, `7d`, or a bare number of seconds. Raises ValueError."""
    number, unit = split(text.strip())
    if unit and unit not in SECONDS:
        raise ValueError(text)
    return number * SECONDS[unit or "s"]


def time(option: str, text: str, least: float, most: float) -> float:
    """Seconds of a time that a user wrote. Raises UsageError with the option's name."""
    try:
        found = seconds(text)
    except ValueError:
        found = -1.0
    if not least <= found <= most:
        raise UsageError(
            f"{option}: {quoted(text)} is no time from {duration(least)} to {duration(most)}",
            "write it as 500ms, 2s, 10m, 1h or 7d",
        )
    return found


def size_of(option: str, text: str, most: int = 2**40) -> int:
    """Bytes of a size that a user wrote, such as `512`, `64K` or `1.5G`. Raises UsageError with the option's name."""
    try:
        number, unit = split(text.strip())
        found = int(number * BYTES[unit.upper()])
    except (ValueError, KeyError, OverflowError):
        found = 0
    if not 1 <= found <= most:
        raise UsageError(
            f"{option}: {quoted(text)} is no size from 1 byte to {size(most)}", "write it as 512, 64K, 32M or 1G"
        )
    return found


def duration(seconds_: float) -> str:
    """So long in one or two words: `0.4 s`, `12 s`, `4 min`, `3 h 20 min`, `5 d 2 h`."""
    if seconds_ < 10:
        return f"{seconds_:.1f} s".replace(".0 s", " s")
    whole = round(seconds_)
    if whole < 120:
        return f"{whole} s"
    minutes = round(seconds_ / 60)
    hours, days = minutes // 60, minutes // 1440
    if minutes < 120:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"{days} d" + (f" {hours % 24} h" if hours % 24 else "")


def at_least(seconds_: float) -> str:
    """So long as `duration` says it, rounded up: whoever waits for it has waited long enough."""
    step = 0.1 if seconds_ < 10 else 1 if seconds_ < 120 else 60 if seconds_ < 48 * 3600 else 3600
    return duration(math.ceil(seconds_ / step) * step)


def size(bytes_: float) -> str:
    """So many bytes in one word: `512 B`, `4.0 KiB`, `120 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if bytes_ < 1024 or unit == "GiB":
            return f"{bytes_:.0f} {unit}" if unit == "B" or bytes_ >= 100 else f"{bytes_:.1f} {unit}"
        bytes_ /= 1024
    raise AssertionError


def rate(per_hour: float) -> str:
    """A rate by the hour, or by the day when that is a rounder number: `3,600/h`, `0.5/h`, `2/d`."""
    if per_hour and abs(per_hour) < 1:
        return f"{per_hour * 24:.3g}/d"
    return f"{per_hour:,.0f}/h" if abs(per_hour) >= 100 else f"{per_hour:.3g}/h"


def count(number: int, what: str) -> str:
    """`1 sample`, `1,200 samples`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def were(number: int, what: str) -> str:
    """`1 sample was`, `1,200 samples were`."""
    return f"{count(number, what)} {'was' if number == 1 else 'were'}"


def cited(reference: str) -> str:
    """`#11070, #18451` with its project, to stand behind a sentence: who reads it may have a #11070 of his own."""
    return f"  [hermes-agent {reference}]" if reference else ""
