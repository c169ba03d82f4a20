"""A JSON value that a schema accepts: what the built-in reply answers to structured outputs and forced tools. Pure.

The subset that structured outputs take: types, properties, items, enum, const, anyOf, oneOf, allOf, $ref into the
schema, bounds of numbers, texts and lists, formats, patterns. A schema that nothing fits gets the nearest value.
"""

from __future__ import annotations

import functools
import math
import random
import re
from collections.abc import Callable
from typing import Any

#: Levels below which optional parts are left out: a schema may contain itself.
DEEP = 4
#: Levels at which no schema that ends is.
DEEPEST = 64
#: Characters of a pattern, and repetitions if all of its repeats were nested, that are still worth the time.
LONGEST, MOST_REPEATS = 1000, 10**7

_WORDS = "Every socket you open is yours to close."
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "idn-email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json-pointer": "",
    "regex": "^a$",
    "base64": "aGk=",
    "base64url": "aGk",
    "jwt": "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.bm9uZQ",
    "e164": "+15550100",
    "cidrv4": "192.0.2.0/24",
    "cidrv6": "2001:db8::/32",
}
_SCALARS = ("null", "boolean", "string", "integer", "number")
Schema = dict[str, Any]


def of(schema: Schema) -> Any:
    """A value that the schema accepts."""
    return _value(schema, schema, 0)


def _value(schema: Any, root: Schema, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > DEEPEST:
        return {} if schema is True else None
    schema = _merged(schema, root)
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            rest = {name: part for name, part in schema.items() if name != key}
            return _value({**rest, **_simplest(schema[key], root, depth)}, root, depth + 1)
    make = _MAKERS.get(_type(schema, depth))
    return make(schema, root, depth) if make else None


def _merged(schema: Schema, root: Schema) -> Schema:
    """The schema with what its `$ref` and `allOf` add."""
    for _ in range(DEEPEST):
        if "$ref" in schema:
            target = _resolved(schema["$ref"], root)
            schema = {**target, **{key: part for key, part in schema.items() if key != "$ref"}}
        elif isinstance(schema.get("allOf"), list):
            parts = [part for part in schema["allOf"] if isinstance(part, dict)]
            schema = functools.reduce(_both, parts, {key: part for key, part in schema.items() if key != "allOf"})
        else:
            break
    return schema


def _part(schema: Schema, key: str, kind: type) -> Any:
    """What a schema says under a key, empty where that is of another kind."""
    return schema[key] if isinstance(schema.get(key), kind) else kind()


def _both(one: Schema, other: Schema) -> Schema:
    properties = {**_part(one, "properties", dict), **_part(other, "properties", dict)}
    required = [*_part(one, "required", list), *_part(other, "required", list)]
    patterns = [*_patterns(one), *_patterns(other)]
    return {
        **one,
        **other,
        **({"properties": properties, "required": required} if properties else {}),
        **({"pattern": patterns} if len(patterns) > 1 else {}),
    }


def _resolved(reference: Any, root: Schema) -> Schema:
    found: Any = root
    if isinstance(reference, str):
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _simplest(choices: list[Any], root: Schema, depth: int) -> Schema:
    """The first of the alternatives; far down, one that ends: null, or no object."""
    parts = [_merged(part, root) for part in choices if isinstance(part, dict)]
    if depth >= DEEP:
        parts.sort(key=lambda part: _type(part, depth) not in _SCALARS)
    return parts[0] if parts else {}


def _type(schema: Schema, depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        names = [name for name in kind if isinstance(name, str)]
        return "null" if depth >= DEEP and "null" in names else next(iter(names), "null")
    if isinstance(kind, str):
        return kind
    keys = {"properties": "object", "required": "object", "additionalProperties": "object", "items": "array"}
    keys |= {"minLength": "string", "pattern": "string", "format": "string", "minimum": "number", "maximum": "number"}
    return next((name for key, name in keys.items() if key in schema), "object")


def _object(schema: Schema, root: Schema, depth: int) -> Any:
    properties = _part(schema, "properties", dict)
    required = [name for name in _part(schema, "required", list) if isinstance(name, str)]
    wanted = required if depth >= DEEP else [*properties, *(name for name in required if name not in properties)]
    other = schema.get("additionalProperties")
    unnamed = other if isinstance(other, dict) else {"type": "string"}
    return {name: _value(properties.get(name, unnamed), root, depth + 1) for name in wanted}


def _array(schema: Schema, root: Schema, depth: int) -> Any:
    first: list[Any] = next((schema[key] for key in ("prefixItems", "items") if isinstance(schema.get(key), list)), [])
    least = _number(schema.get("minItems"), 0)
    most = _number(schema.get("maxItems"), 1000)
    count = int(min(max(least, len(first), 0 if depth >= DEEP else 1), most, 1000))
    values = [_value(part, root, depth + 1) for part in first][:count]
    rest = schema.get("items", {"type": "string"})
    rest = schema.get("additionalItems", {"type": "string"}) if isinstance(rest, list) else rest
    while len(values) < count:
        values.append(_value(rest, root, depth + 1))
        if schema.get("uniqueItems") is True and isinstance(values[-1], str | int | float):
            values[-1] = values[-1] + len(values) if not isinstance(values[-1], str) else f"{values[-1]}{len(values)}"
    return values


def _string(schema: Schema, root: Schema, depth: int) -> Any:
    patterns, form = _patterns(schema), schema.get("format")
    least, most = int(_number(schema.get("minLength"), 0)), int(_number(schema.get("maxLength"), 10_000))
    if form in _FORMATS:  # before a pattern: libraries write down what they take for the format, in other dialects
        return _FORMATS[form]
    if patterns:
        return _matching(patterns, least, most)
    text = _WORDS * (1 + min(least, 100_000) // len(_WORDS)) if least > len(_WORDS) else _WORDS
    return text[: max(0, most)]


def _patterns(schema: Schema) -> list[str]:
    """The patterns that a text must have, all of them."""
    given = schema.get("pattern")
    return [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]


class _Repeats(random.Random):
    """Chance that is the same each time, and repeats what may be repeated so many times more than it must be."""

    def __init__(self, more: int) -> None:
        super().__init__(0)
        self._more = more

    def randint(self, a: int, b: int) -> int:
        return min(a + self._more, b)


def _matching(patterns: list[str], least: int, most: int) -> str:
    """A text with these patterns, one behind the other; the same for the same patterns."""
    import rstr

    text, joined = _WORDS, "".join(patterns)
    # The library repeats `*` and `+` up to 100 times.
    repeats = [int(number) for number in re.findall(r"\{\d*,?(\d{1,9})\}", joined)]
    repeats += [100] * len(re.findall(r"[*+]|,\}", joined))
    if len(joined) > LONGEST or math.prod(repeats) > MOST_REPEATS:
        return text
    for more in (8, 3, 1, 0, 30, 100):  # which of them is neither too short nor too long
        maker = rstr.Rstr(_Repeats(more))
        try:
            text = "".join(map(maker.xeger, patterns))
        except Exception:  # a pattern of another dialect; what the library raises is not documented
            return _WORDS
        if least <= len(text) <= most:
            break
    return text


def _any_number(schema: Schema, root: Schema, depth: int) -> Any:
    whole = _type(schema, depth) == "integer"
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    step = _number(schema.get("multipleOf"), 1)
    step = step if step > 0 else 1
    if isinstance(least, int | float):
        number = -(-least // step) * step
        number += step if number == schema.get("exclusiveMinimum") else 0
    elif isinstance(most, int | float):
        number = most // step * step
        number -= step if number == schema.get("exclusiveMaximum") else 0
    else:
        number = step
    if isinstance(most, int | float) and number > most and isinstance(least, int | float) and not whole:
        number = (least + most) / 2  # between two whole numbers
    return int(number) if whole or number == int(number) else number


def _number(value: Any, default: float) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else default


_MAKERS: dict[str, Callable[[Schema, Schema, int], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _any_number,
    "number": _any_number,
    "boolean": lambda schema, root, depth: True,
}
