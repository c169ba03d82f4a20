"""TOML of a file that may be anything: tomllib, but for what would take it minutes. Pure."""

from __future__ import annotations

import re
import tomllib
from typing import Any

#: Bytes of a file at most.
MAX_BYTES = 1 << 20
#: Parts of a key, each with its dot, and how many there may be: for each tomllib copies those before it.
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_KEY, _ONE, _MOST = re.compile(rf"(?<![\w-])(?:{_PART})++"), re.compile(_PART), 200


def loads(text: str) -> dict[str, Any]:
    """The document. Raises TOMLDecodeError; ValueError for a number of thousands of digits; RecursionError."""
    for key in _KEY.finditer(text):
        if len(_ONE.findall(key[0])) > _MOST:
            line = text.count("\n", 0, key.start()) + 1
            raise tomllib.TOMLDecodeError(f"A key of more than {_MOST} parts (at line {line}, column 1)")
    return tomllib.loads(text)
