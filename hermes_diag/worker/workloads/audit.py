"""No load: what the clients of a factory promise, tried one promise after the other. Sends Facts, judges nothing.

The setting `audit` says which part: `contract` (one process for everything that needs no environment of its own),
`proxy` and `direct` (the environment names a proxy; in the latter NO_PROXY exempts the provider).
"""

import copy
import gc
import time

from .. import clocks, connected, event_loop, supervised
from ..contract import Fact
from ..driver import HOLD

#: Clients of which it is counted what they leave behind.
REPEATS = 3
#: Real seconds that the shortest of the timeouts that disagree lasts on the scaled clock; the stall is twice that.
BRIEF = 0.3
STALL = "stall-before-headers"


def run(driver):
    audit = Audit(driver)
    if driver.job.settings["audit"] == "contract":
        audit.contract()
    else:
        audit.environment()


class Audit:
    def __init__(self, driver):
        self._driver, self._job, self._sdk = driver, driver.job, driver.sdk
        self._subject, self._channel = driver.subject, driver.channel
        self._turns = 0
        self._connected = connected.Connected()

    def _say(self, name, value):
        self._channel.send(Fact(name, value))

    def _client(self, kwargs=None):
        return self._subject.client(self._driver.fresh_kwargs() if kwargs is None else kwargs)

    # --- turns -----------------------------------------------------------------------------------

    def _open(self, client, fault=None, timed=True):
        self._turns += 1
        return self._driver.open_stream(client, self._name(), fault, timed)

    def _name(self):
        """The last turn's name, as the provider knows it."""
        return "0/%d/1" % self._turns

    def _turn(self, client, fault=None, timed=True):
        """Exception classes of the cause chain of a complete turn, outermost first; none when it ended well.

        timed: with the timeouts of the job, which are short; else with the client's own.
        """
        try:
            stream = self._open(client, fault, timed)
            for _ in stream:
                pass
            stream.close()
        except Exception as exc:
            return list(self._sdk.describe(exc)["chain"])
        return []

    # --- what needs no environment of its own ----------------------------------------------------

    def contract(self):
        first = self._client()
        self._say(
            "subject", {"kind": self._subject.kind, "client": type(first).__name__, "async": self._is_async(first)}
        )
        self._say("first_turn", self._turn(first))
        self._wire()
        self._timeouts(first)
        self._limits(first)
        self._retries(first)
        mutates = self._subject.makes and self._mutation()
        try:
            if self._subject.makes:
                self._sharing()
            if self._subject.kind != "instance":
                self._closing()
        except supervised.Broken:
            if not mutates:  # a factory that removes a key cannot be called with the dict again
                raise
        self._subject.release(first)
        del first
        self._leftovers()

    def _is_async(self, client):
        return isinstance(client, self._sdk.CLIENTS[1])

    def _mutation(self):
        kwargs = dict(self._driver.fresh_kwargs(), default_headers={"x-hermes-diag-audit": "1"})
        before, whole = dict(kwargs), copy.deepcopy(kwargs)
        client = self._client(kwargs)
        mutation = {
            "added": sorted(set(kwargs) - set(before)),
            "removed": sorted(set(before) - set(kwargs)),
            "replaced": sorted(key for key in before if key in kwargs and kwargs[key] is not before[key]),
            "changed": sorted(key for key in before if before[key] != whole[key]),
        }
        self._say("mutation", mutation)
        self._subject.release(client)
        return any(mutation.values())

    def _sharing(self):
        """Whether clients, built as the gateway does from one dict and copies of it, have anything in common.

        A pool may be hidden behind a transport: a turn of each shows whether two go over one connection.
        """
        clients = self._session(3)
        shared = {}
        for name, parts in (
            ("client", lambda client: [client]),
            ("http_client", lambda client: [self._sdk.http_client_of(client)]),
            ("transport", lambda client: [self._sdk.transport_of(client)]),
            ("pool", lambda client: [pool for _, pool in self._sdk.pools(client)][:1]),
            ("mount", lambda client: [pool for _, pool in self._sdk.pools(client)][1:]),
        ):
            seen = [id(part) for client in clients for part in {id(part): part for part in parts(client)}.values()]
            shared[name] = len(seen) - len(set(seen))
        names = []
        for client in clients:
            if not self._turn(client):
                names.append(self._name())
        self._say("sharing", {"clients": len(clients), **shared})
        self._say("sharing_turns", names)
        for client in clients:
            self._subject.release(client)

    def _session(self, clients):
        """The shared client of a session, as the gateway keeps one, and so many request clients."""
        kwargs = self._driver.fresh_kwargs()
        return [self._client(kwargs)] + [self._client(dict(kwargs)) for _ in range(clients)]

    def _closing(self):
        """Is a closed client handed out again? Does closing a client break another, which is idle or reads a stream?"""
        kwargs = self._driver.fresh_kwargs()
        shared, closed = self._client(kwargs), self._client(dict(kwargs))
        self._subject.release(closed)
        if self._subject.makes:
            self._say("closed_twice", self._second_close(closed))
        again = self._client(dict(kwargs))
        http = self._sdk.http_client_of(again)
        self._say("closed_again", {"client": bool(again.is_closed()), "http_client": bool(http.is_closed)})
        leave = [shared, again]
        shared, kept, other = self._session(2)
        before = self._turn(kept)
        self._turn(other)
        self._subject.release(other)
        self._say("idle_close", {"before": before, "after": self._turn(kept)})
        leave += [shared, kept]
        shared, reader, other = self._session(2)
        self._say("stream_close", self._close_in_mid_stream(reader, other))
        for client in [*leave, shared, reader]:
            self._subject.release(client)

    def _second_close(self, client):
        """The exception classes that closing a closed client raises, "" for none."""
        try:
            self._subject.release(client)
        except supervised.Broken as exc:
            return exc.failed.error.partition(" while ")[0]
        return ""

    def _close_in_mid_stream(self, reader, other):
        """The chain that a reader's stream raised when another client was closed while it was read."""
        try:
            stream = self._open(reader, HOLD)
            events = iter(stream)
            next(events)
            self._turn(other)
            self._subject.release(other)
            self._driver.barrier("held")  # the host lets the stream go on
            for _ in events:
                pass
            stream.close()
        except Exception as exc:
            return list(self._sdk.describe(exc)["chain"])
        return []

    def _wire(self):
        """Options of the sockets that are open to the provider now."""
        self._say("sockets", [connected.options(sock) for sock in self._connected.open_to(self._job.base_url)])

    def _timeouts(self, client):
        sdk = self._sdk
        own, http = sdk.timeouts(client.timeout), sdk.timeouts(sdk.http_client_of(client).timeout)
        default = sdk.timeouts(sdk.DEFAULT_TIMEOUT)
        self._say("timeouts", {"client": own, "http_client": http, "default": default})
        asked = self._asked(client)
        self._say("asked", asked)
        reads = {seconds["read"] for seconds in (own, http, default)} | ({asked} if asked else set())
        if len(reads) > 1:
            self._say("stall", self._stalled(client, min(seconds for seconds in reads if seconds)))

    def _asked(self, client):
        """The longest wait, in whole seconds, that a turn asks of its sockets or its event loop; None for none."""
        asked = []
        with clocks.recorded_loop(asked) if self._is_async(client) else clocks.scaled(1, asked):
            self._turn(client, timed=False)
        return round(max(asked)) if asked else None

    def _stalled(self, client, brief):
        """A first byte that comes after twice the shortest timeout: does the client wait for it?"""
        once = client.with_options(max_retries=0)  # each retry would wait as long again
        factor = brief / BRIEF
        clock = clocks.scaled_loop(factor) if self._is_async(client) else clocks.scaled(factor, [])
        with clock:
            begun = time.perf_counter()
            chain = self._turn(once, "%s=%g" % (STALL, 2 * BRIEF), timed=False)
            seconds = (time.perf_counter() - begun) * factor
        return {"stalled": 2 * brief, "gave_up_after": seconds if chain else None, "chain": chain}

    def _limits(self, client):
        sdk = self._sdk
        self._say(
            "pools",
            [
                dict(sdk.pool_settings(pool), where=where, keepalive_asked=sdk.asks_keepalive(pool))
                for where, pool in sdk.pools(client)
            ],
        )
        limits = sdk.DEFAULT_LIMITS
        self._say("default_limits", [limits.max_connections, limits.max_keepalive_connections])

    def _retries(self, client):
        self._say("max_retries", client.max_retries)
        if self._subject.makes and client.max_retries == 0:
            self._turn(client, "http-500")
            self._say("retried_turn", self._name())  # the host knows how often it was sent

    def _leftovers(self):
        """Barriers at which the host counts sockets: before, after clients were released, dropped, and collected."""
        gc.disable()  # when it runs is chance otherwise, and here it decides what is counted
        client = self._client()
        failed = [self._turn(client)]  # and a pool has its connection
        self._subject.release(client)
        del client
        self._collect()
        self._driver.barrier("before")
        for _ in range(REPEATS):
            client = self._client()
            failed.append(self._turn(client))
            self._subject.release(client)
            del client
        self._driver.barrier("closed")
        if self._subject.makes:
            for _ in range(REPEATS):
                failed.append(self._turn(self._client()))
            self._driver.barrier("dropped")
            self._collect()
            self._driver.barrier("collected")
        else:
            self._subject.close()
            self._driver.barrier("end")
        self._say("failed", next(filter(None, failed), []))

    def _collect(self):
        """Collect garbage, also in the event loop: the finaliser of an async client needs its running loop."""
        gc.collect()
        if event_loop.started():
            event_loop.call(gc.collect)
            event_loop.run(_breathe())

    # --- what the environment asks for -----------------------------------------------------------

    def environment(self):
        self._say("turn", self._turn(self._client()))


async def _breathe():
    """Let the tasks that a finaliser has made come to their end."""
    import asyncio

    for _ in range(20):
        await asyncio.sleep(0.005)
        if len(asyncio.all_tasks()) == 1:
            return
