"""HTTP/2 frames as bytes: where one ends, and those written by hand. No I/O, and no h2, which few need loaded."""

from __future__ import annotations

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: Bytes of a frame without its header: the least that a peer must take, and the most that we do.
MAX_FRAME = 16384
DATA, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 2, 3, 4, 6, 7
LAST_KNOWN = 9  # CONTINUATION
ACK = 1
HTTP_1_1_REQUIRED = 0xD
_HEAD = 9


class TooLong(Exception):
    """A frame of more than MAX_FRAME bytes. It is refused before it has arrived."""


class NoPreface(Exception):
    """The connection does not begin as HTTP/2 must."""


class Cutter:
    """Cuts bytes into whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.greeted = False  # the preface has come

    def add(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> bytes:
        """The next whole frame; b"" when it is not here yet. Raises TooLong, NoPreface."""
        if not self.greeted:
            return self._after_preface()
        if len(self._buffer) < _HEAD:
            return b""
        length = int.from_bytes(self._buffer[:3], "big")
        if length > MAX_FRAME:
            raise TooLong
        return self._taken(_HEAD + length)

    def _after_preface(self) -> bytes:
        if not PREFACE.startswith(self._buffer[: len(PREFACE)]):
            raise NoPreface
        self.greeted = bool(self._taken(len(PREFACE)))
        return self.next() if self.greeted else b""

    def _taken(self, size: int) -> bytes:
        if len(self._buffer) < size:
            return b""
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece


def head_of(piece: bytes) -> tuple[int, int, int]:
    """(type, flags, number of the stream) of a whole frame."""
    return piece[3], piece[4], int.from_bytes(piece[5:9], "big") & 0x7FFFFFFF


def frame(kind: int, payload: bytes) -> bytes:
    """A frame of the connection as such, without flags."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, 0, 0) + payload


def goaway(last: int, code: int, words: bytes = b"") -> bytes:
    """A GOAWAY: streams above `last` are not answered. words: for whoever debugs the client."""
    return frame(GOAWAY, struct.pack("!II", last, code) + words)


def not_here() -> bytes:
    """The answer to a client that speaks HTTP/2 where only HTTP/1.1 is spoken."""
    words = b"HTTP/2 is spoken over TLS only, where ALPN has chosen h2"
    return frame(SETTINGS, b"") + goaway(0, HTTP_1_1_REQUIRED, words)
