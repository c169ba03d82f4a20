"""What is sent on an HTTP/2 connection, and on each of its streams. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from hermes_diag.provider.protocols import frames
from hermes_diag.provider.protocols.http1 import SENDING, SENT, WAITING, Misuse
from hermes_diag.provider.protocols.request import Request
from hermes_diag.provider.protocols.room import Share


class Stream:
    """One request, and the wire of the response to it: its methods are those of `http1.Wire`.

    What the client's flow-control window does not let out is kept until the window opens.
    """

    def __init__(self, session: Sender, number: int, request: Request, share: Share) -> None:
        """share: of the room for bodies."""
        self.session = session
        self.share = share
        self.number = number
        self.request = request
        self.state = WAITING
        self.closes = False  # the connection ends with this response
        self.status = 0  # with which the request is refused
        self.whole = False  # nothing more of the request is to come
        self.body: list[bytes] = []
        self.size = 0
        self._kept = bytearray()
        self._ended = False  # our last frame is out

    @property
    def pending(self) -> int:
        """Bytes that the client's window does not let out; at least 1 as long as the end is not out."""
        return len(self._kept) or int(self.state is SENT and not self._ended)

    def head(self, status: int, headers: Iterable[tuple[str, str]], close: bool = False) -> bytes:
        """Status and headers. close: the connection ends with this response."""
        if self.state is not WAITING:
            raise Misuse(f"a head while {self.state}")
        self.state, self.closes = SENDING, close
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self.session.machine.send_headers(self.number, [(b":status", b"%d" % status), *fields])
        return self.session.outgoing()

    def data(self, body: bytes) -> bytes:
        """A piece of the body, as far as the window lets it out."""
        if self.state is not SENDING:
            raise Misuse(f"a body while {self.state}")
        if self.request.method != "HEAD":
            self._kept += body
        self.go_on()
        return self.session.outgoing()

    def end(self) -> bytes:
        """The end of the body."""
        if self.state is not SENDING:
            raise Misuse(f"an end while {self.state}")
        self.state = SENT
        self.go_on()
        return self.session.outgoing()

    def go_on(self) -> None:
        """Let out what the window allows of what was kept."""
        machine = self.session.machine
        window = machine.local_flow_control_window(self.number) if self._kept else 0
        while self._kept and window > 0:
            piece = bytes(self._kept[: min(window, frames.MAX_FRAME)])
            del self._kept[: len(piece)]
            window -= len(piece)
            machine.send_data(self.number, piece)
        if self.state is SENT and not self._kept and not self._ended:
            self._ended = True
            machine.end_stream(self.number)
            self.session.part_with(self)

    def refuse(self, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
        """The whole response to a request that is refused; a client that still sends its body is told to stop."""
        sent = self.head(self.status, headers) + self.data(body) + self.end()
        return sent if self.whole else sent + self.reset(ErrorCodes.NO_ERROR)  # as RFC 9113 wants it, 8.1

    def reset(self, code: int) -> bytes:
        """RST_STREAM with an error code; nothing more can be sent on this stream."""
        self._kept.clear()
        self._ended = True
        self.session.machine.reset_stream(self.number, code)
        self.session.part_with(self)
        return self.session.outgoing()

    def forget_body(self) -> None:
        """The body of the request is not needed any more."""
        self.body, self.size = [], 0
        self.share.free()


class Sender:
    """The sending side of one connection."""

    def __init__(self) -> None:
        self.machine = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.machine.initiate_connection()
        self.streams: dict[int, Stream] = {}  # those whose request or response is not over
        self.farewell = b""  # the GOAWAY that ends the connection, until it is sent
        self.last: int | None = None  # a GOAWAY has said that streams above are not answered

    def outgoing(self) -> bytes:
        """Bytes that must be sent."""
        farewell, self.farewell = self.farewell, b""
        return self.machine.data_to_send() + farewell

    def goaway(self, including: int | None = None) -> bytes:
        """A GOAWAY: streams above that number (None: any that comes later) are not answered."""
        self.last = self.machine.highest_inbound_stream_id if including is None else including
        return frames.goaway(self.last, ErrorCodes.NO_ERROR)

    def shrink(self, streams: int, window: int) -> bytes:
        """SETTINGS: so many streams at the same time from now on, and so many bytes of a body ahead."""
        new: dict[SettingCodes | int, int] = {
            SettingCodes.MAX_CONCURRENT_STREAMS: streams,
            SettingCodes.INITIAL_WINDOW_SIZE: window,
        }
        self.machine.update_settings(new)
        return self.outgoing()

    def part_with(self, stream: Stream) -> None:
        """Nothing more is sent on a stream."""
        stream.share.free()
        self.streams.pop(stream.number, None)
