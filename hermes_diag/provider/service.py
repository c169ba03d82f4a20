"""What the connections of one provider share: its options, replies, faults in force, and what it remembers."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from hermes_diag.core.evidence import Happened, Served
from hermes_diag.provider import wire
from hermes_diag.provider.active import ActiveFaults
from hermes_diag.provider.ledger import Ledger
from hermes_diag.provider.listener import Listener
from hermes_diag.provider.reply import DEFAULT, Reply
from hermes_diag.provider.tls import Tls, authority
from hermes_diag.worker.contract import TURN_HEADER

if TYPE_CHECKING:
    from hermes_diag.provider.connection import Connection
    from hermes_diag.provider.exchange import Exchange
    from hermes_diag.provider.upstream import Upstream


class Service(Ledger):
    """A provider apart from its socket. Raises UsageError for a fault it does not know.

    idle_close: seconds after which an idle connection is closed with a FIN. None and 0 set no timer; with 0
    `Provider.close_idle` closes them, for tests that do not wait on a clock.
    faults: specs (`idle-close=0.5`, `rst-mid-stream:every=3`); the first that applies answers.
    http2: speak it, on TLS, with a client that asks for it by ALPN.
    models: patterns of the models there are; None takes any. body_limit in bytes.
    keep, observer: as for Ledger.
    subject: another provider, for which this one serves nothing but the control path.
    """

    def __init__(
        self,
        listener: Listener,
        idle_close: float | None = None,
        *,
        faults: Sequence[str] = (),
        tls: bool = False,
        http2: bool = True,
        reply: Sequence[Reply] = (DEFAULT,),
        models: tuple[str, ...] | None = None,
        require_key: bool = False,
        body_limit: int = wire.MAX_BODY,
        keep: int | None = None,
        observer: Callable[[Happened], None] | None = None,
        upstream: Upstream | None = None,
        subject: Service | None = None,
    ) -> None:
        super().__init__(keep, observer)
        self.listener = listener
        self.idle_close = idle_close
        self.tls = tls
        self.http2 = http2
        self.models = models
        self.require_key = require_key
        self.body_limit = body_limit
        self.upstream = upstream
        self.subject = subject
        self.open: set[Connection] = set()
        self._replies = tuple(reply)
        self._next_reply: Counter[str] = Counter()  # by the API that replies are for
        self._serials = itertools.count(1)
        self.hold_next = False  # the stream of the next request that says nothing of faults
        self.set_faults(faults)

    def set_faults(self, specs: Iterable[str]) -> None:
        """These faults from now on; requests and connections are counted from 1 again. Raises UsageError."""
        self.faults = ActiveFaults(specs, self.tls)
        self.listener.limit(self.faults.limit)
        for connection in list(self.open):  # what the old faults had in mind for an idle connection is off
            if connection.vanished:
                connection.give_up_vanished()
            elif connection.idle:
                connection.stop_timers()
                self.watch_idle(connection)

    # --- replies ---------------------------------------------------------------------------------

    def has_reply(self, api: str) -> bool:
        """Whether there is a reply for that API: a transcript may hold none."""
        return any(reply.api in ("", api) for reply in self._replies)

    def next_reply(self, api: str) -> Reply:
        """The reply that is due; the last of them stays. Streams of one API are counted by themselves."""
        meant = [reply for reply in self._replies if reply.api in ("", api)]
        key = api if any(reply.api for reply in self._replies) else ""
        reply = meant[min(self._next_reply[key], len(meant) - 1)]
        self._next_reply[key] += 1
        return reply

    # --- exchanges -------------------------------------------------------------------------------

    def over(self, exchange: Exchange, finished: bool) -> None:
        """An exchange has been answered, or broken off."""
        connection, status, events = exchange.connection, exchange.status, exchange.events_sent
        turn = exchange.request.headers.get(TURN_HEADER, "")
        self.answered(Served(turn, connection.serial, status, events, finished, exchange.api), exchange.fault)
        what = "answered" if finished else "broken off"
        connection.say(what, status=status, events=events, fault=exchange.fault)
        if connection.half_closed and not connection.gone:
            connection.say("half-closed")

    # --- connections -----------------------------------------------------------------------------

    def admit(self, connection: Connection) -> None:
        """Take in a connection just accepted."""
        connection.serial = next(self._serials)
        self.open.add(connection)
        self.opened(connection.peer)
        self.faults.accept(connection)
        if self.tls:
            connection.secure(Tls(authority().context(connection.certificate, self.http2)))
        connection.say("opened")

    def watch_idle(self, connection: Connection) -> None:
        """Set the timers of what happens to a connection that stays idle."""
        if self.idle_close:
            connection.after(self.idle_close, connection.fin)
        for seconds, act in self.faults.at_idle(connection):
            connection.after(seconds, act)

    def part_with(self, connection: Connection) -> None:
        """A connection is closed on both sides, as far as this side can know."""
        self.open.discard(connection)
        self.faults.forget(connection)
        seen = connection.summary()
        self.lost(seen)
        connection.say("closed", closed_first=seen.closed_first, how=seen.how)

    def tally(self) -> dict[str, int]:
        """Counts since the start, open connections included."""
        counts = self.counts()
        counts["open"] = len(self.open)
        for connection in self.open:
            counts.update(bytes_in=connection.bytes_in, bytes_out=connection.bytes_out)
        return dict(counts)
