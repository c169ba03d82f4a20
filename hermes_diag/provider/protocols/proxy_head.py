"""What a client asks of a proxy, read without I/O: bytes in, a target out. No sockets.

CONNECT 127.0.0.1:8080 HTTP/1.1             a tunnel, for TLS
POST http://127.0.0.1:8080/v1/... HTTP/1.1  a request in plain text, which is passed on as it came
"""

from __future__ import annotations

import re
from typing import NamedTuple

import h11

from hermes_diag.provider.protocols import visitors
from hermes_diag.provider.protocols.http1 import MAX_HEAD

_AUTHORITY = re.compile(r"(?:\[(?P<ip>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253})):(?P<port>[0-9]{1,5})")
_ABSOLUTE = re.compile(r"http://([^/?#@]+)(?:[/?].*)?", re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\n\r?\n")

USE = "this is a proxy: it takes CONNECT HOST:PORT, or a request with its whole http:// URL"


class Refused(Exception):
    """The client is answered with `status` and one line that says why. What it asked for is not repeated."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Asked(NamedTuple):
    """Where the client wants to go. tunnel: by CONNECT. ahead: bytes that are for the target."""

    tunnel: bool
    host: str
    port: int
    ahead: bytes


class HeadReader:
    """Reads the first head on one connection."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Asked | None:
        """Take bytes; what is asked for once its head is whole. Raises Refused."""
        looked_at = max(0, len(self._data) - 3)
        self._data += data
        end = _BLANK_LINE.search(self._data, looked_at)
        if (end.end() if end else len(self._data)) > MAX_HEAD:
            raise Refused(431, f"a head of more than {MAX_HEAD} bytes")
        return _asked(bytes(self._data), end.end()) if end else None


def _asked(data: bytes, size: int) -> Asked:
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    reader.receive_data(data[:size])
    try:
        request = reader.next_event()
    except h11.RemoteProtocolError as exc:
        raise Refused(exc.error_status_hint, "this is no HTTP/1.1 request") from None
    if not isinstance(request, h11.Request):
        raise Refused(400, USE)
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
    if visitors.from_elsewhere(headers.get("origin")):
        raise Refused(403, visitors.FROM_A_PAGE)
    target = request.target.decode("ascii")
    if request.method == b"CONNECT":
        return Asked(True, *_authority(target), data[size:])
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise Refused(400, USE)
    named = absolute[1]
    return Asked(False, *_authority(named if re.search(r":[0-9]+$", named) else f"{named}:80"), data)


def _authority(text: str) -> tuple[str, int]:
    match = _AUTHORITY.fullmatch(text)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise Refused(400, USE)
    return match["ip"] or match["name"], int(match["port"])
