"""HTTP/1.1 without I/O: bytes in, requests out; responses in, bytes out. On h11, no sockets.

One Wire is one connection. A request is handed out when it is whole; the next one, even if its bytes
are already here (pipelining), only after `next()`, since a response must be finished first.
"""

from __future__ import annotations

from dataclasses import dataclass

import h11

#: Bytes of request line and headers that are still taken.
MAX_HEAD = 64 * 1024


@dataclass(frozen=True)
class Request:
    """A whole request. It lives for one exchange; nothing of it but counts is kept."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class BadRequest(Exception):
    """The peer does not speak HTTP/1.1; `status` is what to answer before closing."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Wire:
    """The protocol state of one connection."""

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._head: h11.Request | None = None
        self._body: list[bytes] = []

    def feed(self, data: bytes) -> Request | None:
        """Take bytes (b"" is the peer's FIN); the next request if it is whole now.

        Raises BadRequest when the bytes are no HTTP/1.1.
        """
        try:
            self._h11.receive_data(data)
        except h11.RemoteProtocolError as exc:
            raise BadRequest(exc.error_status_hint) from None
        return self._next_whole()

    def next(self) -> Request | None:
        """The response is out: start the next cycle; the next request if it is here already."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return None
        self._h11.start_next_cycle()
        return self._next_whole()

    def _next_whole(self) -> Request | None:
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as exc:
                raise BadRequest(exc.error_status_hint) from None
            if isinstance(event, h11.Request):
                self._head, self._body = event, []
            elif isinstance(event, h11.Data):
                self._body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                head = self._head
                assert head is not None
                return Request(
                    head.method.decode("ascii"),
                    head.target.decode("ascii").partition("?")[0],
                    {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers},
                    b"".join(self._body),
                )
            else:  # NEED_DATA, PAUSED or ConnectionClosed: nothing more for now
                return None

    @property
    def expects_continue(self) -> bool:
        """Whether the peer waits for a 100 before it sends its body."""
        return bool(self._h11.they_are_waiting_for_100_continue)

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection can carry another request once this response is out."""
        return self._h11.our_state is not h11.MUST_CLOSE and self._h11.our_state is not h11.CLOSED

    def go_on(self) -> bytes:
        """100 Continue."""
        return self._h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b""

    def head(self, status: int, headers: list[tuple[str, str]]) -> bytes:
        """Status line and headers; without a content-length the body will be chunked."""
        return self._h11.send(h11.Response(status_code=status, headers=headers)) or b""

    def data(self, body: bytes) -> bytes:
        """A piece of the body, framed as the head promised."""
        return self._h11.send(h11.Data(data=body)) or b""

    def end(self) -> bytes:
        """The end of the body."""
        return self._h11.send(h11.EndOfMessage()) or b""
