"""Turns of one's own, asynchronous: coroutines, asynchronous generators, and plain functions around asyncio.run."""

import asyncio
import contextlib
import os

from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAioHttpClient

CHAT = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}
ASK = {"model": "gpt-5", "input": "hi"}


# --- sound -------------------------------------------------------------------------------------------


async def with_block(base_url, session):
    """healthy: a client for each turn, in a with-block; Responses."""
    async with AsyncOpenAI(base_url=base_url) as client:
        async for event in await client.responses.create(**ASK, stream=True):
            yield event


async def with_block_chat(base_url, session):
    """healthy: the same with Chat Completions."""
    async with AsyncOpenAI(base_url=base_url) as client:
        async for chunk in await client.chat.completions.create(**CHAT, stream=True):
            yield chunk


async def coroutine(base_url, session):
    """healthy: a coroutine, which may be cancelled while it reads."""
    async with AsyncOpenAI(base_url=base_url) as client:
        async for _ in await client.responses.create(**ASK, stream=True):
            pass


async def coroutine_chat(base_url, session):
    """healthy: the same with Chat Completions."""
    async with AsyncOpenAI(base_url=base_url) as client:
        async for _ in await client.chat.completions.create(**CHAT, stream=True):
            pass


async def whole_answer(base_url, session):
    """healthy: no stream at all."""
    async with AsyncOpenAI(base_url=base_url) as client:
        await client.responses.create(**ASK)


_clients = {}


def _client(base_url, key="one"):
    if key not in _clients:
        _clients[key] = AsyncOpenAI(base_url=base_url)
    return _clients[key]


async def one_client(base_url, session):
    """healthy: one client for the process; each stream is read to its end or closed."""
    async with await _client(base_url).responses.create(**ASK, stream=True) as stream:
        async for event in stream:
            yield event


async def one_client_chat(base_url, session):
    """healthy: the same with Chat Completions."""
    async with await _client(base_url).chat.completions.create(**CHAT, stream=True) as stream:
        async for chunk in stream:
            yield chunk


async def one_client_for_each_session(base_url, session):
    """healthy: as many clients as there are sessions, kept for good."""
    async with await _client(base_url, session).responses.create(**ASK, stream=True) as stream:
        async for _ in stream:
            pass


async def closed_at_the_finish_reason(base_url, session):
    """healthy: reads to the finish reason and closes the stream, and leaves the line behind it unread."""
    stream = await _client(base_url).chat.completions.create(**CHAT, stream=True)
    try:
        async for chunk in stream:
            if any(choice.finish_reason for choice in chunk.choices):
                break
    finally:
        await stream.close()


async def two_at_a_time(base_url, session):
    """healthy: two requests at once over one client."""
    async with AsyncOpenAI(base_url=base_url) as client:
        await asyncio.gather(client.responses.create(**ASK), client.chat.completions.create(**CHAT))


async def in_a_task_that_is_awaited(base_url, session):
    """healthy: a task reads; when the turn is cancelled, so is the task, and it is waited for."""

    async def read():
        async with AsyncOpenAI(base_url=base_url) as client:
            async for _ in await client.responses.create(**ASK, stream=True):
                pass

    task = asyncio.ensure_future(read())
    try:
        await asyncio.shield(task)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def with_a_deadline(base_url, session):
    """healthy: asyncio.wait_for around the whole turn."""

    async def read():
        async with AsyncOpenAI(base_url=base_url) as client:
            async for _ in await client.responses.create(**ASK, stream=True):
                pass

    await asyncio.wait_for(read(), 30)


def asyncio_run(base_url, session):
    """healthy: a plain function that makes a loop and a client for each turn and closes both."""
    asyncio.run(whole_answer(base_url, session))


_of_loop = {}


def a_client_for_each_loop_closed_with_it(base_url, session):
    """healthy: clients are kept by their loop, and closed before it ends."""

    async def ask():
        loop = asyncio.get_running_loop()
        client = _of_loop.setdefault(loop, AsyncOpenAI(base_url=base_url))
        try:
            await client.responses.create(**ASK)
        finally:
            await _of_loop.pop(loop).close()

    asyncio.run(ask())


async def behind_a_semaphore(base_url, session):
    """healthy: two turns at a time; a place is given back however a turn ends."""
    async with _places(), AsyncOpenAI(base_url=base_url) as client:
        async for _ in await client.responses.create(**ASK, stream=True):
            pass


_semaphores = []


def _places():
    if not _semaphores:
        _semaphores.append(asyncio.Semaphore(2))
    return _semaphores[0]


async def closes_in_an_exit_stack(base_url, session):
    """healthy: client and stream in an AsyncExitStack."""
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(AsyncOpenAI(base_url=base_url))
        async for event in await stack.enter_async_context(await client.responses.create(**ASK, stream=True)):
            yield event


async def azure(base_url, session):
    """healthy: a client for Azure."""
    endpoint = base_url[: -len("/v1")]
    async with AsyncAzureOpenAI(azure_endpoint=endpoint, api_key="made-up", api_version="2025-03-01-preview") as client:
        await client.chat.completions.create(**CHAT)


async def over_aiohttp(base_url, session):
    """healthy: the SDK's transport over aiohttp, in a with-block. [needs openai.DefaultAioHttpClient]"""
    async with AsyncOpenAI(base_url=base_url, http_client=DefaultAioHttpClient()) as client:
        async for event in await client.responses.create(**ASK, stream=True):
            yield event


async def closes_when_cancelled(base_url, session):
    """healthy: a close in a finally, which a cancellation reaches, too."""
    client = AsyncOpenAI(base_url=base_url)
    _kept.append(client)
    try:
        async for _ in await client.responses.create(**ASK, stream=True):
            pass
    finally:
        _kept.remove(client)
        await client.close()


# --- faulty ------------------------------------------------------------------------------------------

_kept = []


async def keeps_its_clients(base_url, session):
    """faulty close-wait-grows: a client for each turn, and a list of all of them."""
    client = AsyncOpenAI(base_url=base_url)
    _kept.append(client)
    await client.responses.create(**ASK)


async def keeps_its_clients_chat(base_url, session):
    """faulty close-wait-grows: the same with Chat Completions."""
    client = AsyncOpenAI(base_url=base_url)
    _kept.append(client)
    await client.chat.completions.create(**CHAT)


async def closes_unless_cancelled(base_url, session):
    """faulty descriptors-grow: `except Exception` closes the transcript, and a cancellation is none."""
    transcript = open(os.devnull, "a")
    _kept.append(transcript)
    try:
        async with AsyncOpenAI(base_url=base_url) as client:
            async for _ in await client.responses.create(**ASK, stream=True):
                pass
    except Exception:
        transcript.close()
        raise
    transcript.close()


async def closes_only_when_read_to_the_end(base_url, session):
    """faulty descriptors-grow: a generator without a finally: who breaks off skips the close."""
    transcript = open(os.devnull, "a")
    _kept.append(transcript)
    async with AsyncOpenAI(base_url=base_url) as client:
        async for event in await client.responses.create(**ASK, stream=True):
            yield event
    transcript.close()


async def keeps_streams_broken_off(base_url, session):
    """faulty close-wait-grows: each stream is left at its finish reason, unclosed, and kept in the history."""
    stream = await _client(base_url).chat.completions.create(**CHAT, stream=True)
    _kept.append(stream)
    async for chunk in stream:
        if any(choice.finish_reason for choice in chunk.choices):
            break


async def closes_only_without_an_error(base_url, session):
    """faulty close-wait-grows: a turn that fails skips the close, and the client is kept. [fault http-500]"""
    client = AsyncOpenAI(base_url=base_url, max_retries=0)
    _kept.append(client)
    await client.responses.create(**ASK)
    _kept.remove(client)
    await client.close()


def a_loop_for_each_turn_never_closed(base_url, session):
    """faulty descriptors-grow: new_event_loop() for each turn, and a list holds it. [also threads-grow]"""
    loop = asyncio.new_event_loop()
    _kept.append(loop)
    loop.run_until_complete(whole_answer(base_url, session))


def one_client_for_loops_that_end(base_url, session):
    """faulty closed-loop-reused|turns-failed: one client for the process, and asyncio.run for each turn: its connections belong to loops that are closed. [also close-wait-grows]"""

    async def ask():
        client = _clients.setdefault("loops", AsyncOpenAI(base_url=base_url, max_retries=0))
        await client.responses.create(**ASK)

    asyncio.run(ask())


def a_client_for_each_loop_never_closed(base_url, session):
    """faulty close-wait-grows: clients are kept by their loop; the loop ends, and the client stays."""

    async def ask():
        client = _of_loop.setdefault(asyncio.get_running_loop(), AsyncOpenAI(base_url=base_url))
        await client.responses.create(**ASK)

    asyncio.run(ask())


async def closes_the_client_of_all(base_url, session):
    """faulty turns-failed|closed-transport-reused: a with-block around the one client that all turns share. [also stream-killed]"""
    async with _client(base_url) as client:
        async for event in await client.responses.create(**ASK, stream=True):
            yield event


async def over_aiohttp_never_closed(base_url, session):
    """ambiguous: a client over aiohttp for each turn, kept: aiohttp closes what the server has closed, so that memory stays and no socket. [needs openai.DefaultAioHttpClient]"""
    client = AsyncOpenAI(base_url=base_url, http_client=DefaultAioHttpClient())
    _kept.append(client)
    await client.responses.create(**ASK)


_lost = []


async def loses_its_place_when_cancelled(base_url, session):
    """faulty worker-hung: four places, and a cancelled turn does not give its back. [slow]"""
    if not _lost:
        _lost.append(asyncio.Semaphore(4))
    await _lost[0].acquire()
    async with AsyncOpenAI(base_url=base_url) as client:
        async for _ in await client.responses.create(**ASK, stream=True):
            pass
    _lost[0].release()
