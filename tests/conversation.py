"""What a wire makes of bytes, for the tests and for the fuzzer, which runs where there is no pytest."""

from __future__ import annotations

from hermes_diag.provider.protocols.http1 import MAX_BODY, BadRequest, Wire
from hermes_diag.provider.protocols.http2 import ASKED, REFUSED, Broken, Session
from hermes_diag.provider.protocols.request import Request


def requests_of(pieces: list[bytes]) -> list[Request | int]:
    """What a wire makes of the pieces: requests, each answered at once, and at the end perhaps a status."""
    wire, found = Wire(), []
    try:
        for piece in pieces:
            one = wire.feed(piece)
            while one is not None:
                found.append(one)
                wire.head(200, (("content-length", "0"),))
                wire.end()
                one = wire.next()
    except BadRequest as bad:
        found.append(bad.status)
    return found


def streams_of(pieces: list[bytes], limit: int = MAX_BODY) -> tuple[list[tuple[str, int, Request]], bytes, bool]:
    """What a session of HTTP/2 makes of the pieces: what it says of which stream, each request answered at once;
    all that it sends; whether the connection is broken."""
    session, said, sent = Session(limit, clock=lambda: 0.0), [], b""
    try:
        for piece in pieces:
            for what, stream in session.feed(piece):
                said.append((what, stream.number, stream.request))
                if what is ASKED:
                    sent += stream.head(200, (("content-length", "300"),)) + stream.data(b"x" * 300) + stream.end()
                elif what is REFUSED:
                    sent += stream.refuse((("content-length", "5"),), b"error")
    except Broken:
        return said, sent + session.outgoing(), True
    return said, sent + session.outgoing(), False
