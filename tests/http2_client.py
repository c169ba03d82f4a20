"""A client that speaks HTTP/2 by hand over TLS. No test of its own."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import struct
import zlib
from collections import defaultdict
from typing import Any

import h2.connection
import h2.errors
import h2.events
import h2.settings
import hpack
from provider_tools import BARE_FIN, BODY, FIN, PATIENCE, RESET, SILENT, Heard, trusting

from hermes_diag.provider import Provider

#: How a stream ends, beside FIN, RESET and SILENT of its connection.
STREAM_RESET = "stream reset"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4
POST = ((":method", "POST"), (":scheme", "https"), (":authority", "127.0.0.1"), (":path", "/v1/responses?x=1"))


def frame(kind: int, number: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, number) + payload


def block(*headers: tuple[str, str]) -> bytes:
    """A header list that needs no table: any order of frames can be decoded."""
    encoder = hpack.Encoder()
    return encoder.encode([hpack.NeverIndexedHeaderTuple(*header) for header in headers], huffman=False)


def opening(number: int = 1, *more: tuple[str, str], flags: int = END_HEADERS | END_STREAM) -> bytes:
    return frame(HEADERS, number, block(*POST, *more), flags)


def asking_for(context: ssl.SSLContext, *protocols: str) -> ssl.SSLContext:
    context.set_alpn_protocols(protocols)
    return context


class Http2:
    """One connection. What h2 would not send can be sent with `socket.sendall`. Context manager.

    settings: the client's own, by code. grants: whether it opens its flow-control windows again as it reads.
    """

    def __init__(self, provider: Provider, settings: dict[int, int] | None = None, grants: bool = True) -> None:
        context = asking_for(trusting(provider), "h2", "http/1.1")
        plain = socket.create_connection(provider.address, PATIENCE)
        self.socket = context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.grants = grants
        self.heard: dict[int, Heard] = defaultdict(Heard)
        self.codes: dict[int, int] = {}  # of streams that were reset
        self.goaways: list[tuple[int, int]] = []  # (code, last stream)
        self.pongs = 0
        self.ended = ""  # how the connection ended
        self.frames = 0  # DATA frames
        self.rest = b""  # of the bytes that came: a frame that is not whole
        self.machine = h2.connection.H2Connection()
        for code, value in (settings or {}).items():
            self.machine.local_settings[code] = value
            self.machine.local_settings.acknowledge()
        self.machine.initiate_connection()
        self.flush()

    def __enter__(self) -> Http2:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.socket.sendall(self.machine.data_to_send())

    def send(
        self, body: Any = BODY, path: str = "/v1/responses", method: str = "POST", whole: bool = True, **headers: str
    ) -> int:
        """A request, at once; the number of its stream. whole: end the request."""
        number = self.machine.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "https"), (":authority", "127.0.0.1"), (":path", path)]
        fields += [(name.replace("_", "-"), value) for name, value in headers.items()]
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.machine.send_headers(number, fields)
        if data or whole:
            self.machine.send_data(number, data, end_stream=whole)
        self.flush()
        return number

    def ask(self, *arguments: Any, silence: float = PATIENCE, **options: Any) -> Heard:
        """Send a request and listen until its response is whole, or until an end."""
        return self.listen(self.send(*arguments, **options), silence)

    def listen(self, number: int, silence: float = PATIENCE) -> Heard:
        heard = self.heard[number]
        while not heard.whole and not heard.end:
            end = self.hear(silence)
            heard.end = heard.end or end
        if heard.headers.get("content-encoding") == "gzip":
            heard.body = zlib.decompressobj(wbits=31).decompress(bytes(heard.raw))
        return heard

    def hear(self, silence: float = PATIENCE) -> str:
        """Take what comes next; how the connection ended, "" when it did not."""
        if not self.socket.pending() and not select.select([self.socket], [], [], silence)[0]:
            return SILENT
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            self.ended = RESET
        except ssl.SSLError as exc:  # a RST, too: docs/provider.md
            if not isinstance(exc, ssl.SSLEOFError) and exc.reason != BARE_FIN:
                raise
            self.ended = RESET
        else:
            self.ended = "" if data else FIN
            if data:
                self._understand(data)
                self.flush()
        return self.ended

    def until_end(self, silence: float = PATIENCE) -> str:
        """How the connection stands: fin, reset or silent."""
        while not (end := self.hear(silence)):
            pass
        return end

    def _understand(self, data: bytes) -> None:
        self.rest += data
        while len(self.rest) >= 9 and len(self.rest) >= (size := 9 + int.from_bytes(self.rest[:3], "big")):
            frame, self.rest = self.rest[:size], self.rest[size:]
            if frame[3] == 7:  # GOAWAY, after which h2 would read nothing more
                last, code = struct.unpack("!II", frame[9:17])
                self.goaways.append((code, last))
            else:
                self._act(frame)

    def _act(self, frame: bytes) -> None:
        for event in self.machine.receive_data(frame):
            number = getattr(event, "stream_id", None) or 0
            heard = self.heard[number]
            if isinstance(event, h2.events.ResponseReceived):
                heard.headers = {name.decode(): value.decode() for name, value in event.headers}
                heard.status = int(heard.headers[":status"])
            elif isinstance(event, h2.events.DataReceived):
                self.frames += 1
                heard.raw += event.data
                heard.body += event.data
                if self.grants:
                    self.machine.acknowledge_received_data(event.flow_controlled_length, number)
            elif isinstance(event, h2.events.StreamEnded):
                heard.whole = True
            elif isinstance(event, h2.events.StreamReset):
                heard.end, self.codes[number] = STREAM_RESET, int(event.error_code)
            elif isinstance(event, h2.events.PingAckReceived):
                self.pongs += 1
