"""Drives the SDK of whatever Python runs this: orders on stdin, what came of them on stdout, as JSON lines.

{"base_url": ..., "ca": ..., "proxy": ..., "timeout": 0.5, "api": "responses", "turns": 1}
    -> {"events": ["response.created", ...], "chain": ["openai.APIConnectionError", ...]}
with "turns": 2 the probe says "idle" after the first turn and waits for a line.

{..., "http2": true} lets the SDK speak HTTP/2.

{..., "api": "websocket"} takes the turns on one WebSocket, of client.responses.connect(); with "pings": true it
asks for a pong after them.

{..., "strict": true} also checks each event against its class: "unknown" and "missing" fields.
"""

import json
import os
import ssl
import sys
import warnings

import openai


def main():
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        answer(json.loads(line))


def say(what):
    print(json.dumps(what), flush=True)


def answer(order):
    os.environ.pop("SSL_CERT_FILE", None)
    os.environ.pop("HTTPS_PROXY", None)
    if order.get("ca"):
        os.environ["SSL_CERT_FILE"] = order["ca"]
    if order.get("proxy"):
        os.environ["HTTPS_PROXY"] = order["proxy"]
    options = {"base_url": order["base_url"], "max_retries": 0, "timeout": order["timeout"]}
    if order.get("http2"):
        options["http_client"] = openai.DefaultHttpxClient(http2=True)
    with openai.OpenAI(api_key="none", **options) as client:
        if order.get("api") == "websocket":
            say(connected(client, order))
            return
        if order.get("turns", 1) == 2:
            first = turn(client, order)
            say({"idle": True, **first})
            sys.stdin.readline()
        say(turn(client, order))


def connected(client, order):
    """The turns on one WebSocket. The SDK reads without a timeout, so that ours is given to the library."""
    events, chain = [], []
    options = {"open_timeout": order["timeout"], "close_timeout": 0.5, "ping_interval": None}
    if order.get("ca"):
        options["ssl"] = ssl.create_default_context(cafile=order["ca"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # websockets 17 warns of the way in which the SDK calls it
            with client.responses.connect(websocket_connection_options=options) as connection:
                for number in range(order.get("turns", 1)):
                    if number:
                        say({"idle": True})
                        sys.stdin.readline()
                    take(connection, order, events)
                if order.get("pings"):
                    events.append("pong" if connection._connection.ping().wait(order["timeout"]) else "no pong")
    except Exception as exc:
        chain = classes(exc)
    known = events if len(events) < 100 else events[:3]
    return {"events": known, "count": len(events), "chain": chain, "problems": [], "version": openai.__version__}


def take(connection, order, events):
    """One turn, to its terminal event or an error."""
    connection.response.create(model="gpt-5", input=order.get("input", "hi"))
    while True:
        data = connection._connection.recv(timeout=order["timeout"], decode=False)
        event = connection.parse_event(data)
        events.append(event.type)
        if event.type in ("response.completed", "response.failed", "response.incomplete", "error"):
            return


def turn(client, order):
    events, problems, chain = [], [], []
    try:
        if order.get("api", "responses") == "responses":
            stream = client.responses.create(model="gpt-5", input=order.get("input", "hi"), stream=True)
        else:
            messages = [{"role": "user", "content": order.get("input", "hi")}]
            stream = client.chat.completions.create(
                model="gpt-5", messages=messages, stream=True, stream_options={"include_usage": True}
            )
        with stream:
            for event in stream:
                events.append(getattr(event, "type", "chunk"))
                if order.get("strict"):
                    problems += check(event)
    except Exception as exc:
        chain = classes(exc)
    known = events if len(events) < 100 else events[:3]
    return {"events": known, "count": len(events), "chain": chain, "problems": problems, "version": openai.__version__}


def classes(exc):
    chain = []
    while exc is not None and len(chain) < 12:
        chain.append("%s.%s" % (type(exc).__module__.partition(".")[0], type(exc).__name__))
        exc = exc.__cause__ or exc.__context__
    return chain


def check(event):
    """Fields that the event's class does not know, and a complaint when it lacks one it needs."""
    problems = ["%s: unknown %s" % (type(event).__name__, path) for path in unknown(event, "")]
    try:
        type(event).model_validate(json.loads(event.model_dump_json(by_alias=True, exclude_unset=True)))
    except Exception as exc:
        problems.append("%s: %s" % (type(event).__name__, str(exc).replace("\n", " ")[:300]))
    if type(event).__name__ in ("BaseModel", "object"):
        problems.append("no class for %r" % event)
    return problems


def unknown(thing, path):
    if isinstance(thing, list):
        for number, one in enumerate(thing):
            yield from unknown(one, "%s[%d]" % (path, number))
    elif hasattr(thing, "model_extra"):
        for name in thing.model_extra or {}:
            yield "%s.%s" % (path, name)
        for name in thing.model_fields_set:
            yield from unknown(getattr(thing, name, None), "%s.%s" % (path, name))


if __name__ == "__main__":
    main()
