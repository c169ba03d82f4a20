"""Runs the provider alone until it is told to stop: what `hermes-diag serve` does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hermes_diag.cli import clients
from hermes_diag.cli.terminal import emit, say
from hermes_diag.core import interrupts, new_file, quiet
from hermes_diag.core.errors import COULD_NOT_MEASURE, INTERRUPTED, OK, CannotMeasure, UsageError, cure
from hermes_diag.core.evidence import Happened
from hermes_diag.core.interrupts import Interrupts
from hermes_diag.provider.answers import reply, script
from hermes_diag.provider.blocking import ca_file
from hermes_diag.provider.plans import plan
from hermes_diag.provider.routing import control, models
from hermes_diag.provider.server import Provider
from hermes_diag.reporters import envelope, traffic

if TYPE_CHECKING:
    from hermes_diag.provider.upstream import Upstream

#: Records of requests and connections that are kept for `/_diag/connections`.
KEEP = 1000
#: Descriptors that are left to the control path when clients have taken all others, and to what else we open.
SPARE = 24
_OTHERS = "Codex and others need more than that: `hermes-diag serve --for codex`, see --help."


@dataclass(frozen=True)
class Options:
    """What the user asked for: a field for each option of `serve`."""

    port: int = 0
    host: str = "127.0.0.1"
    fault: tuple[str, ...] = ()
    plan: str | None = None
    tls: bool = False
    as_proxy: bool = False
    reply: str | None = None
    model: tuple[str, ...] = ()
    require_key: bool = False
    no_websocket: bool = False
    max_body: int = 64 * 2**20
    control_port: int = 0
    client: str = ""
    record: Path | None = None
    upstream: str | None = None
    json: bool = False


def run(options: Options) -> int:
    """Serve until SIGINT or SIGTERM, then print the tally; the exit code. Raises UsageError, CannotMeasure."""
    if options.plan == "list":
        if replace(options, json=False) != Options(plan="list"):
            raise UsageError("--plan list serves nothing, and takes only --json", "leave the other options out")
        _print(named_days(options.json))
        return OK
    if options.plan is not None and options.fault:
        raise UsageError("--fault has no effect with --plan", "write it into the phases of the plan")
    if (options.record is None) != (options.upstream is None):
        raise UsageError("--record and --upstream need each other", "--record FILE --upstream URL")
    if options.upstream is not None and options.reply is not None:
        raise UsageError("--reply has no effect with --upstream: the upstream replies", "leave one of them out")
    upstream = None
    if options.record is not None and options.upstream is not None:
        from hermes_diag.provider.upstream import Upstream

        upstream = Upstream(options.upstream, options.record)
    provider = Provider(
        faults=options.fault,
        plan=plan.load(options.plan) if options.plan is not None else None,
        host=options.host,
        port=options.port,
        spare=SPARE,
        tls=options.tls,
        proxy=options.as_proxy,
        reply=script.load(options.reply) if options.reply is not None else (reply.DEFAULT,),
        models=options.model or models.KNOWN_MODELS,
        require_key=options.require_key,
        websocket=not options.no_websocket,
        body_limit=options.max_body,
        keep=KEEP,
        observer=Printer(options.json),
        upstream=upstream,
    )
    with contextlib.suppress(ValueError, OSError):  # macOS takes no limit without an end; more are a help, no need
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    quiet.begin()
    return interrupts.run(lambda: _serve(provider, options, upstream))


async def _serve(provider: Provider, options: Options, upstream: Upstream | None) -> int:
    async with contextlib.AsyncExitStack() as stack:
        told = stack.enter_context(_signals())  # before anyone can know that we are here
        stack.enter_context(_reader_of_stdout(told))
        # A port of its own, without TLS: no fault of a connection can come between a test and its control.
        controller = Provider(host=options.host, port=options.control_port, keep=0, subject=provider)
        for one in (provider, controller):
            await _start(one, options.host)
            stack.push_async_callback(one.stop)
        if upstream is not None:
            upstream.open()  # after all that may fail
            stack.callback(upstream.close)
        ca = stack.enter_context(ca_file()) if options.tls else None
        greet = greeting_json if options.json else greeting
        model, *_ = models.names(provider.models) or (models.MODEL,)
        proxy = provider.proxy.url if provider.proxy is not None else ""
        where = clients.Where(provider.base_url, model, ca, proxy)
        _print(greet(where, control_url(controller), options.client))
        provider.begin_plan()
        number = await told
        await provider.stop()
        counts = provider.tally()
        lost = upstream is not None and bool(upstream.trouble)
        code = INTERRUPTED if number == signal.SIGINT else COULD_NOT_MEASURE if lost else OK
        document = {**envelope.catalogue("serve"), "exit_code": code, "event": "tally", **counts}
        _print(envelope.encoded(document) if options.json else "\n" + traffic.tally(counts))
        if lost and upstream is not None and options.record is not None:
            say(new_file.written(options.record, upstream.trouble).text)
        return code


def named_days(as_json: bool) -> str:
    """The plans that come with us, one a line."""
    days = plan.days()
    if as_json:
        found = [{"name": name, "summary": summary} for name, summary in days.items()]
        return envelope.encoded({**envelope.catalogue("serve"), "days": found})
    width = max(map(len, days), default=0)
    return "\n".join(f"{name:<{width}}  {summary}" for name, summary in days.items())


async def _start(provider: Provider, host: str) -> None:
    try:
        await provider.start()
    except OSError as exc:
        raise CannotMeasure(f"cannot listen on {host}: {exc.strerror}", cure(exc, "try port 0")) from None


def control_url(provider: Provider) -> str:
    """Where the control path is."""
    return provider.base_url.removesuffix("/v1") + control.PREFIX.rstrip("/")


@contextlib.contextmanager
def _signals() -> Iterator[asyncio.Future[int]]:
    """The number of the signal that ends the server, once it has come."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[int] = loop.create_future()
    # Always: a script that starts the server in the background, where a shell ignores SIGINT, ends it with one.
    with Interrupts(lambda number: loop.call_soon_threadsafe(_resolve, told, number), always=True):
        yield told


@contextlib.contextmanager
def _reader_of_stdout(told: asyncio.Future[int]) -> Iterator[None]:
    """End the server as SIGTERM would when what we print is piped and the reader leaves (`| head -1`)."""
    loop, number = asyncio.get_running_loop(), sys.stdout.fileno()
    if not stat.S_ISFIFO(os.fstat(number).st_mode):
        yield
        return

    def left() -> None:  # nothing can be read from our end of the pipe: it is an error that wakes us
        loop.remove_reader(number)
        _resolve(told, signal.SIGTERM)

    loop.add_reader(number, left)
    try:
        yield
    finally:
        loop.remove_reader(number)


def _resolve(told: asyncio.Future[int], number: int) -> None:
    if not told.done():
        told.set_result(number)


class Printer:
    """Prints what happens, until nobody reads it any more."""

    def __init__(self, as_json: bool) -> None:
        self._render = traffic.as_json if as_json else traffic.line

    def __call__(self, happened: Happened) -> None:
        _print(self._render(happened))


def _print(text: str) -> None:
    """One write to stdout. A reader that has left ends the server as SIGTERM would."""
    if not emit(text):
        os.kill(os.getpid(), signal.SIGTERM)


def greeting(where: clients.Where, control_url: str, client: str) -> str:
    """The base URL and the lines to copy, for one client if it is named."""
    lines = clients.CLIENTS[client](where) if client else [
        *clients.exports(clients.environment(where)), "", *clients.hermes(where), "", _OTHERS,
    ]  # fmt: skip
    return "\n".join(
        [
            f"serving {where.base_url}  (Ctrl-C to stop)",
            f"control {control_url}",
            *([f"proxy   {where.proxy}"] if where.proxy else []),
            "",
            *lines,
            "",
        ]
    )


def greeting_json(where: clients.Where, control_url: str, client: str) -> str:
    """The same as one JSON object on one line."""
    document = {
        "event": "serving",
        "schema": 1,
        "base_url": where.base_url,
        "control_url": control_url,
        "environment": clients.environment(where),
        "hermes": clients.hermes_files(where),
    }
    return envelope.encoded({**document, "for": clients.CLIENTS[client](where)} if client else document)
