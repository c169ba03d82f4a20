"""Which request clients have no end yet. A client has no name in the log: its thread, and the time, tell which one is
meant. Pure, and of bounded memory.

A request client is made by a thread of its own and closed by it. Another thread, that of its session, gives it up
when it falls silent or its user interrupts: Hermes from 0.15 on shuts its sockets down then (`aborted`) and leaves
the close to its thread, 0.13 and 0.14 close it (`closed`). Such a line names the session and its thread, and not that
of the client; the line of its creation names no session. A session makes one client after each of its steps (begin of
a turn, answer, wait before a retry), so that a new client is taken for that of the session that has waited longest
for one. Where several waited it is not sure: when a client that was given up then turns out to be closed by its own
thread, and another session has its answer at once, the line has meant another client, which was made after the same
step.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass, field

#: Clients without an end, turns and sessions that are remembered; the oldest are forgotten first.
CLIENTS, SESSIONS = 30_000, 10_000
#: Clients without an end, the newest, among which one is searched that was given up.
SEARCHED = 1000
#: Sessions among which one is searched that waits for a client, and seconds that it may come before it is due.
WAITING, EARLY = 64, 0.2
#: Seconds between the close of a client and what its session says of the answer.
AT_ONCE = 0.1
#: Seconds after which a turn of which the log says nothing more is taken for over, and within which an aborted client
#: may still be closed by its thread although its session says nothing more.
SILENT, UNWINDS = 3600.0, 60.0
#: Seconds that a thread has to close its client after the sockets were shut down, whatever its session does meanwhile.
SOON = 1.0


@dataclass(slots=True)
class Client:
    """A request client. session: of which it is, if that is known; sure: and cannot be another. end: "" none,
    "aborted", "closed" by another thread. mark, by: the step after which a search for it began, and the session that
    ended it."""

    serial: int
    at: float
    thread: bytes
    reason: bytes
    in_turn: bool
    session: bytes = b""
    sure: bool = False
    end: str = ""
    ended_at: float = 0.0
    ended_serial: int = 0
    forced: int = 0
    mark: int = 0
    by: bytes = b""


@dataclass(slots=True)
class _Turn:
    serial: int
    last: float


@dataclass
class Open:
    """What is under way. In a plain dict the first key is not found at once when many before it were taken out."""

    by_ident: OrderedDict[bytes, Client] = field(default_factory=OrderedDict)
    alive: OrderedDict[int, Client] = field(default_factory=OrderedDict)  # those that nobody has ended, by serial
    turns: OrderedDict[bytes, _Turn] = field(default_factory=OrderedDict)
    steps: OrderedDict[bytes, int] = field(default_factory=OrderedDict)  # by session: when its last step was
    waiting: OrderedDict[bytes, float] = field(default_factory=OrderedDict)  # sessions, and when they make a client
    idle: OrderedDict[bytes, float] = field(default_factory=OrderedDict)  # those that may yet make it
    unnamed: OrderedDict[int, Client] = field(default_factory=OrderedDict)  # lines that ended none, it seemed
    latest: dict[bytes, int] = field(default_factory=dict)  # by session: its last client
    woken: tuple[Client, float] | None = None  # one that was given up, it seems, and closed by its own thread just now
    serial: int = 0

    def created(self, ident: bytes, thread: bytes, at: float, reason: bytes, session: bytes | None) -> Client | None:
        """The client that this thread, or an earlier one of that number, has left. session: where the line names it."""
        self.serial = serial = self.serial + 1
        before = self.by_ident.pop(ident, None)
        if before is not None:
            self._forget(before)
        client = Client(serial, at, thread, reason, bool(self.turns))
        client.session, client.sure = (session, True) if session else self._whose(at)
        if client.session:
            self.waiting.pop(client.session, None)
            if session:
                self.idle.pop(session, None)
            self.latest[client.session] = serial
        self.by_ident[ident] = self.alive[serial] = client
        return before

    def _whose(self, at: float) -> tuple[bytes, bool]:
        """The session that has waited longest for a client, and whether it can be none other."""
        ready = [(due, name) for name, due in itertools.islice(self.waiting.items(), WAITING) if due <= at + EARLY]
        if not ready:
            return b"", False
        owners = itertools.islice((name for name, due in self.idle.items() if due <= at + EARLY), 2)
        name = min(ready)[1]
        sure = list(owners) == [name]
        if sure:
            del self.idle[name]
        return name, sure

    def _forget(self, client: Client) -> None:
        self.alive.pop(client.serial, None)
        if self.latest.get(client.session) == client.serial:
            del self.latest[client.session]

    def forgotten(self) -> Client | None:
        """The oldest client, when there are too many."""
        if len(self.by_ident) <= CLIENTS:
            return None
        _, client = self.by_ident.popitem(last=False)
        self._forget(client)
        return client

    def closed(self, ident: bytes, thread: bytes, at: float) -> Client | None:
        """The client that its own thread closes; None where it has none."""
        client = self.by_ident.get(ident)
        if client is None or client.thread != thread:
            return None
        del self.by_ident[ident]
        self._forget(client)
        self.woken = (client, at) if client.end and not (client.sure and client.session == client.by) else None
        return client

    def answered(self, session: bytes, at: float) -> None:
        """A session has its answer, or a failure. A client that was closed right before was its own, and no line of
        another session can have meant it."""
        if self.woken:
            client, closed = self.woken
            self.woken = None
            if at - closed <= AT_ONCE and session != client.by:
                self._hand_over(client)

    def given_up(self, ident: bytes, thread: bytes, session: bytes, end: str, at: float, forced: int) -> bool:
        """A thread ends a client, mostly that of another one. False: there is none that it can be."""
        self.serial += 1
        mark = self.steps.get(session, 0)
        own = self.by_ident.get(ident)
        if own is not None and own.thread == thread and not own.end:
            client = self.alive.pop(own.serial, None)
        else:
            client = self.alive.pop(self.latest.get(session, 0), None) or self._meant(mark, self.serial)
        said = Client(self.serial, at, thread, b"", False, b"", False, end, at, self.serial, forced, mark, session)
        if client is None:
            self.unnamed[self.serial] = said
            if len(self.unnamed) > SEARCHED:
                self.unnamed.popitem(last=False)
            return False
        _end(client, said)
        return True

    def explained(self, client: Client) -> bool:
        """Whether a line that seemed to mean no client can have meant this one, which has no end; it has one then."""
        for serial, said in self.unnamed.items():
            if said.mark < client.serial < serial:
                _end(client, self.unnamed.pop(serial))
                return True
        return False

    def _hand_over(self, wrong: Client) -> None:
        """The line that ended one client meant another one."""
        client = self._meant(wrong.mark, wrong.ended_serial)
        if client is not None:
            _end(client, wrong)

    def _meant(self, mark: int, before: int) -> Client | None:
        """The first one that was made between these moments, that nobody has ended, and that may be of any session."""
        found = None
        for serial in itertools.islice(reversed(self.alive), SEARCHED):
            if serial <= mark:
                break
            if serial < before and not self.alive[serial].sure:
                found = serial
        return None if found is None else self.alive.pop(found)

    # --- turns -----------------------------------------------------------------------------------

    def begin_turn(self, session: bytes, at: float) -> None:
        """A turn of a session begins, and with it an earlier one of the same session is over."""
        self.end_turn(session)
        self.turns[session] = _Turn(self.serial, at)
        self.waiting[session] = self.idle[session] = at
        if len(self.turns) > SESSIONS:
            self.turns.popitem(last=False)

    def step(self, session: bytes, at: float, due: float | None = None) -> None:
        """A session goes on within its turn. due: when it will make its next client, if it will."""
        self._stepped(session)
        if turn := self.turns.get(session):
            turn.last = at
        if due is not None:
            self.waiting[session] = self.idle[session] = due

    def end_turn(self, session: bytes) -> None:
        self._stepped(session)
        self.turns.pop(session, None)

    def _stepped(self, session: bytes) -> None:
        self.serial += 1
        self.steps.pop(session, None)
        self.waiting.pop(session, None)
        self.idle.pop(session, None)
        self.steps[session] = self.serial
        if len(self.steps) > SESSIONS:
            oldest, _ = self.steps.popitem(last=False)
            for known in (self.waiting, self.idle, self.latest):
                known.pop(oldest, None)

    def first_turn(self, end: float) -> int:
        """The serial of the oldest turn that is still heard of."""
        while self.turns:
            session, turn = next(iter(self.turns.items()))
            if turn.last > end - SILENT:
                return turn.serial
            del self.turns[session]
        return self.serial + 1

    def went_on(self, client: Client, end: float, first_turn: int) -> bool:
        """Whether the turn that made a client, or the session that gave it up, has gone on. first_turn: as above."""
        if client.end:
            if client.forced and end - client.ended_at < SOON:
                return False
            return self.steps.get(client.by, 0) > client.ended_serial or end - client.ended_at > UNWINDS
        if client.sure and client.session in self.steps:
            return self.steps[client.session] > client.serial
        return client.in_turn and client.serial < first_turn


def _end(client: Client, said: Client) -> None:
    """A client ends as a line says, which was taken to mean another one, or none."""
    client.end, client.ended_at, client.ended_serial = said.end, said.ended_at, said.ended_serial
    client.forced, client.mark, client.by = said.forced, said.mark, said.by
