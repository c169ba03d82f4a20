"""Hermes's own API server in this process, and users of it who come for one answer each."""

import asyncio
import functools
import http.client
import importlib
import itertools
import json
import os
import socket
import threading

#: Seconds that an answer may take; and the key that the server asks for, which opens nothing else.
PATIENCE = 60.0
KEY = "hermes-diag-asks-its-own-gateway"
_serials = itertools.count(1)


def turn(text):
    """A user with a session of its own asks once. Returns whether there was an answer; raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", _port(), timeout=PATIENCE)
    try:
        body = {"model": "gpt-5", "messages": [{"role": "user", "content": text}], "stream": False}
        headers = {
            "Authorization": "Bearer " + KEY,
            "Content-Type": "application/json",
            "X-Hermes-Session-Id": "hermes-diag-%d" % next(_serials),
        }
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        return bool(answer.read()) and answer.status == 200
    finally:
        connection.close()


@functools.lru_cache(maxsize=None)
def _port():
    """The port of the server, which is started with the first question and ends with the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = {"API_SERVER_ENABLED": "true", "API_SERVER_KEY": KEY, "API_SERVER_HOST": "127.0.0.1"}
    os.environ.update(server, API_SERVER_PORT=str(port))
    config = importlib.import_module("gateway.config").PlatformConfig
    adapter = importlib.import_module("gateway.platforms.api_server").APIServerAdapter
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="gateway", daemon=True).start()

    async def serve():
        return await adapter(config(enabled=True, extra={"host": "127.0.0.1", "port": port, "key": KEY})).connect()

    if not asyncio.run_coroutine_threadsafe(serve(), loop).result(PATIENCE):
        raise ConnectionError
    return port
