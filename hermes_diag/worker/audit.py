"""The `audit` workload: what a subject promises, tried on its own clients. Sends Facts, judges nothing.

A setting says which part: `contract` (one process for all that needs no environment of its own),
`proxy` and `direct` (the environment names a proxy; in the latter NO_PROXY takes the provider out).
"""

import contextlib
import copy
import gc
import socket
import sys
import time
import weakref

from . import clocks, event_loop, subjects
from .contract import FAULT_HEADER, TURN_HEADER, Fact

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
        self._sockets = _Sockets()

    def _say(self, name, value):
        self._channel.send(Fact(name, value))

    def _client(self, kwargs=None):
        return self._subject.client(self._driver.fresh_kwargs() if kwargs is None else kwargs)

    # --- turns -----------------------------------------------------------------------------------

    def _open(self, client, fault=None, timeout=None):
        self._turns += 1
        headers = {TURN_HEADER: self._name()}
        if fault:
            headers[FAULT_HEADER] = fault
        return self._sdk.open_stream(client, self._job.api, self._driver.body, headers, timeout)

    def _name(self):
        """The last turn's name, as the provider knows it."""
        return "0/%d/1" % self._turns

    def _turn(self, client, fault=None, timeout=None):
        """Classes of the chain of what a whole turn raised, outermost first; none when it ended well."""
        try:
            stream = self._open(client, fault, timeout)
            for _ in stream:
                pass
            stream.close()
        except Exception as exc:
            return list(self._sdk.describe(exc)["chain"])
        return []

    def _brief_turn(self, client):
        return self._turn(client, timeout=(self._job.timeout, self._job.pool_timeout))

    # --- what needs no environment of its own ----------------------------------------------------

    def contract(self):
        self._driver.barrier("start")
        first = self._client()
        self._say(
            "subject", {"kind": self._subject.kind, "client": type(first).__name__, "async": self._is_async(first)}
        )
        self._say("first_turn", self._brief_turn(first))
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
        except subjects.Broken:
            if not mutates:  # one that takes a key out cannot be called with the dict again
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
            seen = [id(part) for client in clients for part in {id(one): one for one in parts(client)}.values()]
            shared[name] = len(seen) - len(set(seen))
        names = []
        for client in clients:
            if not self._brief_turn(client):
                names.append(self._name())
        self._say("sharing", {"clients": len(clients), **shared})
        self._say("sharing_turns", names)
        for client in clients:
            self._subject.release(client)

    def _session(self, clients):
        """So many request clients of a session that keeps a shared one, as the gateway does."""
        kwargs = self._driver.fresh_kwargs()
        return [self._client(kwargs)] + [self._client(dict(kwargs)) for _ in range(clients)]

    def _closing(self):
        """Is a closed client handed out again; does closing one break another, idle and in mid-stream?"""
        kwargs = self._driver.fresh_kwargs()
        shared, closed = self._client(kwargs), self._client(dict(kwargs))
        self._subject.release(closed)
        again = self._client(dict(kwargs))
        http = self._sdk.http_client_of(again)
        self._say("closed_again", {"client": bool(again.is_closed()), "http_client": bool(http.is_closed)})
        leave = [shared, again]
        shared, kept, other = self._session(2)
        before = self._brief_turn(kept)
        self._brief_turn(other)
        self._subject.release(other)
        self._say("idle_close", {"before": before, "after": self._brief_turn(kept)})
        leave += [shared, kept]
        shared, reader, other = self._session(2)
        self._say("stream_close", self._close_in_mid_stream(reader, other))
        for client in [*leave, shared, reader]:
            self._subject.release(client)

    def _close_in_mid_stream(self, reader, other):
        """The chain that a reader's stream raised when another client was closed while it was read."""
        try:
            stream = self._open(reader, "hold", (self._job.timeout, self._job.pool_timeout))
            events = iter(stream)
            next(events)
            self._brief_turn(other)
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
        self._say("sockets", [_options(sock) for sock in self._sockets.open_to(self._job.base_url)])

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
            self._turn(client)
        return round(max(asked)) if asked else None

    def _stalled(self, client, brief):
        """A first byte that comes after twice the shortest timeout: does the client wait for it?"""
        once = client.with_options(max_retries=0)  # each retry would wait as long again
        factor = brief / BRIEF
        clock = clocks.scaled_loop(factor) if self._is_async(client) else clocks.scaled(factor, [])
        with clock:
            begun = time.perf_counter()
            chain = self._turn(once, "%s=%g" % (STALL, 2 * BRIEF))
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
            self._turn(client, "http-500", (self._job.timeout, self._job.pool_timeout))
            self._say("retried_turn", self._name())  # the host knows how often it was sent

    def _leftovers(self):
        """Looks from outside: before, after clients were given back, dropped, collected; and at the end."""
        gc.disable()  # when it runs is chance; here it is the question
        client = self._client()
        failed = [self._brief_turn(client)]  # and a pool has its connection
        self._subject.release(client)
        del client
        self._collect()
        self._driver.barrier("before")
        for _ in range(REPEATS):
            client = self._client()
            failed.append(self._brief_turn(client))
            self._subject.release(client)
            del client
        self._driver.barrier("closed")
        if self._subject.makes:
            for _ in range(REPEATS):
                failed.append(self._brief_turn(self._client()))
            self._driver.barrier("dropped")
            self._collect()
            self._driver.barrier("collected")
        else:
            self._subject.close()
            self._driver.barrier("end")
        self._say("failed", next(filter(None, failed), []))

    def _collect(self):
        """Collect where finalisers find what they look for: an async client's wants its running loop."""
        gc.collect()
        if event_loop.started():
            event_loop.call(gc.collect)
            event_loop.run(_breathe())

    # --- what the environment asks for -----------------------------------------------------------

    def environment(self):
        self._driver.barrier("start")
        self._say("turn", self._brief_turn(self._client()))


async def _breathe():
    """Let the tasks that a finaliser has made come to their end."""
    import asyncio

    for _ in range(20):
        await asyncio.sleep(0.005)
        if len(asyncio.all_tasks()) == 1:
            return


class _Sockets:
    """Every socket that this process connects from now on, whichever library does."""

    def __init__(self):
        self._seen = weakref.WeakSet()
        sys.addaudithook(self._hook)

    def _hook(self, event, args):
        if event == "socket.connect" and isinstance(args[0], socket.socket):
            with contextlib.suppress(TypeError):
                self._seen.add(args[0])

    def open_to(self, base_url):
        port = int(base_url.split(":")[2].split("/")[0])
        found = []
        for sock in list(self._seen):
            with contextlib.suppress(OSError):
                if sock.fileno() >= 0 and sock.getpeername()[1] == port:
                    found.append(sock)
        return found


def _options(sock):
    """SO_KEEPALIVE, its three times, TCP_NODELAY; None for what the platform does not have."""

    def read(level, name):
        option = getattr(socket, name, None)
        return None if option is None else sock.getsockopt(level, option)

    tcp = socket.IPPROTO_TCP
    return {
        "keepalive": bool(read(socket.SOL_SOCKET, "SO_KEEPALIVE")),
        "idle": read(tcp, "TCP_KEEPIDLE"),
        "interval": read(tcp, "TCP_KEEPINTVL"),
        "count": read(tcp, "TCP_KEEPCNT"),
        "nodelay": bool(read(tcp, "TCP_NODELAY")),
    }
