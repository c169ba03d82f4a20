"""What a wire makes of bytes, for the tests and for the fuzzer, which runs where there is no pytest."""

from __future__ import annotations

from hermes_diag.provider.wire import BadRequest, Request, Wire


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
