"""Turns of one's own, synchronous: turn(base_url, session) sends requests to that URL and is judged by what it leaves."""

import collections
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import openai
from openai import AzureOpenAI, DefaultHttpxClient, OpenAI

httpx = sys.modules[DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]  # httpx2 with openai 3
CHAT = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}
ASK = {"model": "gpt-5", "input": "hi"}


# --- sound -------------------------------------------------------------------------------------------


def with_block(base_url, session):
    """healthy: a client for each turn, in a with-block; Responses."""
    with OpenAI(base_url=base_url) as client:
        yield from client.responses.create(**ASK, stream=True)


def with_block_chat(base_url, session):
    """healthy: the same with Chat Completions."""
    with OpenAI(base_url=base_url) as client:
        yield from client.chat.completions.create(**CHAT, stream=True)


def whole_answer(base_url, session):
    """healthy: no stream at all."""
    with OpenAI(base_url=base_url) as client:
        client.responses.create(**ASK)


def whole_answer_chat(base_url, session):
    """healthy: no stream at all, with Chat Completions."""
    with OpenAI(base_url=base_url) as client:
        client.chat.completions.create(**CHAT)


_clients = {}


def _client(base_url, key="one"):
    if key not in _clients:
        _clients[key] = OpenAI(base_url=base_url)
    return _clients[key]


def one_client(base_url, session):
    """healthy: one client for the process; each stream is read to its end or closed."""
    with _client(base_url).responses.create(**ASK, stream=True) as stream:
        yield from stream


def one_client_chat(base_url, session):
    """healthy: the same with Chat Completions."""
    with _client(base_url).chat.completions.create(**CHAT, stream=True) as stream:
        yield from stream


def one_client_for_each_session(base_url, session):
    """healthy: as many clients as there are sessions, kept for good."""
    with _client(base_url, session).responses.create(**ASK, stream=True) as stream:
        yield from stream


def closed_at_the_finish_reason(base_url, session):
    """healthy: reads to the finish reason and closes the stream, and leaves the line behind it unread."""
    stream = _client(base_url).chat.completions.create(**CHAT, stream=True)
    try:
        for chunk in stream:
            yield chunk
            if any(choice.finish_reason for choice in chunk.choices):
                break
    finally:
        stream.close()


def broken_off_at_the_terminal_event(base_url, session):
    """healthy: leaves the loop at the terminal event; the with-block closes the client."""
    with OpenAI(base_url=base_url) as client:
        for event in client.responses.create(**ASK, stream=True):
            yield event
            if event.type == "response.completed":
                return


def keeps_the_text(base_url, session):
    """healthy: the last hundred answers are kept, as text."""
    with OpenAI(base_url=base_url) as client:
        _texts.append(client.responses.create(**ASK).output_text)


_texts = collections.deque(maxlen=100)


def raw_response(base_url, session):
    """healthy: with_raw_response, for the sake of its headers."""
    with OpenAI(base_url=base_url) as client:
        client.responses.with_raw_response.create(**ASK).parse()


def streaming_response(base_url, session):
    """healthy: with_streaming_response in its with-block."""
    with OpenAI(base_url=base_url) as client:
        with client.responses.with_streaming_response.create(**ASK) as response:
            response.read()


_workers = ThreadPoolExecutor(2)


def in_a_thread_pool(base_url, session):
    """healthy: the request runs in one of two threads that stay."""

    def ask():
        with OpenAI(base_url=base_url) as client:
            client.responses.create(**ASK)

    _workers.submit(ask).result()


def in_a_thread_that_ends(base_url, session):
    """healthy: a thread for each turn, waited for."""
    thread = threading.Thread(target=whole_answer, args=(base_url, session))
    thread.start()
    thread.join()


def tries_again(base_url, session):
    """healthy: its own retry loop, which closes each client it gives up."""
    for attempt in (1, 2, 3):
        with OpenAI(base_url=base_url, max_retries=0) as client:
            try:
                client.responses.create(**ASK)
                return
            except openai.APIError:
                if attempt == 3:
                    raise


def azure(base_url, session):
    """healthy: a client for Azure."""
    endpoint = base_url[: -len("/v1")]
    with AzureOpenAI(azure_endpoint=endpoint, api_key="made-up", api_version="2025-03-01-preview") as client:
        yield from client.chat.completions.create(**CHAT, stream=True)


def by_httpx(base_url, session):
    """healthy: no SDK: a request by httpx."""
    with httpx.Client(base_url=base_url) as client:
        client.post("/chat/completions", json=CHAT, headers={"authorization": "Bearer made-up"}).raise_for_status()


def by_urllib(base_url, session):
    """healthy: no SDK: a request by urllib."""
    request = urllib.request.Request(
        base_url + "/chat/completions",
        data=b'{"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}',
        headers={"content-type": "application/json", "authorization": "Bearer made-up"},
    )
    with urllib.request.urlopen(request) as response:
        response.read()


def with_a_temporary_file(base_url, session):
    """healthy: writes what it reads to a file, and closes it."""
    with OpenAI(base_url=base_url) as client, open(os.devnull, "w") as file:
        for event in client.responses.create(**ASK, stream=True):
            file.write(event.type)
            yield event


_places = threading.BoundedSemaphore(2)


def behind_a_semaphore(base_url, session):
    """healthy: two turns at a time; a place is given back however a turn ends."""
    with _places, OpenAI(base_url=base_url) as client:
        yield from client.responses.create(**ASK, stream=True)


_lru = collections.OrderedDict()


def the_last_three_clients(base_url, session):
    """healthy: a client for each session, three at most; who has not been used for longest is closed."""
    client = _lru.pop(session, None) or OpenAI(base_url=base_url)
    _lru[session] = client
    while len(_lru) > 3:
        _lru.popitem(last=False)[1].close()
    client.responses.create(**ASK)


def waits_for_the_thread_that_reads(base_url, session):
    """healthy: a thread reads and puts into a queue; both end with the turn."""
    import queue

    events, end = queue.Queue(), object()

    def read():
        with OpenAI(base_url=base_url) as client:
            for event in client.responses.create(**ASK, stream=True):
                events.put(event)
        events.put(end)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield from iter(events.get, end)
    finally:
        thread.join()


def closes_in_an_exit_stack(base_url, session):
    """healthy: client and stream in an ExitStack."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(OpenAI(base_url=base_url))
        yield from stack.enter_context(client.responses.create(**ASK, stream=True))


def dropped_and_not_closed(base_url, session):
    """ambiguous: a client for each turn that nobody closes; the collector frees it at some time."""
    client = OpenAI(base_url=base_url)
    client.responses.create(**ASK)


# --- faulty ------------------------------------------------------------------------------------------

_kept = []


def keeps_its_clients(base_url, session):
    """faulty close-wait-grows: a client for each turn, and a list of all of them."""
    client = OpenAI(base_url=base_url)
    _kept.append(client)
    yield from client.responses.create(**ASK, stream=True)


def keeps_its_clients_chat(base_url, session):
    """faulty close-wait-grows: the same with Chat Completions."""
    client = OpenAI(base_url=base_url)
    _kept.append(client)
    client.chat.completions.create(**CHAT)


def keeps_clients_of_chat_streams(base_url, session):
    """ambiguous: the SDK leaves a chat stream at its last line: whether its connection is then kept or closed depends on how its end arrived."""
    client = OpenAI(base_url=base_url)
    _kept.append(client)
    yield from client.chat.completions.create(**CHAT, stream=True)


def keeps_streams_broken_off(base_url, session):
    """faulty close-wait-grows: each stream is left at its finish reason, unclosed, and kept in the history."""
    stream = _client(base_url).chat.completions.create(**CHAT, stream=True)
    _kept.append(stream)
    for chunk in stream:
        if any(choice.finish_reason for choice in chunk.choices):
            break


def closes_only_when_all_went_well(base_url, session):
    """faulty descriptors-grow: an interrupted turn skips the close of its transcript."""
    transcript = open(os.devnull, "a")
    _kept.append(transcript)
    with OpenAI(base_url=base_url) as client:
        yield from client.responses.create(**ASK, stream=True)
    _kept.remove(transcript)
    transcript.close()


def keeps_interrupted_clients(base_url, session):
    """ambiguous: clients of interrupted turns stay in a list; their streams are closed with their iterators, so that no socket stays, but memory does."""
    client = OpenAI(base_url=base_url)
    _kept.append(client)
    yield from client.responses.create(**ASK, stream=True)
    _kept.remove(client)
    client.close()


def closes_only_without_an_error(base_url, session):
    """faulty close-wait-grows: a turn that fails skips the close, and the client is kept "for the report". [fault http-500]"""
    client = OpenAI(base_url=base_url, max_retries=0)
    _kept.append(client)
    client.responses.create(**ASK)
    _kept.remove(client)
    client.close()


def closes_also_after_an_error(base_url, session):
    """healthy: the same with a finally. [fault http-500]"""
    client = OpenAI(base_url=base_url, max_retries=0)
    _kept.append(client)
    try:
        client.responses.create(**ASK)
    finally:
        _kept.remove(client)
        client.close()


_count = [0]


def every_third_is_kept(base_url, session):
    """faulty close-wait-grows: one turn of three keeps its client."""
    client = OpenAI(base_url=base_url)
    client.responses.create(**ASK)
    _count[0] += 1
    if _count[0] % 3 == 0:
        _kept.append(client)
    else:
        client.close()


def every_fifth_is_kept(base_url, session):
    """faulty close-wait-grows: one turn of five keeps its client."""
    client = OpenAI(base_url=base_url)
    client.responses.create(**ASK)
    _count[0] += 1
    if _count[0] % 5 == 0:
        _kept.append(client)
    else:
        client.close()


def a_pipe_beside(base_url, session):
    """faulty descriptors-grow: a pipe for each turn, to wake somebody up who is not there."""
    os.pipe()
    whole_answer(base_url, session)


def an_open_log(base_url, session):
    """faulty descriptors-grow: a transcript for each turn, never closed."""
    _kept.append(open(os.devnull, "a"))
    whole_answer(base_url, session)


def an_executor_never_shut_down(base_url, session):
    """faulty threads-grow: an executor for each turn; its thread stays for as long as it is referred to."""
    executor = ThreadPoolExecutor(1)
    _kept.append(executor)
    executor.submit(whole_answer, base_url, session).result()


def a_watchdog_never_cancelled(base_url, session):
    """faulty threads-grow: a timer for each turn that nobody cancels."""
    timer = threading.Timer(600, print)
    timer.daemon = True
    timer.start()
    whole_answer(base_url, session)


def an_event_loop_never_closed(base_url, session):
    """faulty descriptors-grow: an event loop for each turn, never closed: epoll and two sockets. [also threads-grow]"""
    import asyncio

    loop = asyncio.new_event_loop()
    _kept.append(loop)

    async def ask():
        async with openai.AsyncOpenAI(base_url=base_url) as client:
            await client.responses.create(**ASK)

    loop.run_until_complete(ask())


def by_http_client_never_closed(base_url, session):
    """faulty close-wait-grows: no SDK: connections of http.client, kept in a list."""
    url = urllib.parse.urlsplit(base_url)
    connection = http.client.HTTPConnection(url.hostname, url.port)
    _kept.append(connection)
    body = '{"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}'
    connection.request("POST", url.path + "/chat/completions", body, {"authorization": "Bearer made-up"})
    connection.getresponse().read()


def a_socket_beside(base_url, session):
    """faulty close-wait-grows|established-grows: a connection for each turn "to see whether the server is there"."""
    url = urllib.parse.urlsplit(base_url)
    _kept.append(socket.create_connection((url.hostname, url.port)))
    whole_answer(base_url, session)


def a_process_with_a_pipe(base_url, session):
    """faulty descriptors-grow: a helper process for each turn, whose pipe stays open."""
    helper = subprocess.Popen(["true"], stdout=subprocess.PIPE)
    helper.wait()
    _kept.append(helper)
    whole_answer(base_url, session)


def closes_the_client_of_all(base_url, session):
    """faulty turns-failed|closed-transport-reused: a with-block around the one client that all turns share. [also stream-killed]"""
    with _client(base_url) as client:
        yield from client.responses.create(**ASK, stream=True)


def closes_what_others_read(base_url, session):
    """faulty stream-killed|turns-failed|closed-transport-reused|worker-hung: each turn replaces the shared client and closes the last one. [also worker-hung turns-failed stream-killed closed-transport-reused]"""
    old = _clients.pop("one", None)
    if old is not None:
        old.close()
    yield from _client(base_url).responses.create(**ASK, stream=True)


def always_asks_elsewhere(base_url, session):
    """faulty turns-failed: a path that the server does not have."""
    with OpenAI(base_url=base_url + "/nowhere") as client:
        client.responses.create(**ASK)


_lost = threading.BoundedSemaphore(4)


def loses_its_place_when_interrupted(base_url, session):
    """faulty worker-hung: four places, and an interrupted turn does not give its back: the fifth waits for ever. [slow]"""
    _lost.acquire()
    client = OpenAI(base_url=base_url)
    try:
        yield from client.responses.create(**ASK, stream=True)
        _lost.release()
    finally:
        client.close()


_lock = threading.Lock()


def keeps_a_lock_when_it_fails(base_url, session):
    """faulty worker-hung: a lock that a failed turn does not give back. [slow] [fault http-500]"""
    _lock.acquire()
    with OpenAI(base_url=base_url, max_retries=0) as client:
        client.responses.create(**ASK)
    _lock.release()
