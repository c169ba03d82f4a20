"""HTTP/2 on the provider's TLS port, with a client that speaks it by hand: what is chosen, answered, and counted."""

from __future__ import annotations

import json
import ssl
import time
from pathlib import Path

import pytest
from http2_client import Http2, asking_for
from provider_tools import FIN, RESET, SILENT, Client, nothing_left, request, trusting, until  # noqa: F401
from test_provider_protocol import serving

from hermes_diag.provider import Provider
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols.frames import PREFACE
from hermes_diag.provider.upstream import Upstream

START = PREFACE + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # and an empty SETTINGS frame
HEALTHY = 16  # events of the healthy reply


@pytest.fixture(autouse=True)
def _bounded(nothing_left: None) -> None:  # noqa: F811
    """No descriptor and no thread is left."""


@pytest.mark.parametrize(
    ("asked", "offered", "chosen"),
    [
        (("h2", "http/1.1"), True, "h2"),
        (("http/1.1", "h2"), True, "h2"),
        (("http/1.1",), True, "http/1.1"),
        ((), True, None),
        (("h2", "http/1.1"), False, "http/1.1"),
    ],
)
def test_alpn_decides(asked: tuple[str, ...], offered: bool, chosen: str | None) -> None:
    """HTTP/2 is spoken with who asks for it, unless it is left out; with all others nothing changes."""
    with Provider(tls=True, http2=offered) as provider:
        context = trusting(provider)
        if asked:
            asking_for(context, *asked)
        with Client(provider, context) as client:
            assert client.socket.selected_alpn_protocol() == chosen
            if chosen != "h2":
                heard = client.ask()
                assert (heard.status, len(heard.events)) == (200, HEALTHY)


def test_a_healthy_reply_is_that_of_http1() -> None:
    """The same events, each in a DATA frame of its own, and no header of one connection."""
    with Provider(tls=True) as provider:
        with Http2(provider) as client:
            heard = client.ask()
        with Client(provider, trusting(provider)) as other:
            old = other.ask()
        assert heard.whole
        assert heard.types == old.types
        assert client.frames >= HEALTHY
        assert set(old.headers) - set(heard.headers) == {"transfer-encoding"}
        assert not {"connection", "transfer-encoding", "keep-alive"} & set(heard.headers)


def test_a_whole_body_has_its_length() -> None:
    """content-length is that of the body, also of a HEAD, which has none."""
    with Provider(tls=True) as provider, Http2(provider) as client:
        heard = client.ask({"model": "gpt-5", "input": "hi"})
        assert int(heard.headers["content-length"]) == len(heard.body) > 0
        head = client.ask(b"", path="/v1/models", method="HEAD")
        assert head.whole
        assert head.body == b""


def test_several_at_once_on_one_connection() -> None:
    """A held stream does not keep others waiting; each is counted, and none twice."""
    with Provider(["hold:request=1"], tls=True) as provider, Http2(provider) as client:
        first = client.send()
        others = [client.ask() for _ in range(5)]
        assert [len(heard.events) for heard in others] == [HEALTHY] * 5
        assert not client.heard[first].whole
        assert provider.tally()["connections"] == 1
        assert provider.tally()["fault healthy"] == 5
        provider.settle()
        provider._run(provider._core.release())
        assert len(client.listen(first).events) == HEALTHY
        until(lambda: provider.tally()["requests"] == 6, "the record of the first")
        assert [(one.connection, one.finished) for one in provider.requests] == [(1, True)] * 6


@pytest.mark.parametrize("window", [1, 100, 5000])
def test_a_small_window_is_kept_to(window: int) -> None:
    """An event larger than the client's window comes in pieces, all of it; h2 raises when we send too much."""
    with Provider(tls=True) as provider, Http2(provider, {4: window}) as client:
        heard = client.ask()
        assert heard.whole
        assert len(heard.events) == HEALTHY


def test_what_waits_for_the_window_waits() -> None:
    """A client that gives no window gets as much as it allowed, then the rest as it allows more."""
    with Provider(tls=True) as provider, Http2(provider, {4: 1000}, grants=False) as client:
        number = client.send()
        assert client.listen(number, silence=0.3).end == SILENT
        assert len(client.heard[number].body) == 1000
        provider.settle()  # nothing of ours is under way
        assert provider.requests == ()
        client.machine.increment_flow_control_window(2**20, number)
        client.flush()
        client.heard[number].end = ""
        assert len(client.listen(number).events) == HEALTHY
        until(lambda: provider.requests, "the record")
        assert provider.requests[0].finished


def test_a_window_that_settings_open_lets_go_on() -> None:
    """SETTINGS_INITIAL_WINDOW_SIZE counts for open streams, too."""
    with Provider(tls=True) as provider, Http2(provider, {4: 0}) as client:
        number = client.send()
        assert client.listen(number, silence=0.2).end == SILENT
        client.machine.update_settings({4: 65535})
        client.flush()
        client.heard[number].end = ""
        assert len(client.listen(number).events) == HEALTHY


def test_a_large_event_goes_through_small_windows() -> None:
    """8 MB in one event, through the usual window of 64 KB."""
    with Provider(["large-event=8"], tls=True) as provider, Http2(provider) as client:
        heard = client.ask()
        assert heard.whole
        assert len(heard.body) > 8 * 2**20


def test_a_client_that_resets_a_stream_keeps_the_others() -> None:
    """RST_STREAM of the client ends that answer and counts it as broken off."""
    with Provider(["hold:request=1"], tls=True) as provider, Http2(provider) as client:
        first = client.send()
        second = client.ask()
        assert second.whole
        client.machine.reset_stream(first, 8)
        client.flush()
        until(lambda: len(provider.requests) == 2, "the record of the first")
        assert [one.finished for one in provider.requests] == [True, False]
        assert client.ask().whole
        assert provider.open_connections == 1


def test_a_stream_reset_at_once_is_counted_once() -> None:
    """Request and RST_STREAM in one packet: the answer ends before it has begun."""
    with Provider(["slow-events=0.05"], tls=True) as provider, Http2(provider) as client:
        flush, client.flush = client.flush, lambda: None
        number = client.send()
        client.machine.reset_stream(number, 8)
        client.flush = flush
        client.flush()
        until(lambda: provider.requests, "the record")
        assert [one.finished for one in provider.requests] == [False]
        provider.settle()


def test_a_goaway_of_the_client_leaves_its_answers() -> None:
    """It asks for nothing more, and gets what it has asked for; then the connection is closed."""
    with Provider(["slow-events=0.02"], tls=True) as provider, Http2(provider) as client:
        number = client.send()
        client.socket.sendall(b"\0\0\x08\x07\0\0\0\0\0" + bytes(8))
        assert len(client.listen(number).events) == HEALTHY
        assert client.until_end() == FIN


def test_trailers_and_priorities_are_taken_and_ignored() -> None:
    with Provider(tls=True) as provider, Http2(provider) as client:
        number = client.send(whole=False)
        client.machine.prioritize(number, weight=3)
        client.machine.send_headers(number, [("x-trailer", "1")], end_stream=True)
        client.flush()
        assert len(client.listen(number).events) == HEALTHY


def test_a_body_over_the_limit_is_refused_and_the_connection_kept() -> None:
    """413 and RST_STREAM with NO_ERROR, by what content-length says and by what comes."""
    with Provider(tls=True, body_limit=5000) as provider, Http2(provider) as client:
        for number in (
            client.send(b"", whole=False, content_length="5001"),
            client.send(b"x" * 6000, whole=False),
        ):
            heard = client.listen(number)
            assert heard.status == 413
            assert json.loads(heard.body)["error"]["message"] == "The request body is too large."
        while len(client.codes) < 2:
            assert client.hear() == ""
        assert set(client.codes.values()) == {0}
        assert client.ask().whole
        assert provider.tally()["requests"] == 1


@pytest.mark.parametrize("extended", [False, True])
def test_connect_is_refused(extended: bool) -> None:
    """501, also with `:protocol`, which was not offered; and the connection is kept."""
    with Provider(tls=True) as provider, Http2(provider) as client:
        number = client.machine.get_next_available_stream_id()
        fields = [(":method", "CONNECT"), (":authority", "example.org:443")]
        if extended:
            fields += [(":protocol", "websocket"), (":scheme", "https"), (":path", "/v1/responses")]
        client.machine.config.validate_outbound_headers = False
        client.machine.send_headers(number, fields)
        client.flush()
        assert client.listen(number).status == 501
        assert client.ask().whole


@pytest.mark.parametrize("tls", [False, True])
def test_http2_without_alpn_is_refused_in_its_own_words(tls: bool) -> None:
    """Prior knowledge: SETTINGS, then GOAWAY with HTTP_1_1_REQUIRED and a sentence, then a FIN."""
    with Provider(tls=tls) as provider, Client(provider, trusting(provider) if tls else None) as client:
        client.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0")
        raw = b""
        while data := client.socket.recv(65536):
            raw += data
        assert raw[:9] == b"\0\0\0\x04\0\0\0\0\0"
        assert raw[9 + 3] == 7
        assert int.from_bytes(raw[9 + 9 + 4 : 9 + 9 + 8], "big") == 0xD
        assert b"HTTP/2 is spoken over TLS only" in raw


def test_idle_close_says_goaway_first() -> None:
    """GOAWAY, then close_notify and FIN; PINGs do not keep an idle connection."""
    with Provider(["idle-close=0.2"], tls=True) as provider, Http2(provider) as client:
        assert client.ask().whole
        client.machine.ping(bytes(8))
        client.flush()
        assert client.until_end() == FIN
        assert client.goaways == [(0, 1)]
        assert client.pongs == 1
        until(lambda: provider.closed_connections, "the record")
        assert [(one.closed_first, one.how) for one in provider.closed_connections] == [("provider", "fin")]


def test_idle_close_spares_a_connection_at_work() -> None:
    """While any stream is being answered, or any request arrives, the connection is not idle."""
    # Not shorter: on a busy machine the client takes its time from the handshake to its first request.
    with Provider(["idle-close=0.5", "slow-events=0.15"], tls=True) as provider, Http2(provider) as client:
        begun = time.monotonic()
        assert client.ask().whole
        assert time.monotonic() - begun > 0.75
    with Provider(["idle-close=0.5"], tls=True) as provider, Http2(provider) as client:
        number = client.send(whole=False)
        assert client.until_end(silence=1) == SILENT
        client.machine.end_stream(number)
        client.flush()
        assert client.listen(number).whole


def test_what_the_control_path_and_the_log_say() -> None:
    """Open connections are listed with what was asked on them; the log has each request."""
    seen = []
    with Provider(tls=True, observer=lambda happened: seen.append(happened.what)) as provider:
        with Http2(provider) as client:
            client.ask()
            document = json.loads(client.ask(b"", path="/_diag/connections", method="GET").body)
            assert [(one["requests"], one["idle"]) for one in document["open"]] == [(2, False)]
        until(lambda: provider.closed_connections, "the end")
    assert seen[:5] == ["opened", "speaks HTTP/2", "request", "first byte", "answered"]
    assert seen[-1] == "closed"


def test_serve_speaks_it() -> None:
    """`serve --tls` offers HTTP/2 and says in its log who speaks it."""
    with serving("--json", "--tls") as one:
        ca = json.loads(one.wait_for("serving"))["environment"]["SSL_CERT_FILE"]
        context = asking_for(ssl.create_default_context(cafile=ca), "h2", "http/1.1")
        with Client(one, context) as client:
            assert client.socket.selected_alpn_protocol() == "h2"
            client.socket.sendall(START)
            one.wait_for("speaks HTTP/2")
        assert one.end()[2] == ""


def test_it_can_be_left_out() -> None:
    """A client that would rather speak HTTP/2 then gets HTTP/1.1."""
    with Provider(tls=True, http2=False) as provider:
        context = asking_for(trusting(provider), "h2", "http/1.1")
        with Client(provider, context) as client:
            assert client.socket.selected_alpn_protocol() == "http/1.1"
            assert client.ask().whole


def test_what_is_passed_on_comes_back(tmp_path: Path) -> None:
    """A request of HTTP/2 goes to a real provider as HTTP/1.1, and its stream comes back."""
    with Provider() as real:
        upstream = Upstream(real.base_url, tmp_path / "a.sse")
        upstream.open()
        with Provider(tls=True, upstream=upstream) as provider, Http2(provider) as client:
            heards = [client.listen(number) for number in [client.send(), client.send()]]
        upstream.close()
    assert [len(heard.events) for heard in heards] == [HEALTHY] * 2
    one, other = (heard.body for heard in heards)
    assert one != other  # the ids of each reply are its own
    assert (tmp_path / "a.sse").read_bytes() in (one + other, other + one)


def test_a_stream_that_goes_wrong_ends_the_connection() -> None:
    """Whatever fails in an answer, the client does not wait for ever: here a header that nobody may send."""

    class Wrong:
        async def answer(self, exchange: Exchange) -> None:
            exchange.start(headers=((":wrong", "\n"),))

    with Provider(tls=True, upstream=Wrong()) as provider, Http2(provider) as client:
        assert client.ask().end in (FIN, RESET)
        until(lambda: provider.requests, "the record")
        assert not provider.requests[0].finished


def test_stop_drops_what_is_held() -> None:
    """The provider ends although streams are held, and counts them as broken off."""
    with Provider(["hold"], tls=True) as provider, Http2(provider) as client:
        numbers = [client.send() for _ in range(5)]
        for number in numbers:
            while not client.heard[number].events:
                assert client.hear() == ""
    assert [one.finished for one in provider.requests] == [False] * 5


def test_closing_with_streams_open_breaks_them_off() -> None:
    with Provider(["hold"], tls=True) as provider:
        with Http2(provider) as client:
            for number in [client.send() for _ in range(3)]:
                while not client.heard[number].events:
                    assert client.hear() == ""
        until(lambda: provider.closed_connections, "the end")
        assert [one.finished for one in provider.requests] == [False] * 3
