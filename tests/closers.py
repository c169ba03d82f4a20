"""Clients whose close() comes from another thread than the one that reads their stream, and turns that give theirs up.

Runs in the interpreter under test: Python 3.9, openai 2.24 to 3.x. Each docstring begins with what is true of it:
whether bytes of its connection can get into what has its descriptor number next.
"""

import os
import socket
import threading

from openai import AsyncOpenAI, OpenAI

#: Seconds after its first event at which a turn of one's own gives up: the openers are at work by then.
PATIENCE = 0.3


def sockets(client):
    """Those of the client's pool, as Hermes finds them: the pool, its connections, their streams."""
    for connection in client._client._transport._pool.connections:
        yield connection._connection._network_stream.get_extra_info("socket")


def stock(kwargs):
    """wrong: the SDK's client as it comes; its close() closes each socket in the thread that calls it."""
    return OpenAI(**kwargs)


class _Cuts(OpenAI):
    def close(self):
        for sock in list(sockets(self)):
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def cuts_and_closes(kwargs):
    """wrong: as Hermes did up to 0.14.0, a shutdown and a close (#29507)."""
    return _Cuts(**kwargs)


class _Numbers(OpenAI):
    def close(self):
        for sock in list(sockets(self)):
            os.close(sock.fileno())


def closes_the_number(kwargs):
    """wrong: the descriptor is closed past its socket object, which closes the same number later."""
    return _Numbers(**kwargs)


class _Detached(OpenAI):
    def close(self):
        for sock in list(sockets(self)):
            os.close(sock.detach())


def detaches(kwargs):
    """wrong: the number is taken from the socket object, and closed."""
    return _Detached(**kwargs)


class _Wakes(OpenAI):
    def close(self):
        for sock in list(sockets(self)):
            sock.shutdown(socket.SHUT_RDWR)


def wakes_the_reader(kwargs):
    """right: a shutdown, and the thread that reads closes (#29507)."""
    return _Wakes(**kwargs)


def asynchronous(kwargs):
    """none: in an event loop OpenSSL is given bytes, and knows no descriptor."""
    return AsyncOpenAI(**kwargs)


def turn_that_wakes(base_url, session):
    """right: the same in a turn of one's own."""
    client = OpenAI(base_url=base_url, api_key="x", max_retries=0)
    _read(client, lambda: [sock.shutdown(socket.SHUT_RDWR) for sock in sockets(client)])
    client.close()


def turn_that_closes(base_url, session):
    """wrong: the client is closed by a timer while its turn is read."""
    client = OpenAI(base_url=base_url, api_key="x", max_retries=0)
    _read(client, client.close)


def _read(client, give_up):
    """Read a stream that is given up after its first event."""
    given_up = threading.Timer(PATIENCE, give_up)
    try:
        for _ in client.responses.create(model="gpt-5", input="hi", stream=True):
            if not given_up.is_alive():
                given_up.start()
    except Exception:  # however it surfaces that it was given up
        pass
    finally:
        given_up.cancel()
