"""Inputs made of others: bytes changed blindly, and JSON, lines and texts changed where they have their joints.

All chance comes from the Random that is given: that of hypothesis, which then finds a smaller input, or a plain one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

#: Values in the place of others: what does not fit a type, what is at its edge, and what nobody has thought of.
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 255, 256, 65535, 2**31, 2**53 + 1, 2**63, 2**64, 10**40, -(2**63), 0.5, -0.0,
    1e-9, 1e15, 1e308, -1e308, "", " ", "x", "0", "-1", "1e9", "\u00b2", "\u0663", "\x1b[31mred\x1b[0m", "\x1b]0;t\x07",
    "a\nb", "\r", "\x00", "::error::x", "\n::error::x", "##[error]x", "<script>", "]]>", "|", "`", "[x](y)", "../../a",
    "\u202e", "\ud800", "NaN", "x" * 5000, "a/b/c", "1/1/1", "done", "error", "idle", "end", "CLOSE_WAIT", "contract",
    [], {}, [[]], [None], [0], [""], ["", 0], {"": 0}, {"a": {}}, [[["x"]]], list(range(300)), {"kind": "factory"},
)  # fmt: skip
#: Pieces of text that mean something in one format or another.
PIECES = (
    b"\n", b"\r\n", b"\n\n", b"\0", b"\x1b[2J", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"{", b"}", b"[", b"]", b",",
    b'"', b"\\", b":", b"-", b"NaN", b"1e999", b"null", b"9" * 400, b"[" * 2000, b'{"a":' * 400, b"=", b"#", b"%", b"/",
    b"0x", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"..", b" " * 64, b"A" * 2000, b"data: ", b"event: ", b"\t",
)  # fmt: skip

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def mutated(chance: random.Random, seeds: Sequence[bytes], most: int = 1 << 20) -> bytes:
    """A seed, changed in one to six ways."""
    data = chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        data = chance.choice(_WAYS)(chance, data, seeds)
    return data[:most]


def changed(chance: random.Random, data: bytes, seeds: Sequence[bytes] = ()) -> bytes:
    """The same input, changed in one way."""
    return chance.choice(_WAYS)(chance, data, seeds or (data,))


# --- JSON --------------------------------------------------------------------------------------------


def _json(chance: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """A value somewhere in a document, or in one line of many, is another."""
    lines = data.split(b"\n")
    whole = len(lines) == 1 or not data.startswith(b'{"record"')
    number = 0 if whole else chance.randrange(len(lines))
    try:
        value = json.loads(data if whole else lines[number])
    except (ValueError, RecursionError):
        return _bytes(chance, data, seeds)
    try:
        made = json.dumps(_value(chance, value), separators=(",", ":")).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return data
    if whole:
        return made
    lines[number] = made
    return b"\n".join(lines)


def _value(chance: random.Random, value: Any, depth: int = 0) -> Any:
    """The value with something in it changed."""
    if isinstance(value, dict) and value and (depth < 1 or chance.random() < 0.9):
        return _in_dict(chance, dict(value), depth)
    if isinstance(value, list) and value and chance.random() < 0.85:
        return _in_list(chance, list(value), depth)
    if isinstance(value, bool) or not isinstance(value, int | float) or chance.random() < 0.5:
        return chance.choice(ODD)
    return chance.choice((value + 1, value - 1, -value, value * 1000, value * 10**12, 0.3, str(value)))


def _in_dict(chance: random.Random, value: dict[str, Any], depth: int) -> Any:
    key = chance.choice(sorted(value))
    way = chance.randrange(12)
    if way == 0:
        del value[key]
    elif way == 1:
        value[chance.choice(sorted(value))] = value[key]  # one field has the value of another
    elif way == 2:
        value[f"{key}{chance.choice(('', 'x', chr(27)))}"] = chance.choice(ODD)
    elif way == 3:
        value[chance.choice(("", "tomorrow", "\x1b[1m", "close_wait", "x" * 300))] = value.pop(key)
    else:
        value[key] = _value(chance, value[key], depth + 1)
    return value


def _in_list(chance: random.Random, value: list[Any], depth: int) -> Any:
    at = chance.randrange(len(value))
    way = chance.randrange(8)
    if way == 0:
        del value[at]
    elif way == 1:
        value.insert(at, chance.choice(ODD))
    elif way == 2:
        value = value + value
    elif way == 3:
        value = [value[at]] * chance.choice((2, 50, 3000))
    else:
        value[at] = _value(chance, value[at], depth + 1)
    return value


# --- lines and bytes -----------------------------------------------------------------------------------


def _lines(chance: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """A line is gone, there twice or a thousand times, elsewhere, or from another input."""
    lines = data.split(b"\n")
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    way = chance.randrange(6)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(other, lines[at])
    elif way == 2:
        lines[at:at] = [lines[at]] * chance.choice((2, 20, 1000))
    elif way == 3:
        lines[at], lines[other] = lines[other], lines[at]
    elif way == 4:
        lines[at] = chance.choice(chance.choice(seeds).split(b"\n"))
    else:
        lines = lines[:at]
    return b"\n".join(lines)


def _bytes(chance: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """Bytes are flipped, cut out, put in or repeated."""
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + chance.choice((1, 2, 4, 16, 200)))
    way = chance.randrange(6)
    if way == 0:
        return data[:at] + data[end:]
    if way == 1:
        return data[:at] + bytes(chance.randrange(256) for _ in range(end - at)) + data[end:]
    if way == 2:
        return data[:at] + chance.choice(PIECES) + data[at:]
    if way == 3:
        return data[:at] + chance.choice(PIECES) + data[end:]
    if way == 4:
        return data[:at]
    return data[:at] + data[at:end] * chance.choice((2, 10, 500)) + data[end:]


def _numbers(chance: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """A binary number is 0, small, or as large as it can be."""
    if len(data) < 4:
        return _bytes(chance, data, seeds)
    size = chance.choice((1, 2, 4))
    at = chance.randrange(len(data) - size + 1)
    number = chance.choice((0, 1, 3, 4, 15, 16, 2**7, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1)) % 2 ** (8 * size)
    return data[:at] + number.to_bytes(size, chance.choice(("little", "big"))) + data[at + size :]


def _spliced(chance: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """The beginning of one input and the end of another."""
    other = chance.choice(seeds)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


_WAYS: tuple[Mutation, ...] = (_json, _json, _json, _json, _lines, _lines, _bytes, _bytes, _numbers, _spliced)
