"""What a client sends: HTTP/1.1, HTTP/2, WebSockets, and what it asks of a proxy. Whole or cut, they say the same."""

from __future__ import annotations

from conversation import requests_of, streams_of
from websocket_conversation import conversation

from hermes_diag.provider.protocols.frames import PREFACE
from hermes_diag.provider.protocols.proxy_head import HeadReader, Refused

READS = (
    "hermes_diag.provider.protocols.http1",
    "hermes_diag.provider.protocols.http2",
    "hermes_diag.provider.protocols.websocket",
    "hermes_diag.provider.protocols.proxy_head",
)
ALLOWED = (Refused,)

_HTTP2 = (
    bytes.fromhex("00000004000000000000001e010500000001")
    + b"\x82\x86\x84\x41\x8a\x08\x9d\x5c\x0b\x81\x70\xdc\x78\x0f\x03"
)


def seeds() -> list[bytes]:
    post = b"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
    return [
        b"\x20" + post * 2,
        b"\x09"
        + post.replace(b"content-length: 2", b"transfer-encoding: chunked").replace(b"{}", b"2\r\n{}\r\n0\r\n\r\n"),
        b"\x10" + _HTTP2,
        b"\x03\x81\x85\x01\x02\x03\x04" + bytes(byte ^ (1 + at % 4) for at, byte in enumerate(b"hello")),
        b"\x05CONNECT 127.0.0.1:80 HTTP/1.1\r\nhost: x\r\n\r\n",
    ]


def run(data: bytes) -> str:
    if len(data) < 2:
        return ""
    cut, rest = data[0], data[1:65536]
    pieces = [piece for piece in (rest[:cut], rest[cut:]) if piece]
    assert requests_of([rest]) == requests_of(pieces)
    assert streams_of([PREFACE, rest]) == streams_of([PREFACE, *pieces])
    assert conversation([rest], deflate=bool(cut % 2)) == conversation(pieces, deflate=bool(cut % 2))
    HeadReader().feed(rest)
    return ""
