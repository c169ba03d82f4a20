"""HTTP/2: so many events, then RST_STREAM with an error code (internal-error, cancel, refused-stream, ...)."""

from __future__ import annotations

from hermes_diag.provider.exchange import Exchange

NEEDS_TLS = True
NEEDS_HTTP2 = True
#: RFC 9113, 7: those with which a server ends one stream.
CODES = {
    "no-error": 0, "protocol-error": 1, "internal-error": 2, "flow-control-error": 3, "stream-closed": 5,
    "refused-stream": 7, "cancel": 8, "enhance-your-calm": 11, "http-1-1-required": 13,
}  # fmt: skip


async def answer(exchange: Exchange, after: int = 3, code: str = "internal-error") -> None:
    stream = exchange.stream
    assert stream is not None  # NEEDS_HTTP2
    if after:
        exchange.start()
        exchange.send(*exchange.events()[:after])
    exchange.raw(stream.reset(CODES[code]))


def check(after: int, code: str) -> None:
    if code not in CODES:
        raise ValueError(f"code is one of {', '.join(CODES)}")
