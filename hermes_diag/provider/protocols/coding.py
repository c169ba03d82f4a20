"""Takes the content-encoding off the body of a request: gzip, deflate, and zstd where this Python can. Pure.

A small body may become a very large one: no more than so many bytes are ever made of it.
"""

from __future__ import annotations

import importlib
import zlib
from typing import Any, Protocol

#: Content-codings that one body may have, one over the other.
_MOST = 4
#: Members that one body may have, one behind the other: each costs a copy of all that follow.
_MEMBERS = 100


class Undecodable(Exception):
    """status: 413, it becomes too large; 415, a coding that is not known here; 400, it is not what it says."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class _Machine(Protocol):
    """What zlib and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, most: int, /) -> bytes: ...


def plain(body: bytes, encoding: str, most: int) -> bytes:
    """The body without its codings. encoding: the header, "" for none; most: bytes that it may have then.

    Raises Undecodable.
    """
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    if len(names) > _MOST:
        raise Undecodable(415)
    for name in reversed(names):
        if name != "identity":
            body = _without(name, body, most)
    return body


def _without(name: str, body: bytes, most: int) -> bytes:
    parts: list[bytes] = []
    left = most
    while body or not parts:
        if len(parts) == _MEMBERS:
            raise Undecodable(400)
        machine = _machine(name, body)
        try:
            part = machine.decompress(body, left + 1)
        except Exception as exc:  # zlib.error, and each library of zstd has an error of its own
            raise Undecodable(400) from exc
        if len(part) > left:
            raise Undecodable(413)
        if not machine.eof:
            raise Undecodable(400)
        left -= len(part)
        parts.append(part)
        body = machine.unused_data
    return b"".join(parts)


def _machine(name: str, body: bytes) -> _Machine:
    if name in ("gzip", "x-gzip"):
        return zlib.decompressobj(wbits=31)
    if name == "deflate":
        # With the header of zlib as the standard has it, or without as some send it (RFC 9110, 8.4.1.2).
        has_header = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2]) % 31 == 0
        return zlib.decompressobj(wbits=15 if has_header else -15)
    if name == "zstd" and (library := zstd()) is not None:
        machine: _Machine = library.ZstdDecompressor()
        return machine
    raise Undecodable(415)


def zstd() -> Any:
    """The zstd of the standard library (Python 3.14) or its backport; None where there is neither."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None
