"""Passes requests on to a real provider and writes the stream that comes back: `serve --record`.

Only the body of a streamed answer is written, into a file that only its owner can read, each stream whole and
after the other. Headers and requests go through and are kept nowhere.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import h11

from hermes_diag.core import new_file
from hermes_diag.core.errors import UsageError
from hermes_diag.provider.answers import replies
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols.http1 import Headers

T = TypeVar("T")
#: Headers of one connection; the rest goes through, both ways.
_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
#: Headers of a request that are ours to write. Without accept-encoding, what comes can be read again.
_OURS = _HOP | {"host", "content-length", "accept-encoding", "expect"}
#: Where each API is, below the base URL.
_PATHS = {
    "responses": "/responses",
    "chat": "/chat/completions",
    "completions": "/completions",
    "messages": "/messages",
}
#: Seconds for which the real provider may say nothing: as long as a model may think.
PATIENCE = 300.0


class Upstream:
    """A real provider behind ours. Raises UsageError for what is no URL."""

    def __init__(self, url: str, record: Path, patience: float = PATIENCE) -> None:
        parts, host, port = _understood(url)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host, self._path = host, parts.path.rstrip("/")
        self._port = port or (443 if self._tls else 80)
        self._authority = parts.netloc
        self._record = record
        self._patience = patience
        self.trouble = ""  # why the file is not whole
        self._file: IO[bytes] | None = None

    def open(self) -> None:
        """Create the file. Raises UsageError when it exists or cannot be."""
        self._file = _create(self._record)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    async def answer(self, exchange: Exchange) -> None:
        """Answer an exchange with what the real provider answers; 502 when it cannot be reached."""
        try:
            reader, writer = await self._soon(asyncio.open_connection(self._host, self._port, ssl=self._tls))
            try:
                await self._talk(exchange, reader, writer)
            finally:
                writer.close()
        except (OSError, TimeoutError, h11.ProtocolError, ValueError):  # ValueError: a name that cannot be asked for
            if exchange.status:
                exchange.fin()
            exchange.whole(502, replies.error("The upstream provider could not be reached.", "upstream_error"))

    async def _soon(self, work: Coroutine[Any, Any, T]) -> T:
        async with asyncio.timeout(self._patience):
            return await work

    async def _talk(self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = h11.Connection(h11.CLIENT)
        writer.write(self._request(wire, exchange))
        await self._soon(writer.drain())
        stream: list[bytes] | None = None
        try:
            while not isinstance(event := wire.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    wire.receive_data(await self._soon(reader.read(65536)))
                elif isinstance(event, h11.Response):
                    stream = [] if _is_stream(event) else None
                    exchange.start(event.status_code, _passed_back(event))
                elif isinstance(event, h11.Data):
                    if stream is not None:
                        stream.append(bytes(event.data))
                    exchange.body(bytes(event.data))
                    await exchange.drained()
            exchange.finish()
        finally:
            if stream:
                self._keep(b"".join(stream))

    def _keep(self, stream: bytes) -> None:
        """Append a stream to the file; where that fails the client hears it all the same."""
        if self._file is None or self.trouble:
            return
        try:
            new_file.put(self._file, stream)
        except OSError as exc:
            self.trouble = exc.strerror or type(exc).__name__

    def _request(self, wire: h11.Connection, exchange: Exchange) -> bytes:
        request = exchange.request
        passed = [(name, value) for name, value in request.headers.items() if name not in _OURS]
        own = [("host", self._authority), ("content-length", str(len(request.body))), ("connection", "close")]
        target = self._path + _PATHS[exchange.api]
        parts: tuple[h11.Event, ...] = (
            h11.Request(method="POST", target=target, headers=own + passed),
            h11.Data(data=request.body),
            h11.EndOfMessage(),
        )
        return b"".join(wire.send(part) or b"" for part in parts)


def _understood(url: str) -> tuple[SplitResult, str, int | None]:
    """(parts, host, port). A URL may hold a password: what is said of a wrong one does not repeat it."""
    wrong = UsageError("--upstream is no base URL", "write https://HOST/v1")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:  # a port that is none, half an IPv6 address, a name that no resolver takes
        raise wrong from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise wrong
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UsageError("--upstream holds more than host, port and path", wrong.hint)
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise UsageError("--upstream holds a character that no URL may hold", wrong.hint)
    return parts, host, port


def _is_stream(response: h11.Response) -> bool:
    return response.status_code == 200 and any(
        name == b"content-type" and value.startswith(b"text/event-stream") for name, value in response.headers
    )


def _passed_back(response: h11.Response) -> Headers:
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
    return tuple((name, value) for name, value in pairs if name not in _HOP | {"content-length"})


def _create(path: Path) -> IO[bytes]:
    try:
        return new_file.created(path)
    except OSError as exc:
        raise new_file.refused(path, exc, "name another file") from None
