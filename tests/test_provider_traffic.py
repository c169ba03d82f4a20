"""Faults of the provider's traffic, bodies that are compressed, and requests that a page in a browser makes."""

from __future__ import annotations

import gzip
import itertools
import json
import time
import zlib

import pytest
from provider_tools import (  # noqa: F401
    BODY,
    FIN,
    GENERATIONS,
    PATIENCE,
    RESET,
    SILENCE,
    SILENT,
    Client,
    Heard,
    Probe,
    nothing_left,
    request,
    trusting,
    until,
    without_ids,
)
from test_provider_edges import control
from test_provider_protocol import serving

from hermes_diag.provider import Provider
from hermes_diag.provider.protocols import coding

EVENTS = 16
JSON = request(body={"model": "gpt-5"})
CHAT = request("/v1/chat/completions", {"model": "gpt-5", "messages": [], "stream": True})


def arrivals(client: Client, data: bytes) -> tuple[Heard, list[float]]:
    """What comes until the answer is whole, and when each piece came, in seconds since it was asked for."""
    client.socket.sendall(data)
    heard, times, begun = Heard(), [], time.monotonic()
    while not heard.raw.endswith((b"0\r\n\r\n", b"}}", b"}")):
        heard.raw += client.socket.recv(65536)
        times.append(time.monotonic() - begun)
    return heard, times


# --- throttle ------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [request(), CHAT, JSON], ids=["stream", "chat", "json"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_throttled_answer_drips(data: bytes, tls: bool) -> None:
    """Its bytes take as long as they must, none of the pauses is long, and it is all there; the next is as slow."""
    rate = 8000
    throttled = Provider([f"throttle={rate}"], tls=tls)
    with throttled as provider, Client(provider, trusting(provider) if tls else None) as client:
        begun = time.monotonic()
        heard = client.ask(data)
        took = time.monotonic() - begun
        assert heard.whole
        assert took >= 0.8 * len(heard.raw) / rate
        assert client.ask(data).whole
        assert time.monotonic() - begun >= 1.6 * len(heard.raw) / rate
    with Provider(tls=tls) as provider, Client(provider, trusting(provider) if tls else None) as client:
        begun = time.monotonic()
        assert client.ask(data).whole
        assert time.monotonic() - begun < took


def test_the_headers_drip_too() -> None:
    """Less than the status line is there at first: no read is ever without a byte for long, and none ends the head."""
    with Provider(["throttle=40"]) as provider, Client(provider) as client:
        client.socket.sendall(request())
        pieces = [client.socket.recv(65536) for _ in range(8)]
        assert max(map(len, pieces)) <= 8
        assert b"\r\n\r\n" not in b"".join(pieces)


def test_a_drip_lasts_longer_than_the_read_timeout() -> None:
    """Which never fires, as each of its reads gets a byte; and fires where the provider is silent instead."""
    for python in GENERATIONS[:1]:
        with Probe(python.values[0]) as probe:
            with Provider(["throttle=4000"]) as provider:
                begun = time.monotonic()
                probe.tell(base_url=provider.base_url, timeout=0.5)
                heard = probe.hear()
                assert (heard["count"], heard["chain"]) == (EVENTS, [])
                assert time.monotonic() - begun > 1
            with Provider(["stall-before-headers"]) as provider:
                probe.tell(base_url=provider.base_url, timeout=0.5)
                assert "openai.APITimeoutError" in probe.hear()["chain"]


def test_throttle_applies_to_the_requests_it_is_for() -> None:
    """every=2: the first is at full speed, on the same connection."""
    with Provider(["throttle=10000:every=2"]) as provider, Client(provider) as client:
        times = []
        for _ in range(4):
            begun = time.monotonic()
            assert client.ask().whole
            times.append(time.monotonic() - begun)
        assert min(times[1], times[3]) > max(times[0], times[2])


def test_a_client_that_leaves_a_drip_is_not_waited_for() -> None:
    """What was still to come is dropped with it."""
    with Provider(["throttle=10"]) as provider:
        with Client(provider) as client:
            client.socket.sendall(request())
            assert client.socket.recv(100)
        until(lambda: not provider.open_connections, "the end")
        assert [one.finished for one in provider.requests] == [False]


@pytest.mark.parametrize(("spec", "end"), [("fin-mid-stream=3", FIN), ("connection-close", FIN), ("half-close", FIN)])
def test_what_ends_a_connection_does_so_behind_the_drip(spec: str, end: str) -> None:
    """The FIN comes after the bytes that were written before it."""
    with Provider([spec, "throttle=20000"]) as provider, Client(provider) as client:
        heard = client.ask()
        assert len(heard.events) == (3 if "mid" in spec else EVENTS)
        assert (heard.end or client.end()) == end


# --- latency -------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [request(), CHAT, JSON], ids=["stream", "chat", "json"])
def test_latency_delays_an_answer(data: bytes) -> None:
    """Each time, on one connection."""
    with Provider(["latency=0.3"]) as provider, Client(provider) as client:
        for _ in range(2):
            begun = time.monotonic()
            assert client.ask(data).whole
            took = time.monotonic() - begun
            assert took >= 0.3
    with Provider() as provider, Client(provider) as client:
        begun = time.monotonic()
        assert client.ask(data).whole
        assert time.monotonic() - begun < took


def test_jitter_spreads_the_pieces_in_their_order() -> None:
    """Events that were sent at once arrive apart, none before the one ahead of it; without jitter they do not."""
    with Provider(["latency=0.2:jitter=0.2"]) as provider, Client(provider) as client:
        heard, times = arrivals(client, request())
        assert max(later - earlier for earlier, later in itertools.pairwise(times)) > 0.02
        numbers = [int(part.split(b"}")[0]) for part in bytes(heard.raw).split(b'"sequence_number":')[1:]]
        assert numbers == list(range(EVENTS))


# --- cut-after and vanish-before-headers ---------------------------------------------------------


@pytest.mark.parametrize(("how", "end"), [("reset", RESET), ("fin", FIN)])
def test_a_connection_is_cut_under_traffic(how: str, end: str) -> None:
    """Events come until then, and a connection that is idle is cut as well; the next one is spared."""
    specs = ["slow-events=0.05", f"cut-after=0.4:how={how}:connection=1"]
    with Provider(specs) as provider:
        with Client(provider) as client:
            begun = time.monotonic()
            heard = client.ask()
            assert time.monotonic() - begun >= 0.35
            assert heard.end == end
            assert 1 <= len(heard.events) < EVENTS
        with Client(provider) as client:
            assert client.ask().whole
        until(lambda: len(provider.closed_connections) == 2, "the ends")
        assert provider.closed_connections[0].closed_first == "provider"
    with Provider([f"cut-after=0.2:how={how}"]) as provider, Client(provider) as client:
        assert client.ask().whole
        assert client.end() == end


def test_what_was_asked_for_vanishes() -> None:
    """No byte of an answer, and no packet for what is sent on; the provider gives it up in time."""
    with Provider(["vanish-before-headers=0.5:request=1"]) as provider:
        with Client(provider) as client:
            heard = client.ask(silence=0.3)
            assert (heard.end, bytes(heard.raw)) == (SILENT, b"")
            assert provider.vanished
            assert [(one.status, one.finished) for one in provider.requests] == [(0, False)]
        with Client(provider) as client:
            assert client.ask().whole
        until(lambda: not provider.open_connections, "it to be given up")
        assert {one.how for one in provider.closed_connections} == {"vanish", "fin"}


@pytest.mark.parametrize("python", GENERATIONS)
def test_both_generations_of_the_sdk_meet_them(python: str) -> None:
    """A cut stream raises, a vanished request times out, and what is slow is whole."""
    with Probe(python) as probe:
        for spec, timeout, chain in (
            ("cut-after=0.4", PATIENCE, True),
            ("vanish-before-headers", 0.5, True),
            ("latency=0.2:jitter=0.1", PATIENCE, False),
            ("throttle=20000", PATIENCE, False),
        ):
            silent = ["first-event-then-silence"] if "cut" in spec else []
            with Provider([spec, *silent]) as provider:
                probe.tell(base_url=provider.base_url, timeout=timeout)
                heard = probe.hear()
                assert bool(heard["chain"]) is chain, (spec, heard)
                assert heard["count"] == (1 if "cut" in spec else 0 if chain else EVENTS)


# --- bodies that are compressed ------------------------------------------------------------------

PLAIN = json.dumps(BODY).encode()


def raw_deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


def zstandard(data: bytes) -> bytes:
    library = coding.zstd()
    if library is None:
        pytest.skip("no zstd: Python 3.14 has it, and backports.zstd")
    compressed: bytes = library.compress(data)
    return compressed


CODINGS = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("identity", bytes),
    ("gzip, deflate", lambda data: zlib.compress(gzip.compress(data))),
    ("gzip", lambda data: gzip.compress(data[:10]) + gzip.compress(data[10:])),
    ("zstd", zstandard),
]


@pytest.mark.parametrize(("name", "compress"), CODINGS)
def test_a_compressed_body_is_understood(name: str, compress: object) -> None:
    """As it would be without; the answer is not compressed, which the client did not ask for."""
    with Provider(reply="echo") as provider, Client(provider) as client:
        heard = client.ask(request(body=compress(PLAIN), content_encoding=name))  # type: ignore[operator]
        assert heard.whole
        assert "content-encoding" not in heard.headers
        assert without_ids(heard.body) == without_ids(client.ask(request(body=PLAIN)).body)


def packed(data: bytes) -> bytes:
    """Without the time, which would be in the name of a test."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("gzip", PLAIN, 400),
        ("gzip", packed(PLAIN)[:-9], 400),
        ("gzip", packed(PLAIN) + b"rest", 400),
        ("gzip", b"", 400),
        ("gzip", packed(b"") * 200, 400),
        ("deflate", b"\xff\xff\xff", 400),
        ("br", PLAIN, 415),
        ("gzip, gzip, gzip, gzip, gzip", PLAIN, 415),
        ("gzip", packed(bytes(2_000_001)), 413),
        ("gzip, gzip", packed(packed(bytes(50_000_000))), 413),
        ("deflate", zlib.compress(bytes(50_000_000)), 413),
    ],
)
def test_a_body_that_cannot_be_decoded_is_refused(name: str, body: bytes, status: int) -> None:
    """Also one that is small and would become too large: no more of it is made than the limit."""
    with Provider(body_limit=2_000_000) as provider, Client(provider) as client:
        heard = client.ask(request(body=body, content_encoding=name))
        assert heard.status == status
        assert heard.headers["connection"] == "close"
        assert provider.tally()["requests"] == 0


def test_a_bomb_of_zstd_is_refused_too() -> None:
    """Whatever the coding."""
    with Provider(body_limit=2_000_000) as provider, Client(provider) as client:
        bomb = request(body=zstandard(bytes(50_000_000)), content_encoding="zstd")
        assert client.ask(bomb).status == 413


@pytest.mark.parametrize("asked", ["", "gzip", "gzip, deflate, br, zstd", "identity"])
def test_an_answer_is_gzipped_by_the_fault_alone(asked: str) -> None:
    """Whatever the client accepts: the fault gzips for one that does not, and nothing else does."""
    headers = {"accept_encoding": asked} if asked else {}
    with Provider() as provider, Client(provider) as client:
        assert "content-encoding" not in client.ask(request(**headers)).headers
    with Provider(["gzip"]) as provider, Client(provider) as client:
        assert client.ask(request(**headers)).headers["content-encoding"] == "gzip"


# --- pages in a browser --------------------------------------------------------------------------

REFUSED = [
    {"origin": "https://example.com"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1.example.com"},
    {"origin": "http://localhost@example.com"},
    {"origin": "http://[::1"},
    {"host": "example.com"},
    {"host": "127.0.0.1.nip.io:8080"},
    {"host": "localhost.example.com"},
    {"host": "192.168.1.1"},
    {"host": "[fe80::1]"},
    {"host": "@example.com"},
    {"host": "0.0.0.0"},
]
ANSWERED = [
    {"origin": "http://localhost:3000"},
    {"origin": "http://127.0.0.1"},
    {"origin": "http://[::1]:8080"},
    {"host": "localhost:1"},
    {"host": "LocalHost"},
    {"host": "[::1]:80"},
    {"host": "127.8.9.10:80"},
    {"host": "provider.invalid:80"},
    {"host": "api.localhost"},
]


def asked_with(path: str, **headers: str) -> bytes:
    data = request(path, b"", "GET", **{name: value for name, value in headers.items() if name != "host"})
    return data.replace(b"host: 127.0.0.1", b"host: " + headers.get("host", "127.0.0.1").encode())


@pytest.mark.parametrize("headers", REFUSED)
def test_what_a_page_of_another_site_asks_is_refused(headers: dict[str, str]) -> None:
    """Of the provider and of its control path, in one clear line; no fault is used up."""
    with Provider(["http-500:path=/v1/models:request=1"]) as provider, Client(provider) as client:
        for path in ("/v1/models", "/_diag/faults", "/_diag/connections"):
            heard = client.ask(asked_with(path, **headers))
            assert heard.status == 403
            message = json.loads(heard.body)["error"]["message"]
            assert message.count(".") == 1
            assert "example" not in message
        assert client.ask(asked_with("/v1/models")).status == 500


@pytest.mark.parametrize("headers", ANSWERED)
def test_what_this_machine_asks_is_answered(headers: dict[str, str]) -> None:
    """Also by a page that was loaded from here."""
    with Provider() as provider, Client(provider) as client:
        for path in ("/v1/models", "/_diag/connections"):
            assert client.ask(asked_with(path, **headers)).status == 200


def test_the_port_of_the_control_path_refuses_pages_too() -> None:
    """A page may not set faults, nor read what was seen."""
    with serving() as one:
        assert control(one, "faults") == {"faults": []}
        url = one.wait_for("control ").split("http://")[1].split("/")[0]

        class Control:
            address = ("127.0.0.1", int(url.rpartition(":")[2].split()[0]))

        with Client(Control()) as client:  # type: ignore[arg-type]
            page = request("/_diag/faults", {"faults": ["http-500"]}, "PUT", origin="https://example.com")
            assert client.ask(page).status == 403
        assert control(one, "faults") == {"faults": []}
