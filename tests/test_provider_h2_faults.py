"""Faults on an HTTP/2 connection, as a client that speaks it by hand sees them; and not without the fault."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from http2_client import STREAM_RESET, Http2
from provider_tools import FIN, RESET, SILENCE, SILENT, Client, Heard, nothing_left, trusting, until  # noqa: F401

from hermes_diag.core.errors import UsageError
from hermes_diag.provider import Provider, faults

HEALTHY = 16  # events of the healthy reply


@pytest.fixture(autouse=True)
def _bounded(nothing_left: None) -> None:  # noqa: F811
    """No descriptor and no thread is left."""


def cut(heard: Heard, end: str, events: int) -> bool:
    return heard.status == 200 and not heard.whole and heard.end == end and len(heard.events) == events


#: Faults that show in one response: the spec, and what a client sees of it and never of a healthy reply. Those of
#: HTTP/1.1 that are framing there do what comes nearest: docs/provider.md has the table.
SEEN: dict[str, tuple[str, Callable[[Heard, Http2], bool]]] = {
    "h2-goaway": ("h2-goaway=5", lambda h, c: h.whole and c.goaways == [(0, 1)] and c.until_end() == FIN),
    "h2-goaway before": ("h2-goaway=5:last=before", lambda h, c: cut(h, FIN, 5) and c.goaways == [(0, 0)]),
    "h2-goaway refused": (
        "h2-goaway=0:last=before",
        lambda h, c: (h.status, h.end) == (0, FIN) and c.goaways == [(0, 0)],
    ),
    "h2-reset-stream": ("h2-reset-stream=5", lambda h, c: cut(h, STREAM_RESET, 5) and c.codes == {1: 2}),
    "h2-reset-stream refused": (
        "h2-reset-stream=0:code=refused-stream",
        lambda h, c: (h.status, h.end) == (0, STREAM_RESET) and c.codes == {1: 7},
    ),
    "h2-shrink": (
        "h2-shrink=3:window=100",
        lambda h, c: h.whole and (c.machine.remote_settings[3], c.machine.remote_settings[4]) == (3, 100),
    ),
    "bad-chunk-header": ("bad-chunk-header", lambda h, c: cut(h, FIN, 3)),
    "connection-close": (
        "connection-close",
        lambda h, c: h.whole and c.until_end(silence=SILENCE) == FIN and c.goaways == [(0, 1)],
    ),
    "content-length-long": ("content-length-long", lambda h, c: cut(h, FIN, HEALTHY) and "content-length" in h.headers),
    "error-event": ("error-event=2", lambda h, c: h.whole and h.types[2:] == ["error"]),
    "fin-before-headers": ("fin-before-headers", lambda h, c: (h.status, h.end, c.goaways) == (0, FIN, [])),
    "fin-mid-stream": ("fin-mid-stream=5", lambda h, c: cut(h, FIN, 5) and c.goaways == []),
    "first-event-then-silence": ("first-event-then-silence", lambda h, c: cut(h, SILENT, 1)),
    "gzip": ("gzip", lambda h, c: h.headers.get("content-encoding") == "gzip" and len(h.events) == HEALTHY),
    "half-close": ("half-close", lambda h, c: h.whole and c.until_end(silence=SILENCE) == FIN),
    "http-429": ("http-429", lambda h, c: h.status == 429 and h.whole),
    "no-terminal-event": ("no-terminal-event", lambda h, c: h.whole and "response.completed" not in h.types),
    "redirect": ("redirect", lambda h, c: h.status == 307 and h.whole),
    "rst-before-headers": ("rst-before-headers", lambda h, c: (h.status, h.end) == (0, RESET)),
    "rst-mid-stream": ("rst-mid-stream=5", lambda h, c: cut(h, RESET, 5)),
    "stall-before-headers": ("stall-before-headers", lambda h, c: (h.status, h.end) == (0, SILENT)),
    "terminal-without-end": ("terminal-without-end", lambda h, c: cut(h, SILENT, HEALTHY)),
    "tls-bare-fin": ("tls-bare-fin", lambda h, c: cut(h, RESET, 3)),
    "tls-close-notify": ("tls-close-notify", lambda h, c: cut(h, FIN, 3)),
    "truncated-chunk": ("truncated-chunk", lambda h, c: cut(h, FIN, 3) and len(c.rest) > 9),
    "truncated-event": ("truncated-event", lambda h, c: cut(h, FIN, 3) and not h.body.endswith(b"\n\n")),
}
#: Those of them that are silent, which can only be told by waiting.
QUIET = {"first-event-then-silence", "stall-before-headers", "terminal-without-end"}
OWN = {name for name in faults.catalogue() if name.startswith("h2-")}


def test_no_fault_of_http2_comes_untested() -> None:
    """A new one needs a line above, or a test of its own below."""
    assert {name.partition(" ")[0] for name in SEEN} >= OWN - {"h2-idle-goaway", "h2-ping-unanswered", "h2-window"}


@pytest.mark.parametrize("name", SEEN)
def test_it_shows_and_only_with_the_fault(name: str) -> None:
    """The fault shows, and a healthy reply never looks like it."""
    spec, check = SEEN[name]
    with Provider([spec], tls=True) as provider, Http2(provider) as client:
        heard = client.ask(silence=SILENCE if name in QUIET else 20)
        assert check(heard, client), (heard, client.goaways, client.codes)
    with Provider(tls=True) as provider, Http2(provider) as client:
        heard = client.ask()
        assert heard.whole
        assert len(heard.events) == HEALTHY
        assert not check(heard, client)


@pytest.mark.parametrize("name", sorted(faults.catalogue()))
def test_no_fault_breaks_on_another_api_or_without_a_stream(name: str) -> None:
    """Whatever it does on HTTP/2, it does nothing that leaves the provider or the connection behind."""
    spec = {
        "long-stream": "long-stream=300",
        "large-event": "large-event=1",
        "idle-vanish": "idle-vanish:held=1",
        "vanish-before-headers": "vanish-before-headers:held=1",
        "throttle": "throttle=20000",
    }
    if name.startswith(("tls-", "proxy-")) or name == "connection-limit":
        return  # they act below HTTP, as on HTTP/1.1
    for path, body in (
        ("/v1/chat/completions", {"model": "gpt-5", "messages": [], "stream": True}),
        ("/v1/chat/completions", {"model": "gpt-5", "messages": []}),
        ("/v1/responses", {"model": "gpt-5"}),
    ):
        with Provider([spec.get(name, name)], tls=True) as provider:
            with Http2(provider) as client:
                client.send(body, path=path)
                client.hear(silence=0.5)
            until(lambda provider=provider: provider.closed_connections, "the end of the connection")
            assert provider.tally()["requests"] == 1


@pytest.mark.parametrize("name", sorted(OWN))
def test_on_http1_they_are_healthy(name: str) -> None:
    """A fault of HTTP/2 does nothing to a client that speaks HTTP/1.1."""
    spec = f"{name}=0.05" if name == "h2-idle-goaway" else name
    with Provider([spec], tls=True) as provider, Client(provider, trusting(provider)) as client:
        assert len(client.ask().events) == HEALTHY
        assert client.end(silence=0.2) == SILENT
        assert len(client.ask().events) == HEALTHY


def test_idle_goaway_stays_open_and_answers_nothing_more() -> None:
    with Provider(["h2-idle-goaway=0.1"], tls=True) as provider, Http2(provider) as client:
        assert client.ask().whole
        assert client.until_end(silence=SILENCE) == SILENT
        assert client.goaways == [(0, 1)]
        assert client.ask(silence=0.2).end == SILENT
        assert provider.tally()["requests"] == 1
        provider._run(provider._core.close_idle())  # the timer has acted: it is not waited for
        assert provider.open_connections == 1


def test_a_window_that_never_opens() -> None:
    """So many bytes of a body go through, in all its streams; more never, and then it is the client that waits."""
    body = {"model": "gpt-5", "input": "x" * 4000, "stream": True}
    for spec, healthy in ((["h2-window=100"], False), ([], True)):
        with Provider(spec, tls=True) as provider, Http2(provider) as client:
            while not client.machine.remote_settings.max_concurrent_streams < 2**31:
                assert client.hear() == ""
            client.hear(silence=0.2)
            assert (client.machine.remote_settings.initial_window_size == 100) is not healthy
            number = client.machine.get_next_available_stream_id()
            client.machine.send_headers(
                number,
                [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/v1/responses")],
            )
            data = json.dumps(body).encode()
            while data and (window := client.machine.local_flow_control_window(number)):
                piece, data = data[:window], data[window:]
                client.machine.send_data(number, piece, end_stream=not data)
                client.flush()
                if data and client.hear(silence=0.2):
                    break
            assert (not data) is healthy
            assert provider.tally()["requests"] == 0 if not healthy else client.listen(number).whole


def test_pings_are_not_answered() -> None:
    """And all else is; without the fault each is answered."""
    for spec, pongs in ((["h2-ping-unanswered"], 0), ([], 3)):
        with Provider(spec, tls=True) as provider, Http2(provider) as client:
            for _ in range(3):
                client.machine.ping(bytes(8))
            client.flush()
            assert client.ask().whole
            assert client.pongs == pongs


def test_after_shrinking_the_limit_is_kept_to() -> None:
    """A client that has acknowledged one stream at a time and opens two is sent away."""
    with Provider(["h2-shrink=1:request=1", "hold"], tls=True) as provider, Http2(provider) as client:
        assert client.ask().whole
        client.send(b"", whole=False)
        client.machine.remote_settings[3] = 100  # against what it was told
        client.machine.remote_settings.acknowledge()
        client.send(b"", whole=False)
        assert client.until_end() == FIN
        assert [code for code, _ in client.goaways] == [1]


def test_the_end_of_a_connection_ends_all_its_streams() -> None:
    """rst-mid-stream on one stream: the others are broken off, and counted so."""
    with Provider(["hold:every=2", "rst-mid-stream:request=3"], tls=True) as provider, Http2(provider) as client:
        assert client.ask().whole
        held = client.send()
        while not client.heard[held].events:
            assert client.hear() == ""
        assert client.ask().end == RESET
        until(lambda: len(provider.requests) == 3, "the records")
        assert sorted((one.events, one.finished) for one in provider.requests) == [(1, False), (3, False), (16, True)]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("h2-goaway:last=next", "last is one of this, before"),
        ("h2-reset-stream:code=oops", "code is one of no-error"),
        ("h2-goaway=-1", "after is -1"),
    ],
)
def test_a_wrong_value_is_named(spec: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Provider([spec], tls=True)
    assert says in caught.value.message


@pytest.mark.parametrize("name", sorted(OWN))
def test_they_need_tls(name: str) -> None:
    with pytest.raises(UsageError, match="needs TLS"):
        Provider([name])
