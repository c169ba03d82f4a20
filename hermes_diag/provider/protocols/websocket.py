"""A WebSocket (RFC 6455) without I/O: an upgrade request and bytes in, whole text messages out. No sockets.

The protocol is that of the `websockets` library: the handshake, permessage-deflate, frames, pongs, close codes and
limits, which hold for what is inflated, too. What is sent is framed by its `Frame`, not by its state machine, so
that a fault can send what a correct peer would not, and leave out what it would.
"""

from __future__ import annotations

import logging

from websockets.datastructures import Headers
from websockets.exceptions import ProtocolError
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import OPEN, SEND_EOF, Protocol, Side
from websockets.server import ServerProtocol

from hermes_diag.provider.protocols.request import Request

#: Close codes that a fault may ask for: 1006 is the end without a close frame.
NORMAL, GOING_AWAY, ABNORMAL = 1000, 1001, 1006
CLOSE_FRAME = "close frame"  # how a WebSocket is closed that says so
#: A window of 4 KB and little memory: with zlib's defaults a connection would hold 300 KB, with these 45.
_DEFLATE = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)
#: The same without the limit of the client's window, which a client must have offered.
_DEFLATE_PLAIN = ServerPerMessageDeflateFactory(server_max_window_bits=12, compress_settings={"memLevel": 5})
#: Says nothing, whatever the program has set up for logs: a log of frames would hold prompts.
_SILENT = logging.Logger("hermes_diag.websocket", logging.CRITICAL + 1)


class _Messages(Protocol):
    """Joins frames to messages as they are read: what is wrong with one is said before the next frame is looked at."""

    def __init__(self, max_message: int) -> None:
        super().__init__(Side.SERVER, max_size=max_message, logger=_SILENT)
        self.texts: list[bytes] = []
        self._most = max_message
        self._message = bytearray()  # whose last fragment has not come
        self._binary = False

    def recv_frame(self, frame: Frame) -> None:
        super().recv_frame(frame)
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._binary = frame.opcode is Opcode.BINARY
        self._message += frame.data
        if frame.fin:
            message, self._message = bytes(self._message), bytearray()
            self._take(message)

    def _take(self, message: bytes) -> None:
        if self._binary:
            self.fail(CloseCode.UNSUPPORTED_DATA, "text messages only")
            return
        if sum(map(len, self.texts)) + len(message) > self._most:  # inflated from a few KB that came in one go
            self.fail(CloseCode.MESSAGE_TOO_BIG)
            return
        try:
            message.decode()
        except UnicodeDecodeError:
            self.fail(CloseCode.INVALID_DATA)
        else:
            self.texts.append(message)


class WebSocket:
    """The protocol state of one upgraded connection. max_message in bytes; a longer one is closed with 1009.

    pongs: False leaves pings unanswered. silent: True answers nothing.
    sends_fin: False keeps the connection open after the close frames. lifetime in seconds, most_turns: after which the
    provider ends it; None and 0 are no limit.
    """

    def __init__(self, max_message: int) -> None:
        self._protocol = _Messages(max_message)
        self.pongs = True
        self.silent = False
        self.sends_fin = True
        self.lifetime: float | None = None
        self.most_turns = 0

    def accept(self, request: Request) -> tuple[int, bytes]:
        """The status of the answer to an upgrade, and with 101 its bytes; b"" for a request that is no valid one."""
        handshake = ServerProtocol(extensions=[_DEFLATE, _DEFLATE_PLAIN], logger=_SILENT)
        response = handshake.accept(Handshake(request.path, Headers(request.headers.items())))
        if response.status_code != 101:
            return response.status_code, b""
        self._protocol.extensions = handshake.extensions
        return 101, response.serialize()

    # --- what the client sends --------------------------------------------------------------------

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; the text messages that are whole now, as UTF-8. What is to be answered is in `pending`."""
        protocol = self._protocol
        protocol.receive_data(data)
        protocol.events_received()  # the frames, of which there is no further use
        texts, protocol.texts = protocol.texts, []
        return texts

    def pending(self) -> bytes:
        """What the protocol itself has to send: pongs, a close frame."""
        frames = []
        for data in self._protocol.data_to_send():
            if data != SEND_EOF and (self.pongs or data[0] & 0x0F != Opcode.PONG):
                frames.append(data)
        return b"" if self.silent else b"".join(frames)

    @property
    def closes(self) -> bool:
        """A close frame was sent, by either side: nothing more is said."""
        return self._protocol.state is not OPEN

    @property
    def closed_by_client(self) -> bool:
        """The first close frame was the client's."""
        return self._protocol.close_rcvd is not None and bool(self._protocol.close_rcvd_then_sent)

    @property
    def ended(self) -> bool:
        """The provider is to send its FIN now."""
        return self.closes and self.sends_fin and not self.silent

    # --- what the provider sends ------------------------------------------------------------------

    def text(self, data: bytes) -> bytes:
        """One text message in one frame. The data may be what no text message may hold."""
        return self._frame(Opcode.TEXT, data)

    def ping(self) -> bytes:
        return self._frame(Opcode.PING, b"")

    def close(self, code: int) -> bytes:
        """A close frame; b"" when there was one."""
        if self.closes:
            return b""
        self._protocol.send_close(code)
        return b"".join(self._protocol.data_to_send())

    def _frame(self, opcode: Opcode, data: bytes) -> bytes:
        return Frame(opcode, data).serialize(mask=False, extensions=self._protocol.extensions)


def oversized(claimed: int) -> bytes:
    """The header of a text frame that claims so many bytes."""
    return b"\x81\x7f" + claimed.to_bytes(8, "big")


def check_code(code: int) -> None:
    """Raise ValueError for a code that no close frame may have."""
    try:
        Close(code, "").check()
    except ProtocolError:
        raise ValueError(f"{code} is no close code that can be sent; 1000, 1001, 1011 and 4000 are") from None
