"""No load: what isolated clients cost, and which timeouts and limits really hold.

Timeouts are measured on a clock scaled by SCALE: the seconds that the unmodified SDK hands to its
sockets are divided by it, so that "5 s against 600 s" is told apart on a stalled first byte in half
a second. The pool's own wait does not go through a socket and is not scaled.
"""

import statistics
import time

from .. import clocks, inside
from ..contract import Measured

SCALE = 20.0
STALL_SECONDS = 10.0  # on the scaled clock; twice the 5 s that the claim is about
LONG_STALL_SECONDS = 200.0  # for a client that will give up: nobody waits for its end
STALL = "stall-before-headers"
REPEATS = 5
#: The name that its requests have at the provider: they are no turns.
TURN = "0/0/1"


def run(driver):
    bench = Bench(driver)
    bench.price()
    bench.limits()
    bench.timeouts()
    driver.barrier("end")


class Bench:
    def __init__(self, driver):
        self._driver, self._job, self._sdk = driver, driver.job, driver.sdk

    def _say(self, name, value, unit):
        self._driver.channel.send(Measured(name, float(value), unit))

    def _openai(self, http_client=None):
        return self._sdk.OpenAI(
            api_key=self._sdk.LOCAL_KEY, base_url=self._job.base_url, max_retries=0, http_client=http_client
        )

    def _complete(self, client):
        _drain(self._driver.open_stream(client, TURN))

    def price(self):
        """Milliseconds per http_client, with and without a shared SSLContext, and per connection."""
        sdk = self._sdk
        context = sdk.ssl_context()
        own = [_timed(sdk.bare_keepalive_client) for _ in range(REPEATS)]
        shared = [_timed(lambda: sdk.kept_defaults_client(context)) for _ in range(4 * REPEATS)]
        self._say("client_own_context", _median_ms(own), "ms")
        self._say("client_shared_context", _median_ms(shared), "ms")
        fresh, reused = [], []
        with self._openai(sdk.kept_defaults_client(context)) as keeper:
            self._complete(keeper)
            for _ in range(2 * REPEATS):
                reused.append(_timed(lambda: self._complete(keeper))[0])
                with self._openai(sdk.kept_defaults_client(context)) as once:
                    fresh.append(_timed(lambda: self._complete(once))[0])
        self._say("turn_reused_connection", statistics.median(reused), "ms")
        self._say("turn_new_connection", statistics.median(fresh), "ms")

    def limits(self):
        """Pool limits of the SDK's own client and of the client that upstream injected."""
        sdk = self._sdk
        for name, http_client in (("sdk", None), ("injected", sdk.bare_keepalive_client())):
            with self._openai(http_client) as client:
                connections, keepalive = inside.pool_limits(client)
                if connections is not None:
                    self._say(name + "_max_connections", connections, "connections")
                if keepalive is not None:
                    self._say(name + "_max_keepalive", keepalive, "connections")

    def timeouts(self):
        """A first byte that comes after 10 s: does the SDK, with the injected client, still wait for it?"""
        sdk = self._sdk
        asked = []
        with clocks.scaled(SCALE, asked):
            with self._openai(sdk.bare_keepalive_client()) as client:
                seconds, chain = self._stalled(
                    STALL_SECONDS,
                    lambda fault: _drain(self._driver.open_stream(client, TURN, fault, timed=False)),
                )
                self._say("sdk_stall_seconds", seconds, "s")
                self._say("sdk_stall_answered", not chain, "bool")
                self._say("sdk_effective_timeout", max(asked, default=0.0), "s")
            with sdk.bare_keepalive_client() as alone:
                path = "/responses" if self._job.api == "responses" else "/chat/completions"
                body = dict(self._driver.body, stream=True)
                seconds, chain = self._stalled(
                    LONG_STALL_SECONDS,
                    lambda fault: alone.post(
                        self._job.base_url + path, json=body, headers=self._driver.headers(TURN, fault)
                    ),
                )
                self._say("bare_stall_seconds", seconds, "s")
                self._say("bare_stall_answered", not chain, "bool")

    def _stalled(self, stall, send):
        """(seconds on the scaled clock, exception classes) of a request whose first byte is late."""
        begun, chain = time.perf_counter(), ()
        try:
            send("%s=%g" % (STALL, stall / SCALE))
        except Exception as exc:
            chain = self._sdk.describe(exc)["chain"]
        return (time.perf_counter() - begun) * SCALE, chain


def _timed(call):
    """(milliseconds, result)"""
    begun = time.perf_counter()
    result = call()
    return (time.perf_counter() - begun) * 1000, result


def _median_ms(timed):
    """Median build time; the clients that were built for it are closed."""
    for _, client in timed:
        client.close()
    return statistics.median(ms for ms, _ in timed)


def _drain(stream):
    for _ in stream:
        pass
