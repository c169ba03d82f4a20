"""A client of raw sockets, and the interpreters that hold the SDK. No test of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import socket
import ssl
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from hermes_diag.provider import Provider

#: Seconds without a byte that count as silence. A healthy reply on loopback takes a millisecond.
SILENCE = 0.4
#: Seconds that nothing in these tests may take.
PATIENCE = 20.0
#: Bytes from which on a response is understood at its end only: to do so at each piece would be quadratic.
LONG = 2**20
BODY = {"model": "gpt-5", "input": "hi", "stream": True}

#: The reason of a plain SSLError at the end of a TLS stream without a close_notify, where there is no SSLEOFError.
BARE_FIN = "UNEXPECTED_EOF_WHILE_READING"
#: Set in every context of some Pythons (3.11.2): such an end then reads like a proper one.
IGNORE_UNEXPECTED_EOF = 0x80

FIN, RESET, SILENT = "fin", "reset", "silent"


def request(path: str = "/v1/responses", body: Any = BODY, method: str = "POST", **headers: str) -> bytes:
    """A request as bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


@dataclass
class Heard:
    """What a client heard of one response, and how it ended: "", fin, reset or silent."""

    raw: bytearray = field(default_factory=bytearray)
    end: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False  # the framing says that the body is complete

    @property
    def events(self) -> list[Any]:
        """The data of each whole SSE event that is JSON."""
        found = []
        for event in self.body.split(b"\n\n")[:-1]:
            for line in event.splitlines():
                if line.startswith(b"data: "):
                    with contextlib.suppress(ValueError):
                        found.append(json.loads(line[6:]))
        return found

    @property
    def types(self) -> list[str]:
        return [event.get("type", "chunk") for event in self.events]


class Client:
    """One connection that speaks HTTP by hand."""

    def __init__(self, provider: Provider, context: ssl.SSLContext | None = None, timeout: float = PATIENCE) -> None:
        self.socket: Any = socket.create_connection(provider.address, timeout)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1", suppress_ragged_eofs=False)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()

    def ask(self, data: bytes | None = None, silence: float = PATIENCE) -> Heard:
        """Send a request and listen until its response is whole, or until the end, whichever way."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(request() if data is None else data)
        return self.listen(silence)

    def listen(self, silence: float = PATIENCE) -> Heard:
        heard = Heard()
        while not heard.whole and not heard.end:
            self._hear(heard, silence)
            if len(heard.raw) < LONG or heard.end or heard.raw.endswith(b"0\r\n\r\n"):
                parse(heard)
        return heard

    def end(self, silence: float = PATIENCE) -> str:
        """How the connection stands after what was heard: fin, reset or silent; bytes are skipped."""
        heard = Heard()
        while not heard.end:
            self._hear(heard, silence)
        return heard.end

    def _hear(self, heard: Heard, silence: float) -> None:
        pending = getattr(self.socket, "pending", lambda: 0)()
        if not pending and not select.select([self.socket], [], [], silence)[0]:
            heard.end = SILENT
            return
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            heard.end = RESET
        except ssl.SSLError as exc:
            if not isinstance(exc, ssl.SSLEOFError) and exc.reason != BARE_FIN:
                raise
            heard.end = "bare fin"
        else:
            heard.raw += data
            heard.end = "" if data else FIN


def parse(heard: Heard) -> None:
    """Fill in what the bytes heard so far mean."""
    head, blank, rest = bytes(heard.raw).partition(b"\r\n\r\n")
    if not blank:
        return
    first, *lines = head.decode("latin-1").split("\r\n")
    heard.status = int(first.split()[1])
    heard.headers = dict(line.lower().split(": ", 1) for line in lines)
    if heard.headers.get("transfer-encoding") == "chunked":
        heard.body, heard.whole = unchunk(rest)
    else:
        length = int(heard.headers.get("content-length", "0"))
        heard.body, heard.whole = rest[:length], len(rest) >= length
    if heard.headers.get("content-encoding") == "gzip":
        heard.body = zlib.decompressobj(wbits=31).decompress(heard.body)


def unchunk(data: bytes) -> tuple[bytes, bool]:
    """(the body so far, whether it is complete); what is no chunk ends it."""
    parts, at = [], 0
    while True:
        line_end = data.find(b"\r\n", at)
        try:
            length = int(data[at:line_end], 16) if line_end >= 0 else -1
        except ValueError:
            length = -1
        if length < 0:
            return b"".join(parts), False
        start = line_end + 2
        parts.append(data[start : start + length])
        at = start + length + 2
        if at > len(data):
            return b"".join(parts), False
        if length == 0:
            return b"".join(parts), True


def without_ids(body: bytes) -> bytes:
    """A body without what is its own in each reply: ids and times."""
    return re.sub(rb'("(?:created|created_at|completed_at)": ?)\d+', rb"\g<1>0", re.sub(rb"[0-9a-f]{32}", b"", body))


def unknown_but_store(problems: list[str]) -> list[str]:
    """What the SDK's classes lack, apart from `store`: the service answers it, and no class of the SDK has it."""
    return [one for one in problems if not one.endswith("unknown .response.store")]


def trusting(provider: Provider) -> ssl.SSLContext:
    """A context that trusts the provider's certificate."""
    assert provider.ca_file is not None
    context = ssl.create_default_context(cafile=str(provider.ca_file))
    context.options &= ~IGNORE_UNEXPECTED_EOF
    return context


def close_with_reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def until(condition: Any, what: str) -> None:
    """Wait for a condition, within bounds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No descriptor and no thread more after a test than before. Import it to have it in a module."""
    process = psutil.Process()
    before = process.num_fds(), process.num_threads()
    yield
    until(lambda: (process.num_fds(), process.num_threads()) <= before, f"{before} descriptors and threads")


OPENAI_2 = sys.executable
OPENAI_3 = os.environ.get("HERMES_DIAG_OPENAI3_PYTHON", "")


def has_h2(python: str) -> bool:
    """Whether an interpreter can be asked to speak HTTP/2."""
    return bool(python) and subprocess.run([python, "-c", "import h2"], capture_output=True).returncode == 0


#: The interpreters to test with, by the generation of their SDK.
GENERATIONS = [
    pytest.param(OPENAI_2, id="openai2"),
    pytest.param(
        OPENAI_3,
        id="openai3",
        marks=pytest.mark.skipif(not OPENAI_3, reason="HERMES_DIAG_OPENAI3_PYTHON names no Python with openai 3"),
    ),
]


class Probe:
    """A process that drives the SDK: one JSON object in, one out. Context manager."""

    def __init__(self, python: str) -> None:
        script = Path(__file__).with_name("sdk_probe.py")
        kept = {k: v for k, v in os.environ.items() if "PROXY" not in k.upper() and not k.startswith("OPENAI")}
        self._process = subprocess.Popen(
            [python, "-B", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=kept
        )

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def tell(self, **order: Any) -> None:
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        line = self._process.stdout.readline()
        assert line, "the probe has ended"
        return json.loads(line)
