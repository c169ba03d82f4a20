"""The replay loop: it does with clients what the gateway of Hermes does, and holds no client of its own.

Each session keeps `client_kwargs` and builds a shared client from it at start; each turn takes a request client
from `dict(client_kwargs)`. The factory that builds them is the strategy under test; whether the end of a turn
closes the request client is the job's `end`.
"""

import gc
import time

from . import connected, environment, event_loop, inside, subjects, watchdog
from .beside import Beside
from .contract import FAULT_HEADER, NO_TERMINAL_EVENT, TURN_HEADER, Fact, TurnDone
from .driver import HOLD, Driver

#: Clients that are out at a time before the first is closed.
TOGETHER = 3
#: Turns within which a pool may fill up: one that is larger is not told from a leak unless more are asked for.
FILL = 64


def run(job, payload, sdk, channel):
    """Carry out one job; returns when the last turn is over and the last barrier has opened."""
    if channel.thing is None and "gc" not in job.settings:
        # When it runs is chance, and would decide what is counted: here it runs at the idle gaps, and its part is told.
        gc.disable()
        gc.freeze()  # what the SDK's import has made is not looked through each time
    driver = ReplayDriver(job, payload, sdk, channel)
    driver.barrier("start")
    driver.run_workload()
    driver.tell_freed()


class ReplaySession:
    """A chat session: its long-lived kwargs (perhaps shared with others) and its shared client."""

    def __init__(self, serial, client_kwargs):
        self.serial = serial
        self.client_kwargs = client_kwargs
        self.shared = None


class ReplayDriver(Driver):
    """Drives the clients of one subject (see subjects.py). Beside what driver.py names it has, for workloads that
    try single clients, `subject`, `fresh_kwargs`, `headers` and `open_stream`."""

    def __init__(self, job, payload, sdk, channel):
        super().__init__(job, sdk, channel)
        self.body, self._headers = payload["body"], payload["headers"]
        self._key = payload.get("key") or sdk.LOCAL_KEY  # a real one only for a real endpoint
        self._base_url = environment.apply(job.settings, job.base_url)
        self.subject = subjects.of(job, self._base_url, sdk, channel)
        self._exhausted = False  # whether the host was told of a pool without a free connection
        self._kept = []  # end "abandon": nobody closes, and something still holds a reference
        shared_kwargs = self.fresh_kwargs()
        self.sessions = [
            ReplaySession(serial, shared_kwargs if job.scope == "gateway" else self.fresh_kwargs())
            for serial in range(1, job.sessions + 1)
        ]
        if self.subject.makes:
            for session in self.sessions:
                session.shared = self.build(session, session.client_kwargs, "shared")
        if self.subject.kind == "factory" and self.sessions:  # an audit has none, and looks by itself
            self._look_for_kept_clients()
        environment.limit_descriptors(job.settings)

    def _look_for_kept_clients(self):
        """A factory that hands out a client again keeps it, and nobody is to close it: TOGETHER at a time show that."""
        more = [self.subject.client(self.fresh_kwargs()) for _ in range(TOGETHER - len(self.sessions))]
        for client in more:
            self.subject.release(client)

    def fresh_kwargs(self):
        """client_kwargs as a session begins with them."""
        return {
            "api_key": self._key,
            "base_url": self._base_url,
            "max_retries": 0,  # the gateway has retries of its own and switches the SDK's off
        }

    def places(self, most):
        return self.subject.places(most)

    def goes_on(self, held):
        """What keeps its clients fills up before it is full. It is told from a leak by more turns, up to a bound."""
        most = int(self.job.settings.get("until_sure", FILL))
        half = held[len(held) // 2 :]
        if "reach" in self.job.settings or self.turns >= most or half[-1] <= half[0]:
            return False
        # Of what makes a client for each turn, growth in each of them is plain, and some of them leave it to be seen.
        return not self.subject.makes or any(half[n + 1] <= half[n] for n in range(len(half) - 1))

    def hold_next(self):
        if self.subject.kind == "turn":
            super().barrier("hold")

    def turn_beside(self, session, turn):
        if self.subject.kind != "turn":
            return super().turn_beside(session, turn)
        # The user's turns may wait for each other, on a lock of their own.
        waiting = Beside(lambda: self.turn(session, turn), "turn-beside")
        if not waiting.over.wait(subjects.at_once()):
            return waiting
        waiting.end()
        return None

    def build(self, session, kwargs, role):
        """A client from the subject; the host is told of it."""
        before = dict(kwargs)
        client = self.subject.client(kwargs, str(session.serial))
        self.builds.tell(client, session.serial, role, before, kwargs)
        return client

    def request_client(self, session):
        """The client of one turn."""
        return self.build(session, dict(session.client_kwargs), self.subject.role)

    def headers(self, name, fault=None):
        """Headers of a request: those of the payload, and to our provider the turn's name and the fault it wants."""
        headers = dict(self._headers)
        if "reach" not in self.job.settings:  # a real endpoint sees what a gateway sends
            headers[TURN_HEADER] = name
        if fault:
            headers[FAULT_HEADER] = fault
        return headers

    def open_stream(self, client, name, fault=None, timed=True):
        """Send the payload; returns the stream. timed: with the timeouts of the job, else with the client's own."""
        job = self.job
        timeout = (job.timeout, job.pool_timeout) if timed else None
        headers = self.headers(name, fault)
        return self.sdk.open_stream(client, job.api, self.body, headers, timeout, job.settings.get("connect"))

    def barrier(self, label):
        """An event loop closes a socket in the round after it was asked to, and what that calls comes in the next:
        those rounds end before the barrier."""
        if label == "idle" and "gc" not in self.job.settings:
            self.collect()
        if event_loop.started():
            for _ in range(3):
                event_loop.call(lambda: None)
        super().barrier(label)

    def turn(self, session, turn, interrupt=False, hold=None, abort=False):
        """See driver.py. A retry has a new request client, and a shared client rebuilt from the same kwargs."""
        self.turns += 1
        if "loop" in self.job.settings and self.job.workload != "overlapping":  # there other turns are under way in it
            event_loop.stop()
        if self.subject.kind == "turn":
            if interrupt and self.subject.holds:
                self.hold_next()
            self.channel.send(self.subject.turn(session, turn, interrupt, hold))
            return
        if abort:
            self.channel.send(watchdog.aborted_turn(self, session, turn, hold))
            return
        for attempt in range(1, self.job.retries + 2):
            if attempt > 1:
                self._rebuild(session)
            done = self._attempt(session, turn, attempt, interrupt, hold)
            self.channel.send(done)
            if done.outcome != "error":
                return

    def _rebuild(self, session):
        if session.shared is not None:
            self.subject.release(session.shared)
            session.shared = self.build(session, session.client_kwargs, "shared")

    def _attempt(self, session, turn, attempt, interrupt, hold):
        client = self.request_client(session)
        http_client = self.builds.serial_of(inside.http_client_of(client))
        reading = Reading(self, client, "%d/%d/%d" % (session.serial, turn, attempt))
        failure = {}
        if "gc" in self.job.settings:
            environment.collect_later(turn)
        begun = time.perf_counter()
        try:
            outcome = reading.read(begun, interrupt, hold)
        except Exception as exc:
            outcome, failure = "error", self.sdk.describe(exc)
            self._look_at_pool(client, failure["chain"])
        else:
            if outcome == "error":
                failure = {"chain": (NO_TERMINAL_EVENT,)}
        ms = (time.perf_counter() - begun) * 1000
        if "gc" in self.job.settings:
            gc.disable()
        self._end(client, reading.stream)
        return TurnDone(
            session.serial, turn, attempt, outcome, reading.events, ms, reading.first_ms, http_client, **failure
        )

    def _look_at_pool(self, client, chain):
        """At the first request that got no connection: what its pool counts as taken, and what is really open."""
        if self._exhausted or not any(name.endswith(".PoolTimeout") for name in chain):
            return
        self._exhausted = True
        taken = inside.occupied(client)
        if taken is not None:
            self.channel.send(Fact("exhausted", {"taken": taken, "sockets": connected.count()}))

    def _end(self, client, stream):
        """The end of a turn: its client and stream are closed, kept for ever, or forgotten."""
        if self.job.end == "close":
            if stream is not None:
                stream.close()
            self.subject.release(client)
        elif self.job.end == "abandon":
            self._kept.append((client, stream))


class Reading:
    """The stream of one attempt, and how far it was read."""

    def __init__(self, driver, client, name):
        self._driver, self._client, self._name = driver, client, name
        self.stream = None
        self.events = 0
        self.first_ms = None

    def read(self, begun, interrupt, hold):
        """Read to the end, or to where the turn is interrupted. Returns the outcome: "error" when the stream ended
        without a terminal event. Raises whatever the SDK raises."""
        job, sdk = self._driver.job, self._driver.sdk
        terminal = False
        self.stream = self._driver.open_stream(self._client, self._name, HOLD if hold is not None else None)
        for event in self.stream:
            self.events += 1
            terminal = terminal or sdk.is_terminal(job.api, event)
            if self.first_ms is None:
                self.first_ms = (time.perf_counter() - begun) * 1000
                if hold is not None:
                    hold.set()
            if interrupt and self.events >= int(job.settings.get("after", 1)):
                return "interrupted"
            if terminal and job.settings.get("reader") == "terminal":
                break
        return "ok" if terminal else "error"
