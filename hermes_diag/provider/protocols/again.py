"""A request whose head a client has sent before on the same connection, with another length of its body. Pure.

A client says the same head with each turn; only `content-length` changes. Reading it costs a third of a request's time,
so what h11 made of it the first time is remembered. h11 stays what decides: a head is only known again where every byte
but the digits of that length is the same, and where its body is here, too, and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import h11

from hermes_diag.provider.protocols.request import Request

_LENGTH = re.compile(rb"\r\ncontent-length: ?([0-9]{1,18})\r\n", re.IGNORECASE)
#: Headers with which more hangs on a request than its bytes.
_SPECIAL = frozenset({"connection", "content-encoding", "expect", "transfer-encoding", "upgrade"})


@dataclass(frozen=True)
class Known:
    """A head, as its bytes before and behind the digits of its length, and what was made of it."""

    before: bytes = field(repr=False)
    behind: bytes = field(repr=False)
    head: h11.Request = field(repr=False)
    request: Request = field(repr=False)

    @classmethod
    def of(cls, data: bytes, head: h11.Request, request: Request) -> Known | None:
        """What can be known again of a request that came in these bytes; None where that is not safe."""
        end = data.find(b"\r\n\r\n") + 4
        lines = data[:end]
        # With other ends of lines the head may end elsewhere.
        if end < 4 or not lines.count(b"\r") == lines.count(b"\n") == lines.count(b"\r\n"):
            return None
        lengths = list(_LENGTH.finditer(lines))
        names = [name for name, _ in head.headers]
        if len(lengths) != 1 or names.count(b"content-length") != 1 or not _SPECIAL.isdisjoint(request.headers):
            return None
        start, stop = lengths[0].span(1)
        return cls(lines[:start], lines[stop:], head, replace(request, body=b""))

    def again(self, data: bytes, max_body: int) -> Request | None:
        """The request that these bytes are, if they are one with this head and of at most that many bytes of body."""
        start = len(self.before)
        if not data.startswith(self.before):
            return None
        stop = data.find(b"\r", start, start + 19)
        digits = data[start:stop]
        if stop < 0 or not digits.isdigit() or not data.startswith(self.behind, stop):
            return None
        body, size = data[stop + len(self.behind) :], int(digits)
        if len(body) != size or size > max_body:
            return None
        seen = self.request
        headers = {**seen.headers, "content-length": digits.decode("ascii")}
        return Request(seen.method, seen.path, headers, body, seen.query, seen.version)
