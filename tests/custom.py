"""Clients with one flaw each: runs the real worker with one more strategy in its folder."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Cell, Conditions, Plan
from hermes_diag.run import cell_run, interpreter, lanes, payload, runner
from hermes_diag.run.capture import Capture

FLAWED = {
    "stuck": '''"""Takes a lock twice, as httpcore 1.0.9 does when gc runs inside its pool."""

import threading

from . import fixed

_built = 0
_lock = threading.Lock()


def create_client(sdk, client_kwargs):
    global _built
    _built += 1
    if _built > 2:  # the shared client and one turn work
        _lock.acquire()
        _lock.acquire()
    return fixed.create_client(sdk, client_kwargs)
''',
    "impatient": '''"""Isolated, but with a timeout of its own."""


def create_client(sdk, client_kwargs):
    return sdk.OpenAI(**client_kwargs, http_client=sdk.http.Client(timeout=7.0, limits=sdk.DEFAULT_LIMITS))
''',
    "forgetful": '''"""Isolated, but without keepalive."""


def create_client(sdk, client_kwargs):
    return sdk.OpenAI(**client_kwargs)
''',
    "hoarder": '''"""Right in all it does with sockets, but opens a file for each client and starts a thread."""

import os
import threading

from . import fixed


def create_client(sdk, client_kwargs):
    os.open(os.devnull, os.O_RDONLY)
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return fixed.create_client(sdk, client_kwargs)
''',
    "wasteful": '''"""Shares a small pool: httpcore 1.0.9 keeps the place of a tunnel whose TLS failed."""

_shared = []


def create_client(sdk, client_kwargs):
    class View(sdk.OpenAI):
        def close(self):
            pass

    if not _shared:
        _shared.append(sdk.http.Client(limits=sdk.http.Limits(max_connections=3)))
    return View(**client_kwargs, http_client=_shared[0])
''',
    "hasty": '''"""Shares a small pool whose requests were cancelled as they got a place: httpcore 1.0.9 keeps it."""

import asyncio

from .. import event_loop

PLACES = 3
_shared = []


async def lose_a_place(client, url):
    """One request waits for the place of another, and is cancelled in the moment in which it gets it."""
    request = client.build_request("POST", url, json={"model": "gpt-5", "input": "hi", "stream": True})
    free = [await client.send(request, stream=True) for _ in range(PLACES - lost(client))]
    waiting = asyncio.ensure_future(client.send(request))
    while not any(one.is_queued() for one in client._transport._pool._requests):
        await asyncio.sleep(0)
    await free.pop().aclose()
    waiting.cancel()
    await asyncio.wait([waiting])
    for response in free:
        await response.aclose()


def lost(client):
    return len(client._transport._pool._connections)


def create_client(sdk, client_kwargs):
    class View(sdk.openai.AsyncOpenAI):
        async def close(self):
            pass

    if not _shared:
        _shared.append(sdk.http.AsyncClient(limits=sdk.http.Limits(max_connections=PLACES)))
        for _ in range(PLACES):
            event_loop.run(lose_a_place(_shared[0], client_kwargs["base_url"] + "/responses"))
    return View(**client_kwargs, http_client=_shared[0])
''',
    "astray": '''"""Asks for what the provider does not have."""


def create_client(sdk, client_kwargs):
    kwargs = dict(client_kwargs, base_url=client_kwargs["base_url"] + "/nowhere")
    return sdk.OpenAI(**kwargs, http_client=sdk.kept_defaults_client(sdk.ssl_context()))
''',
}


def run_flawed(
    folder: Path, name: str, workload: str = "steady", capture: Path | None = None, like: str = ""
) -> tuple[Plan, list[Evidence]]:
    """Run one cell of that strategy; (plan, evidence). `like` passes it off as a strategy of ours.

    A job may be silent for one second only, so that a hang is one soon.
    """
    gateway = folder / "worker"
    shutil.copytree(interpreter.WORKER, gateway)
    (gateway / "strategies" / f"{like or name}.py").write_text(FLAWED[name])
    body = payload.load(None)
    scope = "gateway" if workload == "overlapping" else "session"
    turns = 5 if name == "hoarder" else 3  # growth needs gaps to show in
    # Behind a proxy, and with an authority that is not made known: every handshake in the tunnel fails.
    conditions = Conditions(tls=True, proxy=True, untrusted=True) if name == "wasteful" else Conditions()
    cell = Cell(like or name, "close", workload, 2, turns, scope, 0, 0.5, 0.5, 0.0, 0, conditions=conditions)
    plan = Plan((cell,), body.info)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(interpreter, "WORKER", gateway))
        stack.enter_context(mock.patch.object(cell_run, "PATIENCE", 1.0 if name == "stuck" else cell_run.PATIENCE))
        writer = Capture(stack.enter_context(capture.open("wb")), plan) if capture else None
        under_way = runner.Runner(plan, [body.wire], lanes.interpreters(interpreter.Target(sys.executable)), writer)
        runner.finish(under_way)
    return plan, under_way.evidence()
