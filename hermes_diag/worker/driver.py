"""What a workload asks of a driver: the replay loop (replay.py) or the driver of the real Hermes (hermes_agent.py).

job                    what was asked for (contract.Job)
rounds()               numbers of the rounds, from 1, with an idle gap after some of them
order()                the sessions in the order in which this round serves them
turn(session, turn)    one user turn from beginning to end, with its retries. `interrupt`: its user interrupts it
                       after the first event. `hold`: an Event; the provider holds the stream after its first event,
                       and `hold` is set when that was read. `abort`: the provider falls silent and a watchdog gives
                       the stream up; with `hold` the provider holds it, and the watchdog waits for `hold` first
barrier(label)         stand still until the host has taken its snapshot; labels are those of contract.Barrier
"""

import importlib
import random
import threading
import weakref

from . import connected, event_loop, inside, occupancy
from .contract import ClientBuilt, Fact, Pools

#: provider/faults/hold.py: the first event, then nothing until the host lets the stream go on.
HOLD = "hold"


class Driver:
    """What the two drivers have in common."""

    sessions = ()

    def __init__(self, job, sdk, channel):
        self.job, self.sdk, self.channel = job, sdk, channel
        self.turns = 0  # begun so far
        self._freed = 0  # connections that were closed only when garbage was collected
        self.builds = Builds(channel)
        self._random = random.Random(job.seed)

    def run_workload(self):
        """Run the file in workloads/ that the job names."""
        importlib.import_module(".workloads." + self.job.workload, __package__).run(self)

    def places(self, most):
        """How many turns may be under way at a time, `most` at most."""
        return most

    def hold_next(self):
        """Have the provider hold the stream of the next turn, where the turn itself cannot ask for it."""

    def turn_beside(self, session, turn):
        """A turn while others are under way. None, or what waits for them: its end() is to be called after theirs."""
        self.turn(session, turn)
        return None

    def rounds(self):
        """Idle gaps are spread evenly: at most `job.barriers` of them, the last one after the last round."""
        turns = self.job.turns
        every = max(1, -(-turns // self.job.barriers))
        for turn in self.numbers():
            yield turn
            if turn % every == 0 or turn == turns:
                self.barrier("idle")

    def numbers(self):
        """The rounds that were asked for, and more while it cannot be told whether something grows without end."""
        turn, least = 0, self.job.turns
        held = []
        while turn < least or self.goes_on(held):
            turn += 1
            yield turn
            held.append(self.held())

    def collect(self):
        """Collect garbage, at an idle gap: when it runs by itself is chance, and would decide what is counted."""
        held = connected.count()
        event_loop.collect()
        self._freed += max(0, held - connected.count())

    def tell_freed(self):
        """Tell the host how many connections that has closed."""
        if self._freed:
            self.channel.send(Fact("freed", self._freed))

    def held(self):
        """How much this process holds: connections, other descriptors, threads."""
        return len(connected.descriptors()) + threading.active_count()

    def goes_on(self, held):
        """Whether to take another round after those that were asked for. held: how much was held after each."""
        return False

    def order(self):
        return self._random.sample(self.sessions, len(self.sessions))

    def barrier(self, label):
        found = occupancy.worst(self.builds.pools()) if label != "hold" else None
        if found is not None:
            self.channel.send(Pools(turns=self.turns, **found))
        self.channel.barrier(label, self.turns)


class Builds:
    """Tells the host of each client that was built, from whatever thread. Numbers objects: the same object, the
    same number, without keeping it alive."""

    def __init__(self, channel):
        self._channel = channel
        self._lock = threading.Lock()
        self._known = weakref.WeakKeyDictionary()
        self._pools = weakref.WeakSet()
        self._last = 0
        self._clients = 0

    def serial_of(self, thing):
        with self._lock:
            if thing not in self._known:
                self._last += 1
                self._known[thing] = self._last
            return self._known[thing]

    def pools(self):
        """The pools behind the clients that were built and still live, mounted ones too."""
        with self._lock:
            return list(self._pools)

    def tell(self, client, session, role, before, kwargs):
        """before, kwargs: the factory's argument as it was, and as it is now."""
        with self._lock:
            self._clients += 1
            serial = self._clients
            self._pools.update(pool for _, pool in inside.pools(client))
        limits = inside.pool_limits(client)
        self._channel.send(
            ClientBuilt(
                serial=serial,
                session=session,
                role=role,
                http_client=self.serial_of(inside.http_client_of(client)),
                transport=self.serial_of(inside.transport_of(client)),
                mutated=tuple(sorted(key for key in kwargs if key not in before or kwargs[key] is not before[key])),
                max_connections=limits[0],
                max_keepalive=limits[1],
                read_timeout=inside.timeouts(client.timeout)["read"],
            )
        )
