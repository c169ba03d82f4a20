"""The gateway loop: sessions, turns, interrupts, barriers. It holds no client of its own.

Modelled on what Hermes does: each session keeps `client_kwargs` and builds a shared client from it at
start; each turn takes a request client from `dict(client_kwargs)`. The factory that builds them is
the strategy under test; whether the end of a turn closes the request client is its `end`.
"""

import gc
import random
import threading
import time
import weakref

from . import environment, subjects
from .contract import FAULT_HEADER, NO_TERMINAL_EVENT, TURN_HEADER, ClientBuilt, TurnDone

HOLD = "hold"  # provider/faults/hold.py: first event, then nothing until the host lets go


def run(job, payload, sdk, channel):
    """Carry out one job; returns when the last turn is over and the last barrier has opened."""
    WORKLOADS[job.workload](ReplayDriver(job, payload, sdk, channel))


class ReplaySession:
    """A chat session: its long-lived kwargs (perhaps shared with others) and its shared client."""

    def __init__(self, serial, client_kwargs):
        self.serial = serial
        self.client_kwargs = client_kwargs
        self.shared = None


class ReplayDriver:
    """The sessions of one cell and what they have in common."""

    def __init__(self, job, payload, sdk, channel):
        self.job = job
        self.channel = channel
        self.body, self._headers = payload["body"], payload["headers"]
        self.sdk = sdk
        self._key = payload.get("key") or sdk.LOCAL_KEY  # a real one only for a real endpoint
        self._base_url = environment.apply(job.settings, job.base_url)
        self.subject = subjects.of(job, self._base_url, sdk, channel)
        self._random = random.Random(job.seed)
        self.builds = Builds(sdk, channel)
        self._kept = []  # end "abandon": nobody closes, and something still holds a reference
        self.turns = 0
        whole = self.fresh_kwargs()
        self.sessions = [
            ReplaySession(serial, whole if job.scope == "gateway" else self.fresh_kwargs())
            for serial in range(1, job.sessions + 1)
        ]
        if self.subject.makes:
            for session in self.sessions:
                session.shared = self.build(session, session.client_kwargs, "shared")
        environment.limit_descriptors(job.settings)

    def fresh_kwargs(self):
        """client_kwargs as a session begins with them."""
        return {
            "api_key": self._key,
            "base_url": self._base_url,
            "max_retries": 0,  # the gateway has retries of its own and switches the SDK's off
        }

    def order(self):
        """The sessions in the order in which this round serves them."""
        return self._random.sample(self.sessions, len(self.sessions))

    def barrier(self, label):
        self.channel.barrier(label, self.turns)

    def turn(self, session, turn, interrupt=False, hold=None):
        """One user turn with its retries; `hold` is told when the first event is there."""
        self.turns += 1
        for attempt in range(1, self.job.retries + 2):
            if attempt > 1:
                self._rebuild(session)
            done = self._attempt(session, turn, attempt, interrupt, hold)
            self.channel.send(done)
            if done.outcome != "error":
                return

    def _rebuild(self, session):
        """What the gateway tries when a request failed: a new shared client from the same kwargs."""
        if session.shared is not None:
            self.subject.release(session.shared)
            session.shared = self.build(session, session.client_kwargs, "shared")

    def build(self, session, kwargs, role):
        """A client from the subject, and word of it to the host."""
        before = dict(kwargs)
        begun = time.perf_counter()
        client = self.subject.client(kwargs)
        self.builds.tell(client, session.serial, role, before, kwargs, (time.perf_counter() - begun) * 1000)
        return client

    def _attempt(self, session, turn, attempt, interrupt, hold):
        sdk, job = self.sdk, self.job
        client = self.build(session, dict(session.client_kwargs), self.subject.role)
        http_client = self.builds.serial_of(sdk.http_client_of(client))
        headers = dict(self._headers)
        if "reach" not in job.settings:  # a real endpoint sees what a gateway sends
            headers[TURN_HEADER] = "%d/%d/%d" % (session.serial, turn, attempt)
        if hold is not None:
            headers[FAULT_HEADER] = HOLD
        stream, events, first, failure, outcome, whole = None, 0, None, {}, "ok", False
        if "gc" in job.settings:
            environment.collect_later(turn)
        begun = time.perf_counter()
        try:
            stream = sdk.open_stream(
                client, job.api, self.body, headers, (job.timeout, job.pool_timeout), job.settings.get("connect")
            )
            for event in stream:
                events += 1
                whole = whole or sdk.is_terminal(job.api, event)
                if first is None:
                    first = (time.perf_counter() - begun) * 1000
                    if hold is not None:
                        hold.set()
                if interrupt:
                    outcome = "interrupted"
                    break
                if job.settings.get("reader") == "terminal" and whole:
                    break
        except Exception as exc:
            outcome, failure = "error", sdk.describe(exc)
        else:
            if outcome == "ok" and not whole:
                outcome, failure = "error", {"chain": (NO_TERMINAL_EVENT,)}
        ms = (time.perf_counter() - begun) * 1000
        if "gc" in job.settings:
            gc.disable()
        if job.end == "close":
            if stream is not None:
                stream.close()
            self.subject.release(client)
        elif job.end == "abandon":
            self._kept.append((client, stream))
        return TurnDone(session.serial, turn, attempt, outcome, events, ms, first, http_client, **failure)


class Builds:
    """Tells the host of each client that was built, from whatever thread. Numbers objects: the same object, the
    same number, without keeping it alive."""

    def __init__(self, sdk, channel):
        self._sdk = sdk
        self._channel = channel
        self._lock = threading.Lock()
        self._known = weakref.WeakKeyDictionary()
        self._last = 0
        self._clients = 0

    def serial_of(self, thing):
        with self._lock:
            if thing not in self._known:
                self._last += 1
                self._known[thing] = self._last
            return self._known[thing]

    def tell(self, client, session, role, before, kwargs, build_ms):
        """before, kwargs: the factory's argument as it was, and as it is now."""
        sdk = self._sdk
        with self._lock:
            self._clients += 1
            serial = self._clients
        limits = sdk.pool_limits(client)
        self._channel.send(
            ClientBuilt(
                serial=serial,
                session=session,
                role=role,
                http_client=self.serial_of(sdk.http_client_of(client)),
                transport=self.serial_of(sdk.transport_of(client)),
                mutated=tuple(sorted(key for key in kwargs if key not in before or kwargs[key] is not before[key])),
                max_connections=limits[0],
                max_keepalive=limits[1],
                read_timeout=sdk.read_timeout(client.timeout),
                http_read_timeout=sdk.read_timeout(sdk.http_client_of(client).timeout),
                build_ms=build_ms,
            )
        )


def steady(driver):
    """Complete turns with an idle gap after each round."""
    _rounds(driver, interrupt=False)


def interrupted(driver):
    """Every turn is interrupted by its user after the first event."""
    _rounds(driver, interrupt=True)


def _rounds(driver, interrupt):
    driver.barrier("start")
    turns = driver.job.turns
    gap = max(1, -(-turns // driver.job.barriers))
    for turn in range(1, turns + 1):
        for session in driver.order():
            driver.turn(session, turn, interrupt=interrupt)
        if turn % gap == 0 or turn == turns:
            driver.barrier("idle")


def overlapping(driver):
    """In each round one session's turn ends while the streams of all others are being read."""
    driver.barrier("start")
    for turn in range(1, driver.job.turns + 1):
        *reading, ending = driver.order()
        readers = [_read_in_thread(driver, session, turn) for session in reading]
        driver.turn(ending, turn)
        driver.barrier("held")  # the host looks, then lets the provider finish the held streams
        for reader in readers:
            reader.join()
            if reader.failed is not None:
                raise reader.failed
        driver.barrier("idle")


def _read_in_thread(driver, session, turn):
    """Start a turn whose stream the provider holds; returns once it is being read, or has failed."""
    reading = threading.Event()

    def read():
        try:
            driver.turn(session, turn, hold=reading)
        except Exception as exc:  # not of a turn, which tells the host itself: the subject broke, or we did
            thread.failed = exc
        finally:
            reading.set()

    thread = threading.Thread(target=read, name="session-%d" % session.serial, daemon=True)
    thread.failed = None
    thread.start()
    reading.wait()
    return thread


def measure(driver):
    """No load: what clients cost and which timeouts and limits really hold (see measure.py)."""
    from . import measure as bench

    bench.run(driver)


def audit(driver):
    """No load: what the subject promises, promise by promise (see audit.py)."""
    from . import audit as trial

    trial.run(driver)


def aborted(driver):
    """Streams that fall silent and are given up by another thread (see silence.py)."""
    from . import aborted as silence

    silence.run(driver)


WORKLOADS = {
    "aborted": aborted,
    "audit": audit,
    "steady": steady,
    "interrupted": interrupted,
    "overlapping": overlapping,
    "measure": measure,
}
