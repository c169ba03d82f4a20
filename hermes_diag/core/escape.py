"""What others put into a report, as no format may show it raw: each reporter begins with this. Pure.

A process chooses its name, and those of its threads, files and sockets; a file and a capture hold what anybody wrote.
Such a text could hold escape sequences for a terminal, signs that turn the direction of writing, a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from hermes_diag.core.text import one_line

T = TypeVar("T")

#: Types that hold no text; most of what a report is made of.
_NO_TEXT = frozenset({int, float, bool, type(None), bytes})


def fields_of(value: T) -> T:
    """The same of the same type, with each text in it on one line and printable; itself, where all of them are.

    value: a report, or anything else made of dataclasses, named tuples, mappings and sequences. Other objects stay.
    """
    return cast(T, _walked(value))


def json_bytes(value: Any) -> bytes:
    r"""A value as JSON on one line. Bytes of a file's name that are no UTF-8 are told as `\udc..`, letter by letter."""
    import msgspec  # a look as text has no use for it

    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_encodable(msgspec.to_builtins(value, str_keys=True)))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(one) for key, one in value.items()}
    return [_encodable(one) for one in value] if isinstance(value, list | tuple) else value


def _walked(value: Any) -> Any:
    kind: Any = type(value)
    if kind in _NO_TEXT:
        return value
    if isinstance(value, str):
        return value if isinstance(value, Enum) or value.isprintable() else one_line(value)
    if isinstance(value, tuple | list):
        changed = _changed(enumerate(value))
        if not changed:
            return value
        parts = [changed.get(at, one) for at, one in enumerate(value)]
        return kind(*parts) if hasattr(value, "_fields") else kind(parts)
    if is_dataclass(value) and not isinstance(value, type):
        of_fields = _changed((name, getattr(value, name)) for name in _names(kind))
        return replace(value, **of_fields) if of_fields else value
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, set | frozenset):
        return kind(map(_walked, value)) if _changed(enumerate(value)) else value
    return value


def _changed(parts: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """What is another value now, by its place. Most are numbers and short words: 300,000 of 16,000 sockets."""
    found = {}
    for at, one in parts:
        kind = type(one)
        if kind in _NO_TEXT or (kind is str and one.isprintable()):
            continue
        if (now := _walked(one)) is not one:
            found[at] = now
    return found


def _mapping(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Keys are data, too; two that look alike now are told apart."""
    found: dict[Any, Any] = {}
    last: dict[Any, int] = {}
    for key, one in value.items():
        shown = plain = _walked(key)
        while shown in found:
            last[plain] = last.get(plain, 1) + 1
            shown = f"{plain} ({last[plain]})"
        found[shown] = _walked(one)
    same = all(one is was for one, was in zip(found, value, strict=True))
    return value if same and all(found[key] is one for key, one in value.items()) else found


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))
