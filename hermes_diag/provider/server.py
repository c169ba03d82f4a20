"""The provider on a real socket: asyncio, 127.0.0.1, a port of its own."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hermes_diag.core.errors import UsageError
from hermes_diag.core.evidence import Connection as Seen
from hermes_diag.core.evidence import Happened, Served
from hermes_diag.provider import faults as catalogue
from hermes_diag.provider import replies, routes, wire
from hermes_diag.provider.connection import Connection
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.faults import Fault
from hermes_diag.provider.listener import Listener
from hermes_diag.provider.tls import Tls, authority

if TYPE_CHECKING:
    from hermes_diag.provider.upstream import Upstream

#: How long the provider waits for the other side of anything it does at a barrier.
PATIENCE = 10.0


class Provider:
    """Listens on 127.0.0.1 at a port the kernel chooses (or at `port`), until `stop`.

    idle_close: seconds after which an idle keep-alive connection is closed with a FIN. None and 0
    set no timer; `close_idle` then closes them at once, for conductors that do not wait on a clock.
    faults: specs (`idle-close=0.5`, `rst-mid-stream:every=3`); the first that applies answers.
    models: patterns of the models there are; None takes any. body_limit in bytes.
    keep: how many records of requests and connections are remembered; None keeps all.
    subject: another provider, for which this one serves nothing but the control path.
    """

    def __init__(
        self,
        idle_close: float | None = None,
        *,
        faults: Sequence[str] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        tls: bool = False,
        reply: Sequence[replies.Reply] = (replies.DEFAULT,),
        models: tuple[str, ...] | None = None,
        require_key: bool = False,
        body_limit: int = wire.MAX_BODY,
        keep: int | None = None,
        observer: Callable[[Happened], None] | None = None,
        upstream: Upstream | None = None,
        subject: Provider | None = None,
    ) -> None:
        self.idle_close = idle_close
        self.tls = tls
        self._replies = tuple(reply)
        self._next_reply: Counter[str] = Counter()  # by the API that replies are for
        self.models = models
        self.upstream = upstream
        self.subject = subject
        self.require_key = require_key
        self.body_limit = body_limit
        self.vanish_is_real: bool | None = None  # None: nothing had to vanish yet
        self.open: set[Connection] = set()
        self.served: deque[Served] = deque(maxlen=keep)
        self.seen: deque[Seen] = deque(maxlen=keep)
        self.closed: dict[tuple[str, int], None] = {}  # peers that were sent a FIN or RST, the latest last
        self._keep = keep
        self._observer = observer
        self._held: dict[Exchange, asyncio.Event] = {}
        self._serials = itertools.count(1)
        self._counts: Counter[str] = Counter()
        self._numbers: dict[Connection, int] = {}  # as conditions count them
        self.posts = 0  # requests to the APIs that have come in so far, answered or not
        self._listener = Listener(lambda: Connection(self), host, port)
        self.set_faults(faults)

    async def start(self) -> None:
        """Bind and listen. Raises OSError when the kernel gives no port."""
        await self._listener.start()

    @property
    def address(self) -> tuple[str, int]:
        """(127.0.0.1, port)"""
        return self._listener.address

    @property
    def base_url(self) -> str:
        host, port = self.address
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/v1"

    async def stop(self) -> None:
        """Stop listening and drop what is open; what became of it is counted and said."""
        await self._listener.stop()
        while self.open:
            answers = [connection.answer for connection in self.open if connection.answer is not None]
            for connection in list(self.open):
                connection.abort()
            await asyncio.sleep(0)
            if answers:
                await asyncio.wait(answers)

    # --- faults ----------------------------------------------------------------------------------

    def set_faults(self, specs: Iterable[str]) -> None:
        """These faults from now on; requests and connections are counted from 1 again. Raises UsageError."""
        if isinstance(specs, str):
            raise UsageError(f"faults is the text {specs!r}", f"write faults=[{specs!r}]")
        if not isinstance(specs, Iterable):
            raise UsageError(f"faults is {specs!r}", "write faults=['rst-mid-stream:every=3'], a list of texts")
        faults = tuple(catalogue.parse(spec) for spec in specs)
        for fault in faults:
            if fault.needs_tls and not self.tls:
                raise UsageError(f"fault {fault.name} needs TLS", "add --tls")
        self.faults: tuple[Fault, ...] = faults
        self._requests: Counter[str] = Counter()  # by the paths that faults are meant for
        self._numbers.clear()
        self._numbered = 0
        self._answers = [fault for fault in faults if fault.hook == "answer"]
        self._shapes = [fault for fault in faults if fault.hook == "shape"]
        self._idles = [fault for fault in faults if fault.hook == "idle"]
        self._hellos = [fault for fault in faults if fault.hook == "hello"]
        self._listener.limit(min((fault.limit() for fault in faults if fault.hook == "limit"), default=None))
        for connection in list(self.open):
            connection.watch_anew()

    def covers(self, path: str) -> bool:
        """Whether a fault names that path, which is none of the APIs."""
        return any(fault.when.covers(path, False) for fault in (*self._answers, *self._shapes))

    def fault_named(self, spec: str) -> Fault | None:
        """The fault that a request asks for by header; None when there is no such fault."""
        try:
            fault = catalogue.parse(spec)
        except UsageError:
            return None
        return fault if fault.hook == "answer" else None

    def fault_for(self, exchange: Exchange) -> Fault | None:
        """The first fault that applies to a request, after those that only shape the answer."""
        if not self.faults:
            return None
        path, by_default = exchange.request.path, bool(exchange.api)
        connection = self._number(exchange.connection)
        faults = (*self._shapes, *self._answers)
        meant = {fault.when.path for fault in faults if fault.when.covers(path, by_default)}
        self._requests.update(meant)

        def applies(fault: Fault) -> bool:
            where = fault.when.path
            return where in meant and fault.when.holds(self._requests[where], connection)

        for fault in filter(applies, self._shapes):
            fault.shape(exchange)
        return next(filter(applies, self._answers), None)

    def _number(self, connection: Connection) -> int:
        """Which connection it is for conditions, counted since the faults were set."""
        if connection not in self._numbers:
            self._numbered += 1
            self._numbers[connection] = self._numbered
        return self._numbers[connection]

    def has_reply(self, api: str) -> bool:
        """Whether there is a reply for that API: a transcript may hold none."""
        return any(reply.api in ("", api) for reply in self._replies)

    def next_reply(self, api: str) -> replies.Reply:
        """The reply that is due; the last of them stays. Streams of one API are counted by themselves."""
        meant = [reply for reply in self._replies if reply.api in ("", api)]
        key = api if any(reply.api for reply in self._replies) else ""
        reply = meant[min(self._next_reply[key], len(meant) - 1)]
        self._next_reply[key] += 1
        return reply

    def at_idle(self, connection: Connection) -> Iterator[tuple[float, Callable[[], None]]]:
        """What to do with a connection that stays idle: (after seconds, act)."""
        if self.idle_close:
            yield self.idle_close, connection.fin
        number = self._numbers.get(connection, 0)
        for fault in self._idles:
            if fault.when.holds(0, number):
                yield fault.seconds, fault.idle(connection)

    # --- connections -----------------------------------------------------------------------------

    def admit(self, connection: Connection) -> None:
        """Take in a connection just accepted."""
        connection.serial = next(self._serials)
        number = self._number(connection)
        self.open.add(connection)
        self._counts["connections"] += 1
        for fault in self._hellos:
            if fault.when.holds(0, number):
                fault.hello(connection)
        if self.tls:
            connection.secure(Tls(authority().context(connection.certificate)))
        self.say(connection, "opened")

    def lost(self, connection: Connection, seen: Seen) -> None:
        """A connection is closed on both sides, as far as this one can know."""
        self.open.discard(connection)
        self._numbers.pop(connection, None)
        self.seen.append(seen)
        self._counts["bytes_in"] += seen.bytes_in
        self._counts["bytes_out"] += seen.bytes_out
        self._counts[f"closed first by {seen.closed_first}, {seen.how}" if seen.how else "closed last"] += 1
        if not connection.vanished:
            self._listener.gone()
        self.say(connection, "closed", closed_first=seen.closed_first, how=seen.how)

    def lost_sight(self, connection: Connection, real: bool) -> None:
        """A connection has vanished; for the limit of connections it is no more."""
        self.vanish_is_real = real
        self._listener.gone()
        self.say(connection, "vanished" if real else "vanished (no filter allowed: accepts, never answers)")

    def was_sent_fin(self, peer: tuple[str, int]) -> None:
        self.closed[peer] = None
        if self._keep is not None and len(self.closed) > self._keep:
            del self.closed[next(iter(self.closed))]

    # --- what is remembered and said -------------------------------------------------------------

    def answered(self, connection: Connection, served: Served, exchange: Exchange) -> None:
        """An exchange is over, whole or not."""
        self.served.append(served)
        self._counts["requests"] += 1
        self._counts[f"fault {exchange.fault}"] += 1
        if self._observer is not None:
            self.say(
                connection,
                "answered" if served.finished else "broken off",
                status=served.status,
                events=served.events,
                fault=exchange.fault,
            )

    def tally(self) -> dict[str, int]:
        """Counts since the start."""
        counts = Counter({"connections": 0, "requests": 0, "bytes_in": 0, "bytes_out": 0, "open": len(self.open)})
        counts.update(self._counts)
        for connection in self.open:
            counts.update(bytes_in=connection.bytes_in, bytes_out=connection.bytes_out)
        return dict(counts)

    @property
    def observed(self) -> bool:
        return self._observer is not None

    def say(self, connection: Connection, what: str, **details: Any) -> None:
        """Tell the observer what happened on a connection."""
        if self._observer is not None:
            self._observer(
                Happened(
                    time.time(),
                    connection.serial,
                    what,
                    connection.requests,
                    connection.bytes_in,
                    connection.bytes_out,
                    **details,
                )
            )

    def say_request(self, exchange: Exchange) -> None:
        if self._observer is not None:
            exchange.say("request", path=routes.name(exchange.request.path))

    # --- what a conductor may order at a barrier -------------------------------------------------

    async def let_go(self, exchange: Exchange) -> None:
        """Wait, on behalf of a held exchange, for `release`."""
        event = self._held[exchange] = asyncio.Event()
        try:
            await event.wait()
        finally:
            self._held.pop(exchange, None)

    async def release(self) -> None:
        """Let every held exchange go on."""
        for event in self._held.values():
            event.set()

    async def settle(self) -> None:
        """Return once no exchange is being answered (silent ones apart) and every FIN that has
        reached this side is dealt with. Raises TimeoutError after PATIENCE."""
        async with asyncio.timeout(PATIENCE):
            while not all(connection.settled for connection in self.open):
                await asyncio.sleep(0.001)

    async def close_idle(self) -> None:
        """Close every idle connection with a FIN; with an idle_close in seconds, wait for the timers
        to do it; without one leave them open. Faults that act at idle act instead. Raises TimeoutError."""
        slowest = max((fault.seconds for fault in self._idles), default=0.0)
        async with asyncio.timeout(PATIENCE + slowest):
            while any(connection.awaits_timer for connection in self.open):
                await asyncio.sleep(0.001)
        if self.idle_close == 0:
            for connection in [one for one in self.open if one.idle]:
                connection.fin()
        if self.idle_close is not None:
            async with asyncio.timeout(PATIENCE + self.idle_close):
                while any(connection.idle or connection.closing for connection in self.open):
                    await asyncio.sleep(0.001)
