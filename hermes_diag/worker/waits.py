"""How long a client waits: what it says, what it asks of its sockets, and what a stalled first byte shows."""

import time

from . import clocks, inside

#: Real seconds that the shortest of the timeouts that disagree lasts on the scaled clock; the stall is twice that.
BRIEF = 0.3
STALL = "stall-before-headers"
#: Shorter waits are the event loop's own.
SHORTEST = 1.0


def said(sdk, client):
    """Seconds by name: the client's own, those of its http_client, the SDK's defaults."""
    http_client = inside.http_client_of(client)
    return {
        "client": inside.timeouts(client.timeout),
        "http_client": inside.timeouts(http_client.timeout),
        "default": inside.timeouts(sdk.DEFAULT_TIMEOUT),
    }


def asked(client, is_async, turn):
    """The waits, in whole seconds, that a turn asks of its sockets or its event loop, the shortest first."""
    found = []
    with clocks.recorded_loop(found) if is_async else clocks.scaled(1, found):
        turn(client, timed=False)
    return sorted({round(seconds) for seconds in found if seconds >= SHORTEST})


def stalled(client, is_async, brief, turn):
    """A first byte that comes after twice the shortest timeout: does the client wait for it?"""
    once = client.with_options(max_retries=0)  # each retry would wait as long again
    factor = brief / BRIEF
    clock = clocks.scaled_loop(factor) if is_async else clocks.scaled(factor, [])
    with clock:
        begun = time.perf_counter()
        chain = turn(once, "%s=%g" % (STALL, 2 * BRIEF), timed=False)
        seconds = (time.perf_counter() - begun) * factor
    return {"stalled": 2 * brief, "gave_up_after": seconds if chain else None, "chain": chain}
