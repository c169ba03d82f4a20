"""The provider on real sockets, asked by a client that knows nothing but TCP."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hermes_diag.provider.server import Provider
from hermes_diag.worker.contract import FAULT_HEADER, TURN_HEADER

PATIENCE = 5


@asynccontextmanager
async def provider(idle_close: float | None = None) -> AsyncIterator[Provider]:
    one = Provider(idle_close)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


class Raw:
    """A connection of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, one: Provider) -> Raw:
        return cls(*await asyncio.open_connection(*one.address))

    async def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self.writer.drain()

    async def until(self, mark: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(mark), PATIENCE)

    async def response(self) -> tuple[int, bytes]:
        """Status and body of a response with a content-length or chunks."""
        head = (await self.until(b"\r\n\r\n")).decode()
        status = int(head.split()[1])
        if "chunked" in head:
            body = b""
            while size := int((await self.until(b"\r\n")).strip(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.until(b"\r\n")
            return status, body
        size = int(next(line for line in head.splitlines() if line.startswith("content-length")).split(": ")[1])
        return status, await self.reader.readexactly(size)

    async def eof(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), PATIENCE)

    def close(self) -> None:
        self.writer.close()


def body(**fields: object) -> bytes:
    return json.dumps({"model": "gpt-5", **fields}).encode()


def events(data: bytes) -> list[dict[str, object]]:
    lines = [line[6:] for line in data.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize("path", ["/v1/responses", "/backend-api/codex/responses"])
def test_a_responses_stream(path: str) -> None:
    """The events a codex turn needs, numbered, the terminal one last and with usage; then keep-alive."""

    async def talk() -> None:
        async with provider() as one:
            client = await Raw.to(one)
            for _ in range(2):
                await client.send("POST", path, body(input="hi", stream=True))
                status, data = await client.response()
                got = events(data)
                names = [event["type"] for event in got]
                assert status == 200
                assert names[0] == "response.created"
                assert {"response.output_item.added", "response.output_text.delta"} < set(names)
                assert names[-1] == "response.completed"
                assert got[-1]["response"]["usage"]["total_tokens"] > 0  # type: ignore[index]
                assert [event["sequence_number"] for event in got] == list(range(len(got)))
            client.close()
            await client.writer.wait_closed()
            await one.settle()
            assert [(seen.requests, seen.closed_first, seen.how) for seen in one.seen] == [(2, "client", "fin")]

    asyncio.run(talk())


def test_other_answers() -> None:
    """Unstreamed replies, chat in both forms, the model list, and what a wrong request gets."""

    async def talk() -> None:
        async with provider() as one:
            client = await Raw.to(one)

            async def ask(method: str, path: str, sent: bytes = b"") -> tuple[int, bytes]:
                await client.send(method, path, sent)
                return await client.response()

            status, data = await ask("POST", "/v1/responses", body(input="hi"))
            assert (status, json.loads(data)["status"]) == (200, "completed")
            status, data = await ask("POST", "/v1/chat/completions", body(messages=[1]))
            assert (status, json.loads(data)["object"]) == (200, "chat.completion")
            status, data = await ask("POST", "/v1/chat/completions", body(messages=[1], stream=True))
            assert data.endswith(b"data: [DONE]\n\n")
            assert events(data)[-1]["choices"][0]["finish_reason"] == "stop"  # type: ignore[index]
            assert (await ask("GET", "/v1/models"))[0] == 200
            assert (await ask("POST", "/v1/models"))[0] == 405
            assert (await ask("GET", "/v1/responses"))[0] == 405
            assert (await ask("POST", "/v1/responses", b"not json"))[0] == 400
            assert (await ask("POST", "/v1/responses", b"[1]"))[0] == 400
            assert (await ask("GET", "/"))[0] == 404
            client.close()

    asyncio.run(talk())


def test_garbage_gets_400_and_a_close() -> None:
    """What is no HTTP is answered once and the connection is closed."""

    async def talk() -> None:
        async with provider() as one:
            client = await Raw.to(one)
            client.writer.write(b"\x16\x03\x01 what\r\n\r\n")
            assert (await client.eof()).startswith(b"HTTP/1.1 400")
            client.close()

    asyncio.run(talk())


@pytest.mark.parametrize("idle_close", [0.0, 0.05])
def test_idle_close_is_a_fin(idle_close: float) -> None:
    """An idle connection is closed cleanly, by order or by its timer; a busy one is left alone."""

    async def talk() -> None:
        async with provider(idle_close) as one:
            idle, busy = await Raw.to(one), await Raw.to(one)
            await busy.send("POST", "/v1/responses", body(input="hi", stream=True), **{FAULT_HEADER: "hold"})
            await busy.until(b"response.created")
            await idle.send("GET", "/v1/models")
            await idle.response()
            await one.settle()
            await one.close_idle()
            assert await idle.eof() == b""
            assert idle.writer.get_extra_info("sockname")[:2] in one.closed
            await one.release()
            assert b"response.completed" in await busy.until(b"response.completed")
            for client in (idle, busy):
                client.close()

    asyncio.run(talk())


def test_a_port_that_comes_again() -> None:
    """A connection from the port of one that was closed is open: nobody waits for its end."""

    async def talk() -> None:
        async with provider(0.0) as one:
            # A port chosen by connect() may be shared with connections elsewhere; one chosen by bind() is not.
            first = Raw(*await asyncio.open_connection(*one.address, local_addr=("127.0.0.1", 0)))
            await first.send("GET", "/v1/models")
            await first.response()
            own = first.writer.get_extra_info("sockname")[:2]
            await one.settle()
            await one.close_idle()
            await first.eof()
            assert own in one.closed
            # Without SO_LINGER the port would be in TIME_WAIT.
            first.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" + bytes(4)
            )
            first.close()
            await first.writer.wait_closed()
            again = Raw(*await asyncio.open_connection(*one.address, local_addr=own))
            await again.send("GET", "/v1/models")
            assert (await again.response())[0] == 200
            assert own not in one.closed
            again.close()

    asyncio.run(talk())


def test_without_idle_close_nothing_is_closed() -> None:
    """`never` leaves the connection open; the next request works."""

    async def talk() -> None:
        async with provider(None) as one:
            client = await Raw.to(one)
            for _ in range(2):
                await client.send("GET", "/v1/models")
                assert (await client.response())[0] == 200
                await one.settle()
                await one.close_idle()
            client.close()

    asyncio.run(talk())


def test_stall_before_headers() -> None:
    """Not one byte until the stall is over, then a healthy reply."""

    async def talk() -> None:
        async with provider() as one:
            client = await Raw.to(one)
            await client.send("POST", "/v1/responses", body(input="hi"), **{FAULT_HEADER: "stall-before-headers=0.2"})
            loop = asyncio.get_running_loop()
            begun = loop.time()
            assert (await client.response())[0] == 200
            assert loop.time() - begun >= 0.19
            client.close()

    asyncio.run(talk())


def test_it_remembers_what_it_sent() -> None:
    """Per request: the turn's name, events sent, whether it went out whole; a reset is told apart."""

    async def talk() -> None:
        async with provider() as one:
            client = await Raw.to(one)
            headers = {TURN_HEADER: "1/2/1"}
            await client.send("POST", "/v1/responses", body(input="hi", stream=True), **headers)
            await client.response()
            headers = {TURN_HEADER: "1/3/1", FAULT_HEADER: "hold"}
            await client.send("POST", "/v1/responses", body(input="hi", stream=True), **headers)
            await client.until(b"response.created")
            sock = client.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            client.writer.transport.abort()
            async with asyncio.timeout(PATIENCE):
                while not one.seen:
                    await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert [(one.turn, one.events, one.finished) for one in one.served] == [
                ("1/2/1", 16, True),
                ("1/3/1", 1, False),
            ]
            assert [(seen.closed_first, seen.how) for seen in one.seen] == [("client", "reset")]

    asyncio.run(talk())


def test_it_listens_on_loopback_only() -> None:
    """No other address of the machine reaches it."""

    async def talk() -> None:
        async with provider() as one:
            assert one.address[0] == "127.0.0.1"

    asyncio.run(talk())


def test_a_slow_upload_is_not_idle() -> None:
    """Neither the timer nor the order closes a connection on which a request is still coming in."""

    async def talk() -> None:
        async with provider(0.0) as one:
            client = await Raw.to(one)
            sent = body(input="hi")
            head = f"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(sent)}\r\n\r\n".encode()
            client.writer.write(head + sent[:5])
            async with asyncio.timeout(PATIENCE):
                while not all(connection.bytes_in for connection in one.open) or not one.open:
                    await asyncio.sleep(0)
            await one.close_idle()
            client.writer.write(sent[5:])
            assert (await client.response())[0] == 200
            client.close()

    asyncio.run(talk())
