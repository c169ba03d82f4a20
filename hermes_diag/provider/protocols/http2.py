"""HTTP/2 without I/O: bytes in, requests out; responses in, bytes out. No sockets.

One Session is one connection, one Stream is one request on it and the response to it. The frames are read and
written by h2. It is fed one frame at a time, so that what it says of a frame is acted on before the next one is
looked at, and so that three things can be done that it does not do: a frame that is too long is refused before it
has arrived, a client that only costs is sent away, and a client's GOAWAY does not stop the answers it still waits for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from hermes_diag.provider.protocols import coding, frames
from hermes_diag.provider.protocols.http1 import MAX_BODY, origin_form
from hermes_diag.provider.protocols.request import Request
from hermes_diag.provider.protocols.room import Room, Share
from hermes_diag.provider.protocols.stream import Sender, Stream

#: Frames that ask for nothing and still cost (a PING, a reset, SETTINGS), within so many seconds: with more, the
#: connection ends. A client that abandons each request as fast as it can sends fewer.
MAX_CHATTER, CHATTER_SECONDS = 1000, 10.0

#: What `Session.feed` says of a stream.
BEGUN, ASKED, REFUSED, LEFT, ROOM = "begun", "asked", "refused", "left", "room"

_COSTS = (frames.PRIORITY, frames.RST_STREAM, frames.SETTINGS, frames.PING, frames.GOAWAY)


class Broken(Exception):
    """The connection must end. `Session.outgoing` has the GOAWAY that says why."""


class Session(Sender):
    """The protocol state of one connection.

    max_body in bytes. window: bytes of a body that the client may send, and no more of them later; None: as many
    as there are. deaf: no PING is answered. clock: seconds. room: for the bodies of all connections together.
    """

    def __init__(
        self,
        max_body: int = MAX_BODY,
        window: int | None = None,
        deaf: bool = False,
        clock: Callable[[], float] = time.monotonic,
        room: Room | None = None,
    ) -> None:
        super().__init__()
        if window is not None:
            self.machine.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self._gives_back = window is None
        self._max_body = max_body
        self._room = room or Room(max(max_body, MAX_BODY))
        self._deaf = deaf
        self._clock = clock
        self._chatter, self._since = 0, clock()  # frames that asked for nothing, and from when they are counted
        self._cutter = frames.Cutter()
        self._greeted = False  # h2 has been told of the preface
        self.client_leaves = False  # a GOAWAY of the client has said that it asks for nothing more

    # --- what arrives ----------------------------------------------------------------------------

    def feed(self, data: bytes) -> Iterator[tuple[str, Stream]]:
        """Take bytes; what they say of which stream, each to be acted on before the next is asked for:

        BEGUN: its headers are here; ASKED: its request is whole; REFUSED: it is to be answered with its `status`;
        LEFT: the client has reset it; ROOM: more of its response has gone out. Raises Broken.
        """
        self._cutter.add(data)
        while piece := self._next_frame():
            if self._is_for_machine(piece):
                for event in self._events(piece):
                    yield from self._understood(event)

    def _next_frame(self) -> bytes:
        try:
            return self._cutter.next()
        except frames.TooLong:
            raise self._end(ErrorCodes.FRAME_SIZE_ERROR) from None
        except frames.NoPreface:
            raise self._end(ErrorCodes.PROTOCOL_ERROR) from None

    def _events(self, piece: bytes) -> list[Event]:
        preface = b"" if self._greeted else frames.PREFACE
        self._greeted = True
        try:
            return self.machine.receive_data(preface + piece)
        except ProtocolError:
            raise Broken from None

    def _is_for_machine(self, piece: bytes) -> bool:
        kind, flags, number = frames.head_of(piece)
        late = kind == frames.DATA and number not in self.streams
        if late or kind in _COSTS or kind > frames.LAST_KNOWN:
            self._count_chatter()
        if kind == frames.GOAWAY:  # h2 would let us answer nothing more, although the client waits for answers
            self.client_leaves = True
            return False
        return not (kind == frames.PING and self._deaf and not flags & frames.ACK)

    def _count_chatter(self) -> None:
        if self._clock() - self._since > CHATTER_SECONDS:
            self._chatter, self._since = 0, self._clock()
        self._chatter += 1
        if self._chatter > MAX_CHATTER:
            raise self._end(ErrorCodes.ENHANCE_YOUR_CALM)

    def _end(self, code: ErrorCodes) -> Broken:
        self.farewell = frames.goaway(self.machine.highest_inbound_stream_id, code)
        return Broken()

    def _understood(self, event: Event) -> Iterator[tuple[str, Stream]]:
        if isinstance(event, RequestReceived):
            if self.last is None or event.stream_id <= self.last:
                yield from self._begun(event)
        elif isinstance(event, DataReceived):
            yield from self._take(event)
        elif isinstance(event, StreamEnded):
            stream = self.streams.get(event.stream_id)
            if stream is not None and not stream.status:
                yield self._complete(stream)
        elif isinstance(event, StreamReset):
            stream = self.streams.get(event.stream_id)
            if stream is not None:
                self.part_with(stream)
                yield LEFT, stream
        elif isinstance(event, (WindowUpdated, RemoteSettingsChanged)):
            for stream in [stream for stream in self.streams.values() if stream.pending]:
                stream.go_on()
                yield ROOM, stream

    def _begun(self, event: RequestReceived) -> Iterator[tuple[str, Stream]]:
        stream = Stream(self, event.stream_id, _request(event.headers or []), Share(self._room))
        self.streams[stream.number] = stream
        yield BEGUN, stream
        request, length = stream.request, stream.request.headers.get("content-length", "0")
        if request.method == "CONNECT":
            yield self._refused(stream, 501, event)
        elif len(length) > 18 or int(length) > self._max_body:
            yield self._refused(stream, 413, event)
        elif request.headers.get("expect", "").lower() == "100-continue" and event.stream_ended is None:
            self.machine.send_headers(stream.number, [(b":status", b"100")])

    def _take(self, event: DataReceived) -> Iterator[tuple[str, Stream]]:
        if self._gives_back and event.flow_controlled_length:
            self.machine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if not event.data and event.stream_ended is None:
            self._count_chatter()
        stream = self.streams.get(event.stream_id)
        if stream is None or stream.status:
            return
        stream.body.append(event.data)
        stream.size += len(event.data)
        if stream.size > self._max_body:
            yield self._refused(stream, 413, event)
        elif not stream.share.take(len(event.data)):
            yield self._refused(stream, 503, event)

    def _refused(self, stream: Stream, status: int, event: RequestReceived | DataReceived) -> tuple[str, Stream]:
        stream.forget_body()
        stream.status, stream.whole = status, event.stream_ended is not None
        return REFUSED, stream

    def _complete(self, stream: Stream) -> tuple[str, Stream]:
        stream.whole = True
        headers, body = dict(stream.request.headers), b"".join(stream.body)
        stream.forget_body()
        try:
            body = coding.plain(body, headers.pop("content-encoding", ""), self._max_body)
        except coding.Undecodable as exc:
            stream.status = exc.status
            return REFUSED, stream
        stream.size = len(body)
        if not stream.share.take(stream.size):  # a small body may have become a large one
            stream.size, stream.status = 0, 503
            return REFUSED, stream
        stream.request = replace(stream.request, headers=headers, body=body)
        return ASKED, stream

    def lost(self) -> None:
        """The connection is gone: nothing of what has come is needed any more."""
        for stream in self.streams.values():
            stream.forget_body()

    @property
    def arriving(self) -> bool:
        """Whether a request is on its way."""
        return any(not stream.whole and not stream.status for stream in self.streams.values())


def _request(headers: Iterable[tuple[bytes, bytes]]) -> Request:
    fields = {bytes(name).decode("latin-1"): bytes(value).decode("latin-1") for name, value in headers}
    path, _, query = origin_form(fields.get(":path", "")).partition("?")
    named = {name: value for name, value in fields.items() if not name.startswith(":")}
    if ":authority" in fields:
        named["host"] = fields[":authority"]  # as a client of HTTP/1.1 says it
    return Request(fields.get(":method", ""), path, named, b"", query, "2")
