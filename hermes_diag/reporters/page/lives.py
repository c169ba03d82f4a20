"""The life of each connection of a cell, from what provider and kernel saw of it. Pure.

The kernel is asked at looks, the provider sees every moment: between two looks its times count.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hermes_diag.core.evidence import Connection, Evidence
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED, LET_GO
from hermes_diag.judge import causes
from hermes_diag.worker.contract import TurnDone

#: Lines that are drawn at most.
MOST = 60
#: Turns that may be under way at a time, and seconds after which the host hears of an end at most.
NEIGHBOURS, HEARD = 32, 0.01


@dataclass(frozen=True)
class Stretch:
    """A part of a life in one state. Seconds since the cell began."""

    begin: float
    end: float
    state: str


@dataclass(frozen=True)
class Life:
    """One connection on the client's side. stretches: without gaps, until it was closed or until the last look."""

    port: int
    serial: int  # of the provider; 0: it did not see this connection
    stretches: tuple[Stretch, ...]
    ends: bool  # False: still open at the last look
    turns: tuple[str, ...]  # "session/turn/attempt" of the requests on it; where these do not say it, of its opening
    place: str  # the line that opened it, "" unknown
    closed_first: str  # "client", "provider", "" unknown
    how: str  # "fin", "reset", ...

    @property
    def begin(self) -> float:
        return self.stretches[0].begin

    @property
    def end(self) -> float:
        return self.stretches[-1].end

    @property
    def state(self) -> str:
        """The last one."""
        return self.stretches[-1].state


def of(evidence: Evidence) -> list[Life]:
    """Every connection of which a time is known, in the order in which they were opened."""
    last = evidence.samples[-1].at if evidence.samples else 0.0
    moves = _moves(evidence)
    known: dict[int, list[Connection]] = {}
    for one in evidence.connections:
        if one.opened is not None:
            known.setdefault(one.port, []).append(one)
    turns: dict[int, list[str]] = {}
    for served in evidence.served:
        if served.turn:
            turns.setdefault(served.connection, []).append(served.turn)
    under_way = _UnderWay(evidence.turns)
    places = {port: place for place, ports in _ports(evidence).items() for port in ports}
    found = []
    for port in sorted({*moves, *known}):
        for connection, seen in _episodes(known.get(port, []), moves.get(port, [])):
            stretches, ends = _life(connection, seen, last)
            if stretches:
                serial = connection.serial if connection else 0
                found.append(
                    Life(
                        port,
                        serial,
                        stretches,
                        ends,
                        tuple(turns.get(serial, ()) or under_way.at(stretches[0].begin)),
                        places.get(port, ""),
                        connection.closed_first if connection else "",
                        connection.how if connection else "",
                    )
                )
    return sorted(found, key=lambda life: (life.begin, life.serial))


def chosen(lives: Iterable[Life], most: int = MOST) -> list[Life]:
    """Those that are drawn: the ones that never end first, then the longest; in the order in which they were opened."""
    best = sorted(lives, key=lambda life: (life.ends, life.begin - life.end))[:most]
    return sorted(best, key=lambda life: (life.begin, life.serial))


class _UnderWay:
    """Which turn was under way: of a turn of the user's own, whose requests carry no name of ours."""

    def __init__(self, turns: Iterable[TurnDone]) -> None:
        known = [(one.at, one) for one in turns if one.at is not None]
        self._turns = sorted(known, key=lambda known: known[0])
        self._ends = [at for at, _ in self._turns]

    def at(self, moment: float) -> tuple[str, ...]:
        """The only turn that can have been; of several none."""
        first = bisect.bisect_left(self._ends, moment)
        known = self._turns[first : first + NEIGHBOURS]
        found = [one for at, one in known if at - one.ms / 1000 - HEARD <= moment]
        return (causes.name(found[0]),) if len(found) == 1 else ()


_Moves = list[tuple[float, str]]


def _moves(evidence: Evidence) -> dict[int, _Moves]:
    """(when, new state) of each local port, in the order of time."""
    found: dict[int, _Moves] = {}
    for moved in evidence.moved:
        for state, ports in moved.to.items():
            for port in ports:
                found.setdefault(port, []).append((moved.at, state))
    return found


def _ports(evidence: Evidence) -> dict[str, list[int]]:
    ports: dict[str, list[int]] = evidence.facts.get("opened", {}).get("ports", {})
    return ports


def _episodes(connections: list[Connection], moves: _Moves) -> Iterator[tuple[Connection | None, _Moves]]:
    """Connections of one port with what was seen of each: the kernel gives a port again when it is free."""
    ordered = sorted(connections, key=lambda one: one.opened or 0.0)
    begins = [one.opened or 0.0 for one in ordered]
    early = [move for move in moves if not begins or move[0] < begins[0]]
    if early and not (begins and all(state not in ("", *LET_GO) for _, state in early)):
        yield None, early
        early = []
    for number, one in enumerate(ordered):
        end = begins[number + 1] if number + 1 < len(ordered) else float("inf")
        yield one, [*(early if number == 0 else ()), *(move for move in moves if begins[number] <= move[0] < end)]


def _life(connection: Connection | None, moves: _Moves, last: float) -> tuple[tuple[Stretch, ...], bool]:
    """The stretches of one connection, and whether it came to an end before the last look."""
    alive = [move for move in moves if move[1] not in ("", *LET_GO)]
    if connection is None and not alive:
        return (), True
    closed = connection.closed if connection else None
    opened = connection.opened if connection and connection.opened is not None else alive[0][0]
    begin, state = min(opened, alive[0][0]) if alive else opened, ESTABLISHED
    stretches: list[Stretch] = []
    for at, new in moves:
        moment = closed if closed is not None and begin < closed < at else at
        if new == "" or new in LET_GO:
            return (*stretches, Stretch(begin, max(begin, moment), state)), True
        if new != state:
            moment = moment if new == CLOSE_WAIT else at
            if moment > begin:
                stretches.append(Stretch(begin, moment, state))
            begin, state = moment, new
    if not alive and closed is not None and closed <= last:  # it came and went between two looks
        return (Stretch(begin, closed, state),), True
    return (*stretches, Stretch(begin, max(begin, last), state)), False
