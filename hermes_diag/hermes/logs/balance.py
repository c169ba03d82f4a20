"""What the lines of a log add up to. Pure; fed with chunks of whole lines, the oldest first."""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter
from datetime import tzinfo

from hermes_diag.core.agent_log import Clients, Ends, Left
from hermes_diag.hermes.logs import lines, names, tally
from hermes_diag.hermes.logs.clock import Clockwork
from hermes_diag.hermes.logs.open import Client, Open

#: Examples that are kept of each kind, types of errors and ends of turns that are told apart, values of a latency.
EXAMPLES, TYPES, LATENCIES = 5, 200, 20_000
SHARED, REQUEST = "shared", "request"
ENDLESS, STRANDED, UNCLOSED = "endless", "stranded", "aborted_unclosed"
_OF_CLIENT = (4, lines.VERB, lines.SHARED, lines.FORCED, lines.THREAD, lines.IDENT)
_VERBS = {b"created": tally.CREATED, b"closed": tally.CLOSED, b"aborted": tally.ABORTED}


class Balance:
    """zone: of the log; None: this machine's. since, until: lines at other moments are left out."""

    def __init__(self, zone: tzinfo | None = None, since: float | None = None, until: float | None = None) -> None:
        self.clock = Clockwork(zone)
        self._since = -math.inf if since is None else since
        self._until = math.inf if until is None else until
        self.skipped = False  # lines were left out
        self.begin: float | None = None
        self.end: float | None = None
        self.silence = (0.0, 0.0)  # the longest: its begin, its seconds
        self.ends = {b"False": [0, 0, 0, 0], b"True": [0, 0, 0, 0]}  # by whether they are shared
        self.open = Open()
        self.found: Counter[str] = Counter()  # how request clients were settled
        self.left: dict[str, list[tuple[float, int, Left]]] = {ENDLESS: [], STRANDED: [], UNCLOSED: []}
        self.nothing_closed: tuple[float, float] | None = None  # the first one, the last one
        self.turn_ends: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.latencies: Counter[bytes] = Counter()
        self.gave_up = self.orphans = self.unnamed = 0
        self.totals = [0] * len(tally.NAMES)
        self.times, self.runs = tally.Times(), tally.Runs(self.totals)
        self._latest: float | None = None
        self._part = self.totals  # the counts of this part of the time
        self.threads, self.sessions = tally.Kinds(), tally.Named()

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the log: whole lines, each with its newline before it."""
        moment, client, other = self.clock.at, self._client, self._other
        since, until, last, latest = self._since, self._until, self.end, self._latest
        part = self.times.at
        for match in lines.LINE.finditer(chunk):
            at = moment(*match.group(1, 2, 3))
            if at is None:
                continue
            if not since <= at <= until:
                self.skipped = True
                continue
            if last is None:
                self.begin = last = at
                if match.lastindex != lines.START:
                    self.runs.begin(at, False)
            latest = last if latest is None or last > latest else latest  # a clock that was set back is no silence
            if at - latest > self.silence[1]:
                self.silence = (latest, at - latest)
            self.end = last = at
            self._part = part(at)
            if (match.lastindex or 0) <= lines.NO_THREAD:
                client(match, at)
            else:
                other(match, match.lastindex or 0, at)
        self._latest = latest

    def _count(self, what: int, session: bytes | None = None) -> None:
        self._part[what] += 1
        self.totals[what] += 1
        if session:
            self.sessions.add(session, what)

    # --- clients -----------------------------------------------------------------------------------

    def _client(self, match: re.Match[bytes], at: float) -> None:
        session, verb, shared, forced, thread, ident = match.group(*_OF_CLIENT)
        what = _VERBS[verb]
        ends = self.ends[shared]
        ends[what] += 1
        request = ident and shared == b"False"
        if ident:
            self.threads.add(thread, verb, shared)
        if what == tally.CREATED:
            self._count(what)
            if request:
                self._created(match, at)
        elif what == tally.CLOSED:
            self._count(what)
            if request:
                self._closed(ident, thread, session, at)
        else:
            self._count(what, session)
            count = int(forced or 0)
            if not count:
                ends[3] += 1
                self._count(tally.NOTHING_CLOSED, session)
                self.nothing_closed = (self.nothing_closed[0] if self.nothing_closed else at, at)
            if request and not self.open.given_up(ident, thread, session or b"", "aborted", at, count):
                self.unnamed += 1

    def _created(self, match: re.Match[bytes], at: float) -> None:
        self.found["created"] += 1
        session, reason, thread, ident = match.group(4, lines.REASON, lines.THREAD, lines.IDENT)
        if gone := self.open.created(ident, thread, at, reason, session):
            self._settle(gone, "its thread went on")
        if gone := self.open.forgotten():
            self._look(gone, at, "under_way")

    def _closed(self, ident: bytes, thread: bytes, session: bytes | None, at: float) -> None:
        """A request client was closed: by its own thread, or by one that gave it up, which has a session."""
        if self.open.closed(ident, thread, at):
            self.found["closed"] += 1
        elif not session:
            self.orphans += 1
        elif not self.open.given_up(ident, thread, session, "closed", at, 0):
            self.unnamed += 1

    def _look(self, client: Client, at: float, otherwise: str) -> None:
        """Settle a client that will not be heard of any more. otherwise: what it is when nothing has gone on."""
        if self.open.went_on(client, at, self.open.first_turn(at)):
            self._settle(client, "its session went on" if client.end else "the turns of its time are over")
        else:
            self.found[otherwise] += 1

    def _settle(self, client: Client, why: str) -> None:
        """A request client that its own thread will not close any more."""
        if not client.end and self.open.explained(client):
            self.unnamed -= 1
        if client.end == "closed":
            self.found["ended_by_others"] += 1
            return
        kind = ENDLESS if not client.end else UNCLOSED if client.forced else STRANDED
        self.found[kind] += 1
        self._count(tally.STRANDED if kind == STRANDED else tally.ENDLESS)
        since, kept = client.ended_at or client.at, self.left[kind]
        item = (-since, -client.serial)
        if len(kept) == EXAMPLES and item < kept[0][:2]:
            return
        heapq.heappush(kept, (*item, Left(since, names.word(client.thread), names.word(client.reason), why)))
        if len(kept) > EXAMPLES:
            heapq.heappop(kept)

    # --- turns -----------------------------------------------------------------------------------

    def _other(self, match: re.Match[bytes], kind: int, at: float) -> None:
        session = match[4] or b""
        if kind == lines.LATENCY:
            self._count(tally.CALLS)
            latency = match[kind]
            if latency in self.latencies or len(self.latencies) < LATENCIES:
                self.latencies[latency] += 1
            self.open.answered(session, at)
            self.open.step(session, at, at)
        elif kind == lines.FAILED:
            self._count(tally.FAILURES, session)
            _add(self.failures, match[kind])
            self.open.answered(session, at)
            self.open.step(session, at)
        elif kind == lines.RETRY:
            self._count(tally.RETRIES, session)
            self.open.step(session, at, at + _seconds(match[kind]))
        elif kind == lines.GAVE_UP:
            self.gave_up += 1
            self.open.end_turn(session)
        elif kind == lines.TURN:
            self._count(tally.TURNS, match[kind])
            self.open.begin_turn(match[kind], at)
            if release := lines.RELEASES.get(match[5]):
                self.runs.here.lines[release] = None
        elif kind == lines.ENDED:
            _add(self.turn_ends, match[kind])
            self.open.end_turn(session)
        elif match[5] == b"gateway.run":
            self._gateway(kind == lines.STOP, at)

    def _gateway(self, stops: bool, at: float) -> None:
        if stops:
            self.runs.here.stopped = at
        else:
            self._rest(at, "cut")
            self.runs.begin(at, True)

    # --- the end -----------------------------------------------------------------------------------

    def _rest(self, at: float, otherwise: str) -> None:
        """Settle what is open, as the process or the log ends."""
        for client in self.open.by_ident.values():
            self._look(client, at, otherwise)
        self.open = Open(serial=self.open.serial)  # two clients of one moment are told apart by it

    def clients(self) -> Clients:
        """The balance; to be asked for once, at the end."""
        if self.end is not None:
            self._rest(self.end, "under_way")
        names = ("created", "closed", "ended_by_others", UNCLOSED, STRANDED, ENDLESS, "cut", "under_way")
        return Clients(**{name: self.found[name] for name in names})

    def roles(self) -> dict[str, Ends]:
        return {REQUEST: Ends(*self.ends[b"False"]), SHARED: Ends(*self.ends[b"True"])}

    def oldest(self) -> tuple[Left, ...]:
        every = [item for kept in self.left.values() for item in kept]
        return tuple(one for _, _, one in sorted(every, key=lambda item: (-item[0], -item[1])))


def _add(counts: Counter[str], name: bytes) -> None:
    """Count under a name; those that come when there are many are counted together."""
    word = names.word(name)
    counts[word if word in counts or len(counts) < TYPES else tally.OTHERS.decode()] += 1


def _seconds(text: bytes) -> float:
    """Of a wait; 0 where the digits are none."""
    try:
        return float(text)
    except ValueError:
        return 0.0
