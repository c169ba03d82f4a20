"""Uses a case of the corpus as a plain program would, and prints what simpler checks look at. Python 3.9 or newer.

usage: truth_plain.py FILE.py:NAME BASE_URL TURNS
"""

import asyncio
import gc
import importlib.util
import inspect
import json
import os
import sys
import warnings

BODY = {"model": "gpt-5", "input": "hi", "stream": True}


def main(spec, url, turns):
    seen = []
    warnings.simplefilter("always", ResourceWarning)
    warnings.showwarning = lambda message, category, *rest, **also: seen.append(category)
    path, _, name = spec.rpartition(":")
    loaded = importlib.util.spec_from_file_location("case", path)
    module = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(module)
    loop = asyncio.new_event_loop()
    one = user(getattr(module, name), url, loop)
    before = 0
    for turn in range(int(turns)):
        one(str(turn % 2))
        if turn == 1:
            before = descriptors()
    gc.collect()
    loop.run_until_complete(asyncio.sleep(0.3))  # the provider has closed idle connections by then
    leaks = sum(category is ResourceWarning for category in seen)
    after, waiting = descriptors(), close_wait()
    print(json.dumps({"before": before, "after": after, "close_wait": waiting, "warnings": leaks}), flush=True)
    os._exit(0)


def user(thing, url, loop):
    """A function that takes one turn."""

    def settled(value):
        return loop.run_until_complete(value) if inspect.isawaitable(value) else value

    def ask(client):
        stream = settled(client.responses.create(**BODY))
        if hasattr(stream, "__aiter__"):
            loop.run_until_complete(drain(stream))
        else:
            for _ in stream:
                pass

    kwargs = {"api_key": "none", "base_url": url, "max_retries": 0}
    if hasattr(thing, "responses") and not inspect.isclass(thing):
        return lambda session: ask(thing)
    if hasattr(thing, "acquire"):
        pool = thing
        if inspect.isclass(thing):
            pool = thing(dict(kwargs)) if len(inspect.signature(thing).parameters) else thing()

        def pooled(session):
            needs = len(inspect.signature(pool.acquire).parameters)
            client = settled(pool.acquire(*[session][:needs]))
            ask(client)
            settled(pool.release(client))

        return pooled
    if not inspect.isclass(thing) and len(inspect.signature(thing).parameters) == 2:
        return lambda session: finish(thing(url, session), loop)

    def made(session):
        client = settled(thing(**dict(kwargs)) if inspect.isclass(thing) else thing(dict(kwargs)))
        ask(client)
        settled(client.close())

    return made


def finish(value, loop):
    if inspect.isgenerator(value):
        for _ in value:
            pass
    elif inspect.isasyncgen(value):
        loop.run_until_complete(drain(value))
    elif inspect.isawaitable(value):
        loop.run_until_complete(value)


async def drain(events):
    async for _ in events:
        pass


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def close_wait():
    mine = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            mine.add(os.readlink("/proc/self/fd/" + name))
        except OSError:
            pass
    rows = []
    for name in ("tcp", "tcp6"):
        with open("/proc/self/net/" + name) as table:
            rows += [line.split() for line in table]
    return sum(row[3] == "08" and "socket:[%s]" % row[9] in mine for row in rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
