"""Each fault as a raw socket sees it: the bytes, the FIN, the RST, the silence; and not without the fault."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Callable

import pytest
from provider_tools import (
    FIN,
    PATIENCE,
    RESET,
    SILENCE,
    SILENT,
    Client,
    Heard,
    parse,
    request,
    trusting,
    until,
    without_ids,
)

from hermes_diag.core.errors import UsageError
from hermes_diag.provider import Provider, faults

HEALTHY_TYPES = 16  # events of the healthy reply


def cut(heard: Heard, end: str, events: int) -> bool:
    """So many events, not whole, ended like that."""
    return heard.status == 200 and not heard.whole and heard.end == end and len(heard.events) == events


def numbers(heard: Heard) -> list[int]:
    return [event["sequence_number"] for event in heard.events]


def refused(status: int, content: str = "application/json") -> Callable[[Heard], bool]:
    def check(heard: Heard) -> bool:
        right = heard.status == status and heard.whole and heard.headers["content-type"].startswith(content)
        return right and (content != "application/json" or "message" in json.loads(heard.body)["error"])

    return check


#: Faults that show in one response: the spec, and what a raw socket must see of it and never of a healthy
#: reply. `end` is asked for as long as the response is not whole.
SEEN: dict[str, tuple[str, Callable[[Heard], bool]]] = {
    "bad-chunk-header": ("bad-chunk-header", lambda h: cut(h, FIN, 3) and b"\r\nxyz\r\n" in h.raw),
    "comments-only": ("comments-only=0.5", lambda h: not h.events and h.raw.count(b": ping\n\n") > 0),
    "connection-close": ("connection-close", lambda h: h.whole and h.headers.get("connection") == "close"),
    "content-length-long": ("content-length-long", lambda h: cut(h, FIN, HEALTHY_TYPES)),
    "content-length-short": (
        "content-length-short",
        lambda h: "content-length" in h.headers and not h.raw.endswith(h.body),
    ),
    "duplicate-events": ("duplicate-events", lambda h: h.whole and h.types[::2] == h.types[1::2]),
    "error-event": ("error-event=2", lambda h: h.whole and h.types[2:] == ["error"]),
    "fin-before-headers": ("fin-before-headers", lambda h: h.raw == b"" and h.end == FIN),
    "fin-mid-stream": ("fin-mid-stream=5", lambda h: cut(h, FIN, 5)),
    "first-event-then-silence": ("first-event-then-silence", lambda h: cut(h, SILENT, 1)),
    "gzip": ("gzip", lambda h: h.headers.get("content-encoding") == "gzip" and len(h.events) == HEALTHY_TYPES),
    "hold": ("hold", lambda h: cut(h, SILENT, 1)),
    "http-400": ("http-400", refused(400)),
    "http-403": ("http-403", refused(403, "text/html")),
    "http-404": ("http-404", refused(404)),
    "http-408": ("http-408", refused(408)),
    "http-409": ("http-409", refused(409)),
    "http-413": ("http-413", refused(413)),
    "http-429": ("http-429", lambda h: refused(429)(h) and "retry-after" not in h.headers),
    "http-500": ("http-500", refused(500)),
    "http-502": ("http-502", refused(502, "text/html")),
    "http-503": ("http-503", refused(503)),
    "http-529": ("http-529", refused(529)),
    "insufficient-quota": ("insufficient-quota", refused(429)),
    "large-event": ("large-event=8", lambda h: h.whole and max(map(len, h.body.split(b"\n\n"))) > 8 * 2**20),
    "long-stream": ("long-stream=100000", lambda h: h.whole and h.body.count(b"\n\n") == 100_000),
    "malformed-event": ("malformed-event", lambda h: h.whole and h.body.count(b"\n\n") == len(h.events) + 1),
    "no-terminal-event": ("no-terminal-event", lambda h: h.whole and "response.completed" not in h.types),
    "out-of-order-events": (
        "out-of-order-events",
        lambda h: h.whole and numbers(h)[:4] == [1, 0, 3, 2],
    ),
    "redirect": ("redirect", lambda h: h.status == 307 and h.headers["location"].startswith("/v1/responses?")),
    "response-failed": (
        "response-failed=server_error:after=2",
        lambda h: h.whole and h.types[2:] == ["response.failed"],
    ),
    "response-incomplete": ("response-incomplete", lambda h: h.whole and h.types[-1] == "response.incomplete"),
    "rst-before-headers": ("rst-before-headers", lambda h: h.raw == b"" and h.end == RESET),
    "rst-mid-stream": ("rst-mid-stream=5", lambda h: cut(h, RESET, 5)),
    "stall-before-first-event": ("stall-before-first-event", lambda h: cut(h, SILENT, 0)),
    "stall-before-headers": ("stall-before-headers", lambda h: h.raw == b"" and h.end == SILENT),
    "terminal-without-end": ("terminal-without-end", lambda h: cut(h, SILENT, HEALTHY_TYPES)),
    "tls-bare-fin": ("tls-bare-fin", lambda h: cut(h, "bare fin", 3)),
    "tls-close-notify": ("tls-close-notify", lambda h: cut(h, FIN, 3)),
    "truncated-chunk": ("truncated-chunk", lambda h: cut(h, FIN, 3) and h.raw[-2:] != b"\r\n"),
    "truncated-event": (
        "truncated-event",
        lambda h: cut(h, FIN, 3) and h.raw[-3:-2] not in (b"\n", b""),
    ),
    "truncated-utf8": ("truncated-utf8", lambda h: cut(h, FIN, 3) and not decodes(h.body)),
    "usage-limit-reached": ("usage-limit-reached", refused(429)),
}
#: Those of them that are silent, which can only be told by waiting.
QUIET = {
    "comments-only", "first-event-then-silence", "hold", "stall-before-first-event", "stall-before-headers",
    "terminal-without-end",
}  # fmt: skip
#: Faults that need more than one response; each has a test of its own below.
TOLD = {
    "cut-after", "latency", "throttle", "vanish-before-headers",  # test_provider_traffic.py
    "rate-limit",  # test_quota.py
    "connection-limit", "half-close", "healthy", "idle-close", "idle-reset", "idle-vanish", "slow-events",
    "tls-expired", "tls-reset-handshake", "tls-wrong-host",
} | {name for name in faults.catalogue() if name.startswith("h2-")}  # fmt: skip


def decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_no_fault_comes_untested() -> None:
    """A new file in the folder needs a line here."""
    of_the_proxy = {name for name, entry in faults.catalogue().items() if entry.hook == "tunnel"}  # test_proxy.py
    of_websockets = {name for name in faults.catalogue() if name.startswith("ws-")}  # test_websocket_faults.py
    assert set(faults.catalogue()) == set(SEEN) | TOLD | of_the_proxy | of_websockets


@pytest.mark.parametrize("name", SEEN)
def test_a_raw_socket_sees_it_and_only_with_the_fault(name: str) -> None:
    """The fault shows on the wire, and a healthy reply never looks like it."""
    spec, check = SEEN[name]
    tls = faults.catalogue()[name].needs_tls
    with Provider([spec], tls=tls) as provider, Client(provider, trusting(provider) if tls else None) as client:
        heard = client.ask(silence=SILENCE if name in QUIET else PATIENCE)
        assert check(heard), heard
    with Provider(tls=tls) as provider, Client(provider, trusting(provider) if tls else None) as client:
        healthy = client.ask()
        assert healthy.whole
        assert len(healthy.events) == HEALTHY_TYPES
        assert not check(healthy)


@pytest.mark.parametrize("name", sorted(set(SEEN) - {"gzip", "connection-close"}))
def test_it_works_on_chat_completions_and_without_a_stream_too(name: str) -> None:
    """No fault is bound to one API, few to streams: none breaks on the others, none is left out without a word."""
    spec = SEEN[name][0].replace("100000", "300").replace("=8", "=1")
    tls = faults.catalogue()[name].needs_tls
    bodies = [("/v1/chat/completions", {"model": "gpt-5", "messages": [], "stream": True})]
    bodies += [(path, {"model": "gpt-5", "messages": []}) for path in ("/v1/responses", "/v1/chat/completions")]
    for path, body in bodies:
        with Provider([spec], tls=tls) as provider, Client(provider, trusting(provider) if tls else None) as client:
            client.ask(request(path, body), silence=0.05)
            client.socket.close()
            until(lambda provider=provider: provider.closed_connections, "the end of the connection")
            passed_by = faults.catalogue()[name].streams_only and not body.get("stream")
            assert provider.tally()[f"fault {name}{' (not applied: no stream)' if passed_by else ''}"] == 1


@pytest.mark.parametrize("spec", ["long-stream=16", "content-length-short=1", "content-length-short=200"])
@pytest.mark.parametrize("gzip", [False, True])
def test_the_ends_of_a_range_have_their_effect(spec: str, gzip: bool) -> None:
    """The least and the most that a fault takes, on every kind of answer."""
    name, _, value = spec.partition("=")
    chat = {"model": "gpt-5", "messages": []}
    bodies = [("/v1/responses", {"model": "gpt-5"}), ("/v1/chat/completions", chat)]
    asked = [(path, {**body, "stream": streamed}) for path, body in bodies for streamed in (True, False)]
    for path, body in asked[: 1 if name == "long-stream" else None]:
        with Provider([spec, *["gzip"] * gzip]) as provider, Client(provider) as client:
            client.socket.sendall(request(path, body, connection="close"))
            raw = b""
            while data := client.socket.recv(1 << 20):
                raw += data
        heard = Heard(bytearray(raw))
        parse(heard)
        if name == "long-stream":
            assert len(heard.events) == int(value)
        else:
            announced = int(heard.headers["content-length"])
            assert announced >= 1
            assert len(raw.partition(b"\r\n\r\n")[2]) - announced == int(value)


def test_healthy_keeps_the_connection() -> None:
    """healthy: a second request on the same connection is answered like the first."""
    with Provider(["healthy"]) as provider, Client(provider) as client:
        first, second = client.ask(), client.ask()
        assert without_ids(first.body) == without_ids(second.body)
        assert first.body != second.body
        assert provider.tally()["connections"] == 1


def test_slow_events_come_one_by_one() -> None:
    """slow-events: events arrive so many seconds apart, and all of them."""
    with Provider(["slow-events=0.02"]) as provider, Client(provider) as client:
        begun = time.monotonic()
        heard = client.ask()
        assert heard.whole
        slow = time.monotonic() - begun
        assert slow >= 0.02 * HEALTHY_TYPES
    with Provider() as provider, Client(provider) as client:
        begun = time.monotonic()
        client.ask()
        assert time.monotonic() - begun < slow


@pytest.mark.parametrize(("name", "end"), [("idle-close", FIN), ("idle-reset", RESET)])
def test_idle_ends_are_seen(name: str, end: str) -> None:
    """idle-close and idle-reset: the end comes when the connection is idle, not before."""
    with Provider([f"{name}=0.1"]) as provider, Client(provider) as client:
        assert client.ask().whole
        begun = time.monotonic()
        assert client.end(silence=5) == end
        assert time.monotonic() - begun >= 0.05
        assert [(one.closed_first, one.how) for one in provider.closed_connections] == [
            ("provider", "fin" if end == FIN else "reset")
        ]
    with Provider() as provider, Client(provider) as client:
        client.ask()
        assert client.end(silence=0.3) == SILENT


def test_idle_close_spares_a_connection_at_work() -> None:
    """A connection that is being answered is not idle, however long that takes."""
    with Provider(["idle-close=0.5", "slow-events=0.15"]) as provider, Client(provider) as client:
        begun = time.monotonic()
        assert client.ask().whole
        assert time.monotonic() - begun > 0.75


def test_idle_vanish_answers_nothing_and_acknowledges_nothing() -> None:
    """idle-vanish: what the client then sends stays in its send queue; or, unprivileged, is never answered."""
    with Provider(["idle-vanish=0.05"]) as provider, Client(provider) as client:
        assert client.ask().whole
        until(lambda: provider.vanished, "the connection to vanish")
        assert client.ask(silence=0.3).end == SILENT
        acknowledged = unacknowledged(client.socket) == 0
        assert acknowledged is not provider.vanish_is_real
    with Provider() as provider, Client(provider) as client:
        client.ask()
        assert client.ask().whole
        assert unacknowledged(client.socket) == 0


@pytest.mark.parametrize("withdrawn", [False, True])
def test_what_has_vanished_is_given_up(withdrawn: bool) -> None:
    """After its time, or with its fault, and without a packet where the kernel may keep quiet."""
    spec = "idle-vanish=0.05" if withdrawn else "idle-vanish=0.05:held=0.3"
    with Provider([spec]) as provider, Client(provider) as client:
        assert client.ask().whole
        until(lambda: provider.vanished, "the connection to vanish")
        heard = segments_in(client.socket)
        if withdrawn:
            assert provider.open_connections == 1
            provider.set_faults([])
        until(lambda: not provider.open_connections, "the connection to be given up")
        if may_close_silently():
            assert client.end(silence=SILENCE) == SILENT
            assert segments_in(client.socket) == heard
        assert [(one.closed_first, one.how) for one in provider.closed_connections] == [("provider", "vanish")]


def test_what_has_vanished_is_not_held_for_a_client_that_left() -> None:
    """Nobody hears that it has closed: it goes when its time is over, and its descriptor with it."""
    with Provider(["idle-vanish=0.05:held=0.3"]) as provider:
        with Client(provider) as client:
            assert client.ask().whole
            until(lambda: provider.vanished, "the connection to vanish")
        until(lambda: not provider.open_connections, "the connection to be given up")


def may_close_silently() -> bool:
    """Whether we may have the kernel close without a packet (TCP_REPAIR, by CAP_NET_ADMIN)."""
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, 19, 1)
        except OSError:
            return False
        return True


def test_what_has_vanished_does_not_count_for_the_limit() -> None:
    """connection-limit: the next one is served although the one that vanished is still held."""
    with Provider(["idle-vanish=0.05:connection=1", "connection-limit=1"]) as provider, Client(provider) as first:
        assert first.ask().whole
        until(lambda: provider.vanished, "the connection to vanish")
        with Client(provider) as second:
            assert second.ask().whole
            assert provider.open_connections == 2
            with pytest.raises(TimeoutError):
                socket.create_connection(provider.address, 0.4)
        until(lambda: provider.open_connections == 1, "the second to be gone")
        with Client(provider) as third:
            assert third.ask().whole


def segments_in(sock: socket.socket) -> int:
    """Segments that have arrived, from TCP_INFO (tcpi_segs_in)."""
    return int.from_bytes(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144)[140:144], "little")


def unacknowledged(sock: socket.socket) -> int:
    """Segments in flight, from TCP_INFO (tcpi_unacked)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return int.from_bytes(info[24:28], "little")


def test_half_close_keeps_reading() -> None:
    """half-close: a FIN after the whole reply, and what the client still sends is taken without a RST."""
    with Provider(["half-close"]) as provider, Client(provider) as client:
        assert client.ask().whole
        assert client.end() == FIN
        for _ in range(3):
            client.socket.sendall(request())
        until(lambda: provider.tally()["bytes_in"] > 4 * len(request()) - 1, "the bytes")
        assert provider.open_connections == 1
        assert provider.tally()["requests"] == 1


def test_connection_limit_makes_a_connect_hang() -> None:
    """connection-limit: the next connect hangs; when a connection goes, it is served again."""
    with Provider(["connection-limit=1"]) as provider:
        with Client(provider) as first:
            assert first.ask().whole
            with pytest.raises(TimeoutError):
                socket.create_connection(provider.address, 0.4)
            assert first.ask().whole
        until(lambda: not provider.open_connections, "the first connection to be gone")
        with Client(provider) as second:
            assert second.ask().whole
        assert provider.tally()["connections"] == 2
    with Provider() as provider, Client(provider) as first, Client(provider) as second:
        assert first.ask().whole
        assert second.ask().whole


def test_connection_limit_zero_takes_none() -> None:
    """A limit of 0 is a host that drops every SYN."""
    with Provider(["connection-limit=0"]) as provider, pytest.raises(TimeoutError):
        socket.create_connection(provider.address, 0.4)


@pytest.mark.parametrize(("name", "words"), [("tls-expired", "expired"), ("tls-wrong-host", "mismatch")])
def test_bad_certificates_are_refused_by_a_client_that_looks(name: str, words: str) -> None:
    """The right authority, the wrong certificate; and on every second connection only, if so asked."""
    with Provider([f"{name}:every=2"], tls=True) as provider:
        with Client(provider, trusting(provider)) as client:
            assert client.ask().whole
        with pytest.raises(ssl.SSLCertVerificationError, match=words):
            Client(provider, trusting(provider))


@pytest.mark.parametrize("spec", ["rst-before-headers", "rst-mid-stream", "idle-reset=0.05", "tls-bare-fin"])
def test_a_reset_under_tls_is_a_reset(spec: str) -> None:
    """Seen beneath TLS, which in Python tells it from a bare FIN by no more than a word."""
    with Provider([spec], tls=True) as provider, socket.create_connection(provider.address, PATIENCE) as sock:
        received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        machine = trusting(provider).wrap_bio(received, to_send, server_hostname="127.0.0.1")
        while True:
            try:
                machine.do_handshake()
            except ssl.SSLWantReadError:
                sock.sendall(to_send.read())
                received.write(sock.recv(65536))
            else:
                break
        machine.write(request())
        sock.sendall(to_send.read())
        assert raw_end(sock) == (FIN if spec == "tls-bare-fin" else RESET)


def raw_end(sock: socket.socket) -> str:
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return RESET
    return FIN


@pytest.mark.parametrize("name", ["truncated-utf8", "malformed-event"])
def test_what_is_broken_is_an_event_of_the_api_that_was_asked(name: str) -> None:
    """A chat stream gets no event of the other API, not even a broken one."""
    chat = request("/v1/chat/completions", {"model": "gpt-5", "messages": [], "stream": True})
    with Provider([name]) as provider, Client(provider) as client:
        heard = client.ask(chat)
        assert b"response." not in heard.body
        broken = heard.body.split(b"\n\n")[3]
        assert broken.startswith(b'data: {"id":"chatcmpl-')
        assert broken.endswith(b'"content":"\xf0\x9f' if name == "truncated-utf8" else b'"content":')


def test_a_reset_in_the_handshake() -> None:
    """tls-reset-handshake: the ClientHello is answered with a RST."""
    with Provider(["tls-reset-handshake:connection=1"], tls=True) as provider:
        with pytest.raises(ConnectionResetError):
            Client(provider, trusting(provider))
        with Client(provider, trusting(provider)) as client:
            assert client.ask().whole


def test_retry_after_in_seconds_and_as_a_date() -> None:
    """http-429: with seconds, with a date, without."""
    for spec, pattern in (("http-429=7", "7$"), ("http-429=date", r"\w{3}, \d\d \w{3} \d{4} ")):
        with Provider([spec]) as provider, Client(provider) as client:
            assert re.match(pattern, client.ask().headers["retry-after"], re.IGNORECASE)


def test_redirect_ends_or_goes_on_for_ever() -> None:
    """redirect: whoever follows is served; `loop` redirects again."""
    for spec, status in (("redirect", 200), ("redirect=loop", 307)):
        with Provider([spec]) as provider, Client(provider) as client:
            where = client.ask().headers["location"]
            assert client.ask(request(where)).status == status


# --- when ----------------------------------------------------------------------------------------


def statuses(specs: list[str], count: int = 6, **options: object) -> list[int]:
    with Provider(specs, **options) as provider, Client(provider) as client:
        return [client.ask().status for _ in range(count)]


def test_conditions_choose_the_requests() -> None:
    """request, every, and the first fault that applies."""
    assert statuses(["http-500:request=2"]) == [200, 500, 200, 200, 200, 200]
    assert statuses(["http-500:every=3"]) == [200, 200, 500, 200, 200, 500]
    assert statuses(["http-500:every=3", "http-429:every=2"]) == [200, 429, 500, 429, 200, 500]


def test_chance_is_the_same_for_the_same_seed() -> None:
    """probability: all, none, or the same ones again."""
    assert statuses(["http-500:probability=1"]) == [500] * 6
    assert statuses(["http-500:probability=0"]) == [200] * 6
    seven = statuses(["http-500:probability=0.5:seed=7"], 40)
    assert seven == statuses(["http-500:probability=0.5:seed=7"], 40)
    assert seven != statuses(["http-500:probability=0.5:seed=8"], 40)
    assert 8 < seven.count(500) < 32


def test_conditions_choose_the_connection() -> None:
    """connection=2: the first and the third are spared."""
    with Provider(["http-500:connection=2"]) as provider:
        seen = []
        for _ in range(3):
            with Client(provider) as client:
                seen += [client.ask().status, client.ask().status]
    assert seen == [200, 200, 500, 500, 200, 200]


def test_other_paths_are_spared_and_not_counted() -> None:
    """Probes of other paths neither meet a fault nor use it up, unless the fault names the path."""
    probe = request("/v1/models", b"", "GET")
    with Provider(["http-500:request=1"]) as provider, Client(provider) as client:
        assert client.ask(probe).status == 200
        assert client.ask(request("/api/show")).status == 404
        assert client.ask().status == 500
        assert client.ask().status == 200
    with Provider(["http-500:path=/v1/models"]) as provider, Client(provider) as client:
        assert client.ask(probe).status == 500
        assert client.ask().status == 200


def test_faults_combine() -> None:
    """What shapes an answer and what acts at idle go with any answer."""
    with Provider(["gzip", "idle-close=0.05", "no-terminal-event"]) as provider, Client(provider) as client:
        heard = client.ask()
        assert heard.headers["content-encoding"] == "gzip"
        assert heard.types[-1] == "response.output_item.done"
        assert client.end(silence=5) == FIN


@pytest.mark.parametrize(
    ("spec", "says", "cure"),
    [
        ("idle-clos", "no fault 'idle-clos'", "idle-close"),
        ("", "no fault ''", "`hermes-diag faults` lists all"),
        ("healthy=1", "healthy takes no value", "write healthy"),
        ("slow-events=x", "seconds is 'x'", "a time like 500ms or 2s"),
        ("slow-events=-1", "seconds is -1", "from 0"),
        ("slow-events=nan", "seconds is nan", "from 0"),
        ("slow-events=1e300", "seconds is 1e300", "from 0"),
        ("fin-mid-stream=1.5", "after is '1.5'", "a whole number"),
        ("fin-mid-stream:after=1:after=2", "after is given twice", "once"),
        ("fin-mid-stream=1:after=2", "after is given twice", "fin-mid-stream=1"),
        ("healthy:every", "'every' is not KEY=VALUE", "every=3"),
        ("healthy:every=0", "every is 0", "starts at 1"),
        ("healthy:probability=1.5", "probability is 1.5", "0 to 1"),
        ("healthy:color=red", "has no 'color'", "request"),
        ("idle-close=0", "before the first request", "idle-close=50ms"),
        ("idle-reset=0", "before the first request", "idle-reset=50ms"),
        ("idle-vanish=0s", "before the first request", "idle-vanish=50ms"),
        ("response-failed=bad_luck", "code is one of", "faults"),
        ("response-incomplete=bored", "reason is one of", "faults"),
        ("throttle=0", "at least 1 byte", "faults"),
        ("latency=1:jitter=2", "at most the latency", "faults"),
        ("cut-after=1:how=softly", "one of reset, fin", "faults"),
        ("idle-close:request=1", "has no 'request'", "connection"),
        ("long-stream=0", "events is at least 16", "faults"),
        ("long-stream=15", "events is at least 16", "faults"),
        ("content-length-short=0", "missing is from 1 to 200", "faults"),
        ("content-length-short=201", "missing is from 1 to 200", "faults"),
        ("content-length-long=0", "missing is at least 1", "faults"),
        ("connection-limit:every=2", "has no 'every'", "connections"),
        ("http-429=soon", "retry_after is none", "faults"),
        ("redirect=twice", "how is one of", "faults"),
        ("large-event=4000", "at most 1024", "faults"),
        ("tls-expired", "needs TLS", "--tls"),
        ("../secrets", "no fault", "`hermes-diag faults` lists all"),
    ],
)
def test_a_wrong_spec_says_what_and_what_to_do(spec: str, says: str, cure: str) -> None:
    """Each mistake is named, with a cure."""
    with pytest.raises(UsageError) as caught:
        Provider([spec])
    assert says in caught.value.message
    assert cure in caught.value.hint
    assert "\n" not in caught.value.message


def test_every_fault_says_what_it_does() -> None:
    """One line, parameters with defaults, and only reports that look like reports."""
    for entry in faults.catalogue().values():
        assert 5 < len(entry.summary) < 110, entry.name
        assert re.fullmatch(r"(#\d{4,6}(, )?)*", entry.reference), entry.name
        assert not any(one.required for one in entry.parameters), entry.name
