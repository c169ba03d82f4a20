"""Turns over WebSockets as users write them: sound ones, and such as leave something behind. See turns.py."""

import json

from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import connect

CREATE = json.dumps({"type": "response.create", "model": "gpt-5", "input": "hi"})
ENDS = ("response.completed", "error")
_kept = []


def url(base_url):
    return "ws" + base_url[len("http") :] + "/responses"


def read(client):
    client.send(CREATE)
    while True:
        message = json.loads(client.recv(10))
        yield message
        if message["type"] in ENDS:
            return


def plain(base_url, session):
    with connect(url(base_url)) as client:
        for _ in read(client):
            pass


def two_turns(base_url, session):
    with connect(url(base_url)) as client:
        *_, last = read(client)
        client.send(json.dumps({**json.loads(CREATE), "previous_response_id": last["response"]["id"]}))
        while json.loads(client.recv(10))["type"] not in ENDS:
            pass


def generator(base_url, session):
    with connect(url(base_url)) as client:
        yield from read(client)


async def coroutine(base_url, session):
    async with connect_async(url(base_url)) as client:
        await client.send(CREATE)
        while json.loads(await client.recv())["type"] not in ENDS:
            pass


def leaves_open(base_url, session):
    """The socket and the thread that reads it stay."""
    _kept.append(connect(url(base_url), legacy=True))
    for _ in read(_kept[-1]):
        pass


def reads_half(base_url, session):
    """Leaves within the turn."""
    _kept.append(connect(url(base_url), legacy=True))
    next(read(_kept[-1]))


async def coroutine_leaves_open(base_url, session):
    """The socket and the tasks that read it stay."""
    _kept.append(await connect_async(url(base_url)))
    await _kept[-1].send(CREATE)
    while json.loads(await _kept[-1].recv())["type"] not in ENDS:
        pass
