"""A WebSocket client of raw sockets: frames by hand, so that every byte of the provider is seen. No test of its own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from provider_tools import FIN, PATIENCE, RESET, SILENT, trusting

from hermes_diag.provider import Provider

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = base64.b64encode(bytes(range(16))).decode()
ACCEPT = base64.b64encode(hashlib.sha1((KEY + GUID).encode()).digest()).decode()
TURN = {"type": "response.create", "model": "gpt-5", "input": "hi"}


def upgrade(path: str = "/v1/responses", **headers: str | None) -> bytes:
    """An upgrade request; a header that is None is left out."""
    fields: dict[str, str | None] = {
        "host": "127.0.0.1",
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec_websocket_version": "13",
        "sec_websocket_key": KEY,
        "openai_beta": "responses_websockets=2026-02-06",
        **headers,
    }
    lines = [f"GET {path} HTTP/1.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def frame(payload: bytes, opcode: int = TEXT, fin: bool = True, mask: bytes = b"\1\2\3\4") -> bytes:
    """A masked frame, as a client sends it."""
    length = len(payload)
    head = bytes([opcode | (0x80 if fin else 0)])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65536:
        head += b"\xfe" + struct.pack("!H", length)
    else:
        head += b"\xff" + struct.pack("!Q", length)
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def create(**fields: Any) -> bytes:
    """A turn as one frame."""
    return frame(json.dumps({**TURN, **fields}).encode())


@dataclass
class Got:
    """What a client got in one go: frames, and how the connection stands: "", fin, reset or silent."""

    frames: list[tuple[int, bytes]] = field(default_factory=list)
    end: str = ""
    rest: bytes = b""  # bytes that are no whole frame

    @property
    def texts(self) -> list[bytes]:
        return [payload for opcode, payload in self.frames if opcode == TEXT]

    @property
    def messages(self) -> list[Any]:
        """The texts that are JSON."""
        found = []
        for text in self.texts:
            with contextlib.suppress(ValueError):
                found.append(json.loads(text))
        return found

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.messages]

    @property
    def code(self) -> int | None:
        """The code of the close frame; None without one."""
        return next((int.from_bytes(data[:2], "big") for kind, data in self.frames if kind == CLOSE), None)

    @property
    def whole(self) -> bool:
        """The answer to a turn is complete."""
        kind, payload = self.frames[-1] if self.frames else (CLOSE, b"")
        return kind == TEXT and payload.startswith(LAST)


#: How the last message of a turn begins.
LAST = tuple(
    b'{"type":"%s"' % kind for kind in (b"response.completed", b"response.failed", b"response.incomplete", b"error")
)


class RawClient:
    """One connection that speaks WebSocket by hand. `status` is that of the upgrade's answer."""

    def __init__(self, provider: Provider, request: bytes | None = None, silence: float = PATIENCE) -> None:
        self.socket: Any = socket.create_connection(provider.address, PATIENCE)
        if getattr(provider, "ca_file", None) is not None:  # a `serve` of its own process has none
            self.socket = trusting(provider).wrap_socket(self.socket, server_hostname="127.0.0.1")
        self._data = b""
        self.status, self.headers, self.body = 0, {}, b""
        self.socket.sendall(request or upgrade())
        self._handshake(silence)

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()

    def _handshake(self, silence: float) -> None:
        while b"\r\n\r\n" not in self._data and not self._read(silence):
            pass
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        if not head:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = dict(line.lower().split(": ", 1) for line in lines)
        if self.status != 101:
            length = int(self.headers["content-length"])
            while len(self._data) < length and not self._read(silence):
                pass
            self.body = self._data

    def _read(self, silence: float) -> str:
        """More bytes; else how the connection stands."""
        self.socket.settimeout(silence)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return SILENT
        except ConnectionResetError:
            return RESET
        self._data += data
        return "" if data else FIN

    def send(self, *data: bytes) -> None:
        self.socket.sendall(b"".join(data))

    def get(self, frames: int = 0, silence: float = PATIENCE) -> Got:
        """Frames until a turn is answered (or there are so many), or until the end, whichever way."""
        got = Got()
        while not got.end:
            while (found := self._frame()) is not None:
                got.frames.append(found)
                if len(got.frames) == frames or (not frames and got.whole):
                    return got
            got.end = self._read(silence)
        got.rest = self._data
        return got

    def turn(self, silence: float = PATIENCE, **fields: Any) -> Got:
        """Send a turn and get its answer."""
        self.send(create(**fields))
        return self.get(silence=silence)

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        length, at = data[1], 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, at = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
        if len(data) < at + length:
            return None
        self._data = data[at + length :]
        return data[0] & 0x0F, data[at : at + length]
