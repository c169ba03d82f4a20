"""HTTP/2 as HTTP/1.1: slow links, cuts, compressed bodies, pages in a browser, replies kept and given again."""

from __future__ import annotations

import contextlib
import json
import time
import zlib
from pathlib import Path

import httpx
import pytest
from http2_client import Http2
from provider_tools import BODY, FIN, PATIENCE, RESET, SILENT, nothing_left, trusting, until, without_ids  # noqa: F401
from test_provider_traffic import ANSWERED, CODINGS, PLAIN, REFUSED, packed

from hermes_diag.provider import Provider

HEALTHY = 16  # events of the healthy reply
JSON = {"model": "gpt-5"}


@pytest.fixture(autouse=True)
def _bounded(nothing_left: None) -> None:  # noqa: F811
    """No descriptor and no thread is left."""


def took(client: Http2, *bodies: object) -> float:
    """Seconds until the answers to all of these, asked for at once, are whole."""
    begun = time.monotonic()
    heards = [client.listen(number) for number in [client.send(body) for body in bodies]]
    assert all(heard.whole for heard in heards)
    return time.monotonic() - begun


# --- slow links ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "pieces"), [(BODY, 5), (JSON, 1)], ids=["stream", "json"])
def test_a_throttled_answer_drips(body: object, pieces: int) -> None:
    """Its bytes take as long as they must, each event by itself."""
    with Provider(["throttle=8000"], tls=True) as provider, Http2(provider) as client:
        number, begun, heard = client.send(body), time.monotonic(), 0
        while not client.heard[number].whole:
            assert client.hear() == ""
            heard += 1
        slow = time.monotonic() - begun
        assert slow >= 0.8 * len(client.heard[number].body) / 8000
        assert heard >= pieces
    with Provider(tls=True) as provider, Http2(provider) as client:
        assert took(client, body) < slow


def test_a_slow_link_is_slow_for_all_that_is_on_it_and_then_fast_again() -> None:
    """One of two requests is throttled, so both are; a request after them is not."""
    with Provider(["throttle=20000:request=2"], tls=True) as provider, Http2(provider) as client:
        fast = took(client, BODY)
        assert took(client, BODY, BODY) > 0.5
        assert max(fast, took(client, BODY)) < 0.5
        until(lambda: [one.finished for one in provider.requests] == [True] * 4, "the records")


def test_latency_delays_the_headers_and_each_event() -> None:
    """Each is late by itself: with jitter they come apart, in their order; and each request is delayed."""
    with Provider(["latency=0.3:jitter=0.2"], tls=True) as provider, Http2(provider) as client:
        for _ in range(2):
            number, begun, times = client.send(), time.monotonic(), []
            while not client.heard[number].whole:
                assert client.hear() == ""
                times.append(time.monotonic() - begun)
            assert times[-1] >= 0.3
            assert len(times) > 2
            numbers = [int(part.split(b"}")[0]) for part in client.heard[number].body.split(b'"sequence_number":')[1:]]
            assert numbers == list(range(HEALTHY))
    with Provider(tls=True) as provider, Http2(provider) as client:
        assert took(client, BODY) < 0.3


@pytest.mark.parametrize(("spec", "events"), [("fin-mid-stream=3", 3), ("connection-close", HEALTHY)])
def test_what_ends_a_connection_does_so_behind_the_drip(spec: str, events: int) -> None:
    """The FIN comes after the bytes that were written before it, the GOAWAY among them."""
    with Provider([spec, "throttle=20000"], tls=True) as provider, Http2(provider) as client:
        heard = client.ask()
        assert len(heard.events) == events
        assert (heard.end or client.until_end()) == FIN
        assert bool(client.goaways) is (spec == "connection-close")


def test_a_client_that_resets_a_drip_is_not_waited_for() -> None:
    """The request is broken off, and the next one on the connection is answered."""
    specs = ["slow-events=0.2:request=1", "throttle=20000:request=1"]
    with Provider(specs, tls=True) as provider, Http2(provider) as client:
        number = client.send()
        while not client.heard[number].events:
            assert client.hear() == ""
        client.machine.reset_stream(number)
        client.flush()
        until(lambda: provider.requests, "the request")
        assert [one.finished for one in provider.requests] == [False]
        assert client.ask().whole


def test_a_slow_link_and_a_window_that_is_shut() -> None:
    """An answer waits for the window first; once that opens, it drips."""
    with Provider(["throttle=20000"], tls=True) as provider, Http2(provider, settings={4: 100}, grants=False) as client:
        number = client.send()
        assert client.heard[number] is not None
        while client.hear(0.5) != SILENT:
            assert not client.ended
        assert len(client.heard[number].raw) == 100
        assert not provider.requests
        client.machine.increment_flow_control_window(100_000, number)
        client.flush()
        assert client.listen(number).whole
        until(lambda: provider.requests, "the request")
        assert [one.finished for one in provider.requests] == [True]


# --- cuts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["reset", "fin"])
def test_a_connection_is_cut_under_traffic(how: str) -> None:
    """All that is under way on it ends, without a GOAWAY; one that is idle is cut as well, the next is spared."""
    specs = ["slow-events=0.05", f"cut-after=0.5:how={how}:connection=1"]
    with Provider(specs, tls=True) as provider:
        with Http2(provider) as client:
            heards = [client.listen(number) for number in [client.send(), client.send()]]
            assert [heard.end for heard in heards] == [RESET] * 2  # so a FIN without a close_notify looks, too
            assert all(1 <= len(heard.events) < HEALTHY for heard in heards)
        with Http2(provider) as client:
            assert client.ask().whole
        until(lambda: len(provider.closed_connections) == 2, "the ends")
        assert [one.finished for one in provider.requests] == [False, False, True]
        assert (provider.closed_connections[0].closed_first, provider.closed_connections[0].how) == ("provider", how)
    with Provider([f"cut-after=0.3:how={how}"], tls=True) as provider, Http2(provider) as client:
        assert client.ask().whole
        assert client.until_end() == RESET
        assert not client.goaways


def test_what_was_asked_for_vanishes() -> None:
    """Neither it nor what else is on the connection is answered; the next connection is."""
    with Provider(["vanish-before-headers=0.5:request=2", "slow-events=0.2"], tls=True) as provider:
        with Http2(provider) as client:
            numbers = [client.send(), client.send()]
            while not (end := client.hear(0.4)):
                pass
            assert end == SILENT
            assert provider.vanished
            assert [client.heard[number].whole for number in numbers] == [False, False]
            assert client.heard[numbers[1]].status == 0
        with Http2(provider) as client:
            assert client.ask().whole
        until(lambda: len(provider.closed_connections) == 2, "the ends")
        assert sorted(one.finished for one in provider.requests) == [False, False, True]


# --- through the proxy ----------------------------------------------------------------------------


def test_a_tunnel_carries_it() -> None:
    """Whole through a proxy that is well, cut where the proxy cuts."""
    for spec, whole in (("proxy-latency=0.05", True), ("proxy-cut-bytes=4000", False)):
        with Provider([spec], tls=True, proxy=True) as provider:
            url, context = f"{provider.base_url}/responses", trusting(provider)
            cut = contextlib.nullcontext() if whole else pytest.raises(httpx.TransportError)
            with (
                httpx.Client(http2=True, proxy=provider.proxy_url, verify=context, timeout=PATIENCE) as client,
                cut,  # around the request, too: where the client still sends, it finds out in sending
                client.stream("POST", url, json=BODY) as response,
            ):
                assert response.http_version == "HTTP/2"
                assert response.read().endswith(b"\n\n")


# --- compressed bodies ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "compress"), CODINGS)
def test_a_compressed_body_is_understood(name: str, compress: object) -> None:
    """As it would be without."""
    with Provider(reply="echo", tls=True) as provider, Http2(provider) as client:
        heard = client.ask(compress(PLAIN), content_encoding=name)  # type: ignore[operator]
        assert heard.whole
        assert without_ids(bytes(heard.body)) == without_ids(bytes(client.ask(PLAIN).body))


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("gzip", PLAIN, 400),
        ("gzip", packed(PLAIN)[:-9], 400),
        ("br", PLAIN, 415),
        ("gzip", packed(bytes(2_000_001)), 413),
        ("gzip, gzip", packed(packed(bytes(50_000_000))), 413),
        ("deflate", zlib.compress(bytes(10_000_000)), 413),
    ],
)
def test_a_body_that_cannot_be_decoded_is_refused(name: str, body: bytes, status: int) -> None:
    """That request alone: the connection goes on."""
    with Provider(body_limit=2_000_000, tls=True) as provider, Http2(provider) as client:
        heard = client.ask(body, content_encoding=name)
        assert (heard.status, heard.whole) == (status, True)
        assert json.loads(bytes(heard.body))["error"]["type"] == "invalid_request_error"
        assert provider.tally()["requests"] == 0
        assert client.ask().whole


def test_many_small_bodies_that_become_large_are_bounded_together() -> None:
    """Those whose answers are under way may be no more together than one may be."""
    large = packed(packed(json.dumps({**BODY, "input": "a" * 40_000_000}).encode()))
    with Provider(["hold"], tls=True) as provider, Http2(provider) as client:
        first = client.send(large, content_encoding="gzip, gzip")
        assert client.ask(large, content_encoding="gzip, gzip").status == 503
        assert not client.heard[first].whole


# --- pages in a browser --------------------------------------------------------------------------


@pytest.mark.parametrize(("headers", "status"), [(one, 403) for one in REFUSED] + [(one, 200) for one in ANSWERED])
def test_what_a_page_of_another_site_asks_is_refused(headers: dict[str, str], status: int) -> None:
    """The host is that of `:authority`, or of a Host header where there is none."""
    for field in (":authority", "host"):
        named = dict(headers)
        host = named.pop("host", "127.0.0.1")
        fields = [(":method", "GET"), (":scheme", "https"), (":path", "/_diag/connections")]
        fields = sorted([*fields, (field, host), *named.items()], key=lambda pair: not pair[0].startswith(":"))
        with Provider(tls=True) as provider, Http2(provider) as client:
            number = client.machine.get_next_available_stream_id()
            client.machine.send_headers(number, fields, end_stream=True)
            client.flush()
            assert client.listen(number).status == status


# --- replies -------------------------------------------------------------------------------------


def test_an_answer_is_kept_once_it_was_given_in_full() -> None:
    """And read again by its id, over either protocol; one that was broken off is not there."""
    with Provider(["h2-reset-stream=5:request=2"], tls=True) as provider, Http2(provider) as client:
        ids = []
        for status in (200, 404):
            heard = client.ask()
            ids.append(json.loads(bytes(heard.body).split(b"data: ")[1].split(b"\n")[0])["response"]["id"])
            assert client.ask(b"", f"/v1/responses/{ids[-1]}", "GET").status == status


def test_a_reply_that_is_broken_off_is_given_again(tmp_path: Path) -> None:
    """By the provider, or by a client that resets the stream before its window has let the answer out."""
    script = tmp_path / "replies.json"
    script.write_text(json.dumps([{"output": [{"text": text}]} for text in ("the first", "the second")]))
    with Provider(["h2-reset-stream=5:request=1"], reply=str(script), tls=True) as provider:
        with Http2(provider) as client:
            assert client.ask().end
        with Http2(provider, settings={4: 100}, grants=False) as client:
            number = client.send()
            while client.hear(0.3) != SILENT:
                pass
            client.machine.reset_stream(number)
            client.flush()
            until(lambda: len(provider.requests) == 2, "the request")
        with Http2(provider) as client:
            assert b"the first" in client.ask(JSON).body
            assert b"the second" in client.ask(JSON).body
