"""What the connections of one provider share: its options, replies, faults in force, and what it remembers."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from hermes_diag.core.errors import UsageError
from hermes_diag.core.evidence import Happened
from hermes_diag.provider.answers.reply import DEFAULT, Reply
from hermes_diag.provider.answers.store import Store
from hermes_diag.provider.ledger import Ledger
from hermes_diag.provider.plans.active import ActiveFaults
from hermes_diag.provider.plans.plan import FaultPlan
from hermes_diag.provider.plans.schedule import Schedule
from hermes_diag.provider.protocols.http1 import MAX_BODY
from hermes_diag.provider.protocols.room import Room
from hermes_diag.provider.transport.listener import Listener
from hermes_diag.provider.transport.tls import Tls, authority

if TYPE_CHECKING:
    from hermes_diag.provider.transport.connection import Connection
    from hermes_diag.provider.upstream import Upstream


class Service(Ledger):
    """A provider apart from its socket. Raises UsageError for a fault it does not know.

    idle_close: seconds after which an idle connection is closed with a FIN. None and 0 set no timer; with 0
    `Provider.close_idle` closes them, for tests that do not wait on a clock.
    faults: specs (`idle-close=0.5`, `rst-mid-stream:every=3`); the first that applies answers.
    http2: speak it, on TLS, with a client that asks for it by ALPN.
    models: patterns of the models there are; None takes any. With the pattern `*` ids that were never given are
    answered, too: test suites make them up. body_limit in bytes.
    websocket: False answers 426 to a client that asks for a WebSocket.
    keep, observer: as for Ledger.
    subject: another provider, for which this one serves nothing but the control path.
    proxied: there is a proxy, so that its faults can be in force.
    plan: faults as a timeline, instead of `faults`; its clock starts with `begin_plan`.
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
        websocket: bool = True,
        body_limit: int = MAX_BODY,
        keep: int | None = None,
        observer: Callable[[Happened], None] | None = None,
        upstream: Upstream | None = None,
        subject: Service | None = None,
        proxied: bool = False,
        plan: FaultPlan | None = None,
    ) -> None:
        super().__init__(keep, observer)
        self.listener = listener
        self.idle_close = idle_close
        self.tls, self.http2 = tls, http2
        self.models = models
        self.require_key = require_key
        self.websocket = websocket
        self.body_limit, self.room = body_limit, Room(max(body_limit, MAX_BODY))
        self.upstream = upstream
        self.subject = subject
        self.proxied = proxied
        self.open: set[Connection] = set()
        self._replies = tuple(reply)
        self._next_reply: Counter[str] = Counter()  # by the API that replies are for
        self._given_back: defaultdict[str, list[int]] = defaultdict(list)  # the same; a heap
        self.store = Store(any_id="*" in (models or ()))
        self.not_here: set[str] = set()  # paths that were asked for and are not here
        self._serials = itertools.count(1)
        self.hold_next = False  # the stream of the next request that says nothing of faults
        self._start_with(faults, plan)

    def _start_with(self, faults: Sequence[str], plan: FaultPlan | None) -> None:
        self.schedule = None if plan is None else Schedule(plan, self._enter)
        if self.schedule is None:
            self.set_faults(faults)
            return
        if faults:
            raise UsageError("both faults and a plan of faults are given", "write them into the phases of the plan")
        first, *_ = [self._of_phase(number) for number in range(len(self.schedule.plan.phases))]  # all can be in force
        self.use(first)

    def set_faults(self, specs: Iterable[str]) -> None:
        """These faults from now on, and no plan; requests and connections count from 1 again. Raises UsageError."""
        faults = ActiveFaults(specs, self.tls, self.proxied)
        if self.schedule is not None:
            self.schedule.stop()
        self.use(faults)

    def use(self, faults: ActiveFaults) -> None:
        """Put faults in force. An answer that has begun goes on as it is."""
        self.faults = faults
        self.listener.limit(self.faults.limit)
        for connection in list(self.open):  # what the old faults had in mind for an idle connection is off
            if connection.vanished:
                connection.give_up_vanished()
            elif connection.idle:
                connection.stop_timers()
                self.watch_idle(connection)

    # --- plan ------------------------------------------------------------------------------------

    def begin_plan(self) -> None:
        """Start the clock of the plan, if there is one."""
        if self.schedule is not None:
            self.schedule.start()
            self._tell_phase(self.schedule)

    @property
    def phase(self) -> str:
        """The phase of the plan as the tally names it; "" without one."""
        return self.schedule.label if self.schedule is not None else ""

    def _enter(self, number: int) -> None:
        assert self.schedule is not None
        self.use(self._of_phase(number))
        self._tell_phase(self.schedule)

    def _of_phase(self, number: int) -> ActiveFaults:
        assert self.schedule is not None
        plan = self.schedule.plan
        try:
            return ActiveFaults(plan.faults(number), self.tls, self.proxied, plan.shares(number))
        except UsageError as exc:
            where = f"{plan.name}, phase {number + 1} ({plan.phase(number).name})"
            raise UsageError(f"{where}: {exc.message}", exc.hint) from None

    def _tell_phase(self, schedule: Schedule) -> None:
        if self.observer is not None:
            self.observer(Happened(time.time(), 0, "phase", 0, 0, 0, phase=schedule.line))

    # --- replies ---------------------------------------------------------------------------------

    def has_reply(self, api: str) -> bool:
        """Whether there is a reply for that API: a transcript may hold none."""
        return any(reply.api in ("", api) for reply in self._replies)

    def next_reply(self, api: str) -> tuple[Reply, int]:
        """The reply that is due, and its number; the last stays. Streams of one API are counted by themselves."""
        meant = [reply for reply in self._replies if reply.api in ("", api)]
        key = self._counted_by(api)
        if self._given_back[key]:
            number = heapq.heappop(self._given_back[key])
        else:
            number = self._next_reply[key]
            self._next_reply[key] += 1
        return meant[min(number, len(meant) - 1)], number

    def give_back(self, api: str, number: int) -> None:
        """A reply was broken off before its end: it is due again."""
        if len(self._replies) > 1:
            heapq.heappush(self._given_back[self._counted_by(api)], number)

    def _counted_by(self, api: str) -> str:
        return api if any(reply.api for reply in self._replies) else ""

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
