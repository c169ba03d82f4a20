"""Passes requests on to a real provider and writes the stream that comes back: `serve --record`.

Only the body of a streamed answer is written, into a file that only its owner can read; headers and
requests go through and are kept nowhere.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import h11

from hermes_diag.errors import UsageError
from hermes_diag.provider import replies
from hermes_diag.provider.exchange import Exchange

#: Headers of ours and of one connection; the rest of a request goes through.
_NOT_PASSED = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect"}
#: Seconds within which the real provider must say something.
PATIENCE = 300.0


class Upstream:
    """A real provider behind ours. Raises UsageError for what is no URL, or a file that exists."""

    def __init__(self, url: str, record: Path) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError(f"--upstream {parts.hostname or url!r} is no base URL", "write https://HOST/v1")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host, self._path = parts.hostname, parts.path.rstrip("/")
        self._port = parts.port or (443 if self._tls else 80)
        self._file = _create(record)

    def close(self) -> None:
        self._file.close()

    async def answer(self, exchange: Exchange) -> None:
        """Answer an exchange with what the real provider answers; 502 when it cannot be reached."""
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
                try:
                    await self._talk(exchange, reader, writer)
                finally:
                    writer.close()
        except (OSError, TimeoutError, h11.RemoteProtocolError):
            if exchange.status:
                exchange.fin()
            exchange.whole(502, replies.error("The upstream provider could not be reached.", "upstream_error"))

    async def _talk(self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = h11.Connection(h11.CLIENT)
        request = exchange.request
        passed = [(name, value) for name, value in request.headers.items() if name not in _NOT_PASSED]
        own = [("host", self._host), ("content-length", str(len(request.body))), ("connection", "close")]
        target = self._path + ("/responses" if exchange.api == "responses" else "/chat/completions")
        writer.write(wire.send(h11.Request(method="POST", target=target, headers=own + passed)) or b"")
        writer.write((wire.send(h11.Data(data=request.body)) or b"") + (wire.send(h11.EndOfMessage()) or b""))
        streamed = False
        while True:
            event = wire.next_event()
            if event is h11.NEED_DATA:
                wire.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Response):
                kind = dict(event.headers).get(b"content-type", b"application/json").decode("latin-1")
                streamed = event.status_code == 200 and kind.startswith("text/event-stream")
                exchange.start(event.status_code, (("content-type", kind),))
            elif isinstance(event, h11.Data):
                if streamed:
                    self._file.write(event.data)
                    self._file.flush()
                exchange.body(bytes(event.data))
            elif not isinstance(event, h11.InformationalResponse):
                break
        exchange.finish()


def _create(path: Path) -> IO[bytes]:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError:
        raise UsageError(f"{path} exists", "name another file") from None
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror}", "name a file in a folder you may write to") from None
