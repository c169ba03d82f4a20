"""What a provider remembers of the requests and connections it has seen: names and numbers of its own only."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable

from hermes_diag.core.evidence import Connection as Seen
from hermes_diag.core.evidence import Happened, Served


class Ledger:
    """Records and counts since the start. keep: how many records are remembered; None keeps all.

    observer: called with each thing that happens on a connection, as it happens.
    """

    def __init__(self, keep: int | None = None, observer: Callable[[Happened], None] | None = None) -> None:
        self.served: deque[Served] = deque(maxlen=keep)
        self.seen: deque[Seen] = deque(maxlen=keep)
        self.closed: dict[tuple[str, int], None] = {}  # peers that were sent a FIN or RST, the latest last
        self.posts = 0  # requests to the two APIs that have come in so far, answered or not
        self.vanish_is_real: bool | None = None  # None: no connection had to vanish yet
        self.observer = observer
        self.begun = time.monotonic()  # times of connections count from here
        self._keep = keep
        self._counts: Counter[str] = Counter()
        self._by_phase: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def opened(self, peer: tuple[str, int]) -> None:
        """A connection was accepted. The kernel may give it the port of one that was closed."""
        self._counts["connections"] += 1
        self.closed.pop(peer, None)

    def answered(self, served: Served, fault: str, phase: str) -> None:
        """An exchange is over, whether it was finished or not. phase: of a plan, in which it began; "" without one."""
        self.served.append(served)
        self._counts["requests"] += 1
        self._counts[f"fault {fault}"] += 1
        if phase:
            self._by_phase[phase].update(("requests", f"fault {fault}"))

    def upgraded(self, fault: str) -> None:
        """A connection has become a WebSocket, with that fault or "" without one; its turns are counted as requests."""
        self._counts["upgrades"] += 1
        if fault:
            self._counts[f"fault {fault}"] += 1

    def was_sent_fin(self, peer: tuple[str, int]) -> None:
        """The provider has closed its half of the connection with that peer, by FIN or RST."""
        self.closed[peer] = None
        if self._keep is not None and len(self.closed) > self._keep:
            del self.closed[next(iter(self.closed))]

    def lost(self, seen: Seen) -> None:
        """A connection is closed on both sides, as far as this side can know."""
        self.seen.append(seen)
        self._counts["bytes_in"] += seen.bytes_in
        self._counts["bytes_out"] += seen.bytes_out
        self._counts[f"closed first by {seen.closed_first}, {seen.how}" if seen.how else "closed last"] += 1

    def counts(self) -> Counter[str]:
        """What was counted so far; bytes of connections that are still open are not in it."""
        counts = Counter({"connections": 0, "requests": 0, "bytes_in": 0, "bytes_out": 0})
        counts.update(self._counts)
        for phase, counted in self._by_phase.items():
            counts.update({f"phase {phase}, {what}": count for what, count in counted.items()})
        return counts
