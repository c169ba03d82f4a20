"""No load: what the clients of a factory promise, tried one promise after the other. Sends Facts, judges nothing.

The setting `audit` says which part: `contract` (one process for everything that needs no environment of its own),
`proxy` and `direct` (the environment names a proxy; in the latter NO_PROXY exempts the provider).
"""

import copy
import gc

from .. import connected, event_loop, inside, supervised, waits
from ..contract import Fact
from ..driver import HOLD

#: Clients of which it is counted what they leave behind.
REPEATS = 3
#: Clients that are taken beside the first until one comes again.
OTHERS = 3
#: Of a turn that is to fail.
ERROR = "http-500"


def run(driver):
    if driver.subject.kind == "turn":
        driver.channel.send(Fact("subject", {"kind": "turn", "client": "", "async": False}))
        return
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
        self._untried = []

    def _say(self, name, value):
        self._channel.send(Fact(name, value))

    def _client(self, kwargs=None):
        return self._subject.client(self._driver.fresh_kwargs() if kwargs is None else kwargs)

    def _try(self, probe, *args):
        """Make a probe. One that cannot be made costs its own promises, not the audit. Returns what it returns."""
        try:
            return probe(*args)
        except supervised.Broken as exc:
            self._untried.append(exc.failed.error)
        except Exception as exc:  # what is inside a client is not as it usually is
            self._untried.append("%s while it was tried" % type(exc).__name__)
        self._say("untried", self._untried)
        return None

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
        # A factory that keeps its clients shows it now. These are closed later: that may close the first.
        others = [self._try(self._client) for _ in range(OTHERS)] if self._subject.makes else []
        self._say(
            "subject",
            {"kind": self._subject.kind, "client": type(first).__name__, "async": self._sdk.is_async(first)},
        )
        self._say("first_turn", self._turn(first))
        self._try(self._wire, first)
        self._try(self._timeouts, first)
        self._try(self._limits, first)
        self._try(self._retries, first)
        if self._subject.makes:
            self._try(self._mutation)
            self._try(self._sharing)
        for client in filter(None, (first, *others)):
            self._try(self._subject.release, client)
        del first, others, client
        if self._subject.kind != "instance":
            self._try(self._closing)
        self._try(self._leftovers)

    def _mutation(self):
        """What a call does to its argument, with something nested in it; also after the first request: a hook may
        write into it then."""
        for nested in ("default_headers", "default_query"):
            kwargs = dict(self._driver.fresh_kwargs(), **{nested: {"x-hermes-diag-audit": "1"}})
            before, whole = dict(kwargs), copy.deepcopy(kwargs)
            try:
                client = self._client(kwargs)
            except supervised.Broken:  # it gives headers of its own by the same keyword
                if nested == "default_query":
                    raise
                continue
            self._turn(client)
            break
        mutation = {
            "added": sorted(set(kwargs) - set(before)),
            "removed": sorted(set(before) - set(kwargs)),
            "replaced": sorted(key for key in before if key in kwargs and kwargs[key] is not before[key]),
            "changed": sorted(key for key in before if before[key] != whole[key]),
        }
        self._say("mutation", mutation)
        self._subject.release(client)

    def _sharing(self):
        """Whether clients, built as the gateway does from one dict and copies of it, have anything in common.

        A pool may be hidden behind a transport: a turn of each shows whether two go over one connection.
        """
        clients = self._session(3)
        shared = {}
        for name, parts in (
            ("client", lambda client: [client]),
            ("http_client", lambda client: [inside.http_client_of(client)]),
            ("transport", lambda client: [inside.transport_of(client)]),
            ("pool", lambda client: [pool for _, pool in inside.pools(client)][:1]),
            ("mount", lambda client: [pool for _, pool in inside.pools(client)][1:]),
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
        """The shared client of a session, as the gateway keeps one, and so many request clients; of a pool only
        these."""
        kwargs = self._driver.fresh_kwargs()
        shared = [self._client(kwargs)] if self._subject.makes else []
        return shared + [self._client(dict(kwargs)) for _ in range(clients)]

    def _closing(self):
        """Is a closed client handed out again? Does closing a client break another, which is idle or reads a stream?"""
        kwargs = self._driver.fresh_kwargs()
        leave = [self._client(kwargs)] if self._subject.makes else []
        closed = self._client(dict(kwargs))
        self._subject.release(closed)
        if self._subject.makes:
            self._say("closed_twice", self._second_close(closed))
        again = self._client(dict(kwargs))
        http = inside.http_client_of(again)
        self._say("closed_again", {"client": bool(again.is_closed()), "http_client": bool(http.is_closed)})
        for client in [*leave, again]:
            self._subject.release(client)
        places = self._subject.places(2)
        self._say("places", places)
        if places < 2:
            return
        *shared, kept, other = self._session(2)
        before = self._turn(kept)
        self._turn(other)
        self._subject.release(other)
        self._say("idle_close", {"before": before, "after": self._turn(kept)})
        for client in [*shared, kept]:
            self._subject.release(client)
        *shared, reader, other = self._session(2)
        self._say("stream_close", self._close_in_mid_stream(reader, other))
        for client in [*shared, reader]:
            self._subject.release(client)

    def _second_close(self, client):
        """The exception classes that closing a closed client raises, "" for none."""
        try:
            self._subject.release(client)
        except supervised.Broken as exc:
            return exc.failed.error.partition(" while ")[0]
        return ""

    def _close_in_mid_stream(self, reader, other):
        """The chains that a reader's stream raised: before another client was closed while it was read, and after."""
        try:
            stream = self._open(reader, HOLD)
            events = iter(stream)
            next(events)
        except Exception as exc:
            return {"before": list(self._sdk.describe(exc)["chain"]), "after": []}
        try:
            self._turn(other)
            self._subject.release(other)
            self._driver.barrier("held")  # the host lets the stream go on
            for _ in events:
                pass
            stream.close()
        except Exception as exc:
            return {"before": [], "after": list(self._sdk.describe(exc)["chain"])}
        return {"before": [], "after": []}

    def _wire(self, client):
        """Options of the sockets that are open to the provider while a stream is read: some are closed after it."""
        found = []
        try:
            stream = self._open(client)
            for _ in stream:
                found = found or connected.open_to(self._job.base_url)
            stream.close()
        finally:
            self._say("sockets", found)

    def _timeouts(self, client):
        is_async, told = self._sdk.is_async(client), waits.said(self._sdk, client)
        self._say("timeouts", told)
        asked = waits.asked(client, is_async, self._turn)
        self._say("asked", asked[-1] if asked else None)
        reads = {seconds["read"] for seconds in told.values()} | set(asked)
        if len(reads) > 1:
            brief = min(seconds for seconds in reads if seconds)
            self._say("stall", waits.stalled(client, is_async, brief, self._turn))

    def _limits(self, client):
        self._say(
            "pools",
            [
                dict(inside.pool_settings(pool), where=where, keepalive_asked=inside.asks_keepalive(pool))
                for where, pool in inside.pools(client)
            ],
        )
        self._say("http", inside.proxies_of(client))
        limits = self._sdk.DEFAULT_LIMITS
        self._say("default_limits", [limits.max_connections, limits.max_keepalive_connections])

    def _retries(self, client):
        self._say("max_retries", client.max_retries)
        if self._subject.makes and client.max_retries == 0:
            self._turn(client, ERROR)
            self._say("retried_turn", self._name())  # the host knows how often it was sent

    def _leftovers(self):
        """Barriers at which the host counts sockets: before, after clients were released, dropped, and collected."""
        gc.disable()  # when it runs is chance otherwise, and here it decides what is counted
        failed = [self._used()]  # and a pool has its connection
        event_loop.collect()
        self._driver.barrier("before")
        failed += [self._used() for _ in range(REPEATS)]
        self._driver.barrier("closed")
        for _ in range(REPEATS):
            self._used(ERROR)
        self._driver.barrier("failed")
        if self._subject.makes:
            for _ in range(REPEATS):
                failed.append(self._turn(self._client()))
            self._driver.barrier("dropped")
            event_loop.collect()
            self._driver.barrier("collected")
        else:
            self._subject.close()
            self._driver.barrier("end")
        self._say("failed", next(filter(None, failed), []))

    def _used(self, fault=None):
        """A client that is made, takes a turn, and is given back; how its turn failed."""
        client = self._client()
        # Retries of the SDK would wait for up to 8 s each. A copy without them only where it has some: a client of the
        # user's own may note on itself that a turn failed.
        once = client.with_options(max_retries=0) if fault and client.max_retries else client
        failed = self._turn(once, fault)
        self._subject.release(client)
        return failed

    # --- what the environment asks for -----------------------------------------------------------

    def environment(self):
        client = self._client()
        self._say("proxy_given", inside.proxies_of(client)["own_proxy"])
        self._say("turn", self._turn(client))
