"""The proxy in front of the provider, each of its faults as raw sockets and both SDKs see it, and who is refused."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

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
from test_provider_protocol import serving

from hermes_diag.core.errors import UsageError
from hermes_diag.provider import Provider, faults
from hermes_diag.provider.protocols.proxy_head import HeadReader, Refused

EVENTS = 16  # of the healthy reply


class Through(Client):
    """A connection to the proxy. `opened` is what it answered to the CONNECT; TLS is spoken if `context` is given."""

    def __init__(self, provider: Provider, context: ssl.SSLContext | None = None, silence: float = PATIENCE) -> None:
        url = urlsplit(provider.proxy_url)
        self.socket: Any = socket.create_connection((url.hostname, url.port), PATIENCE)
        host, port = provider.address
        self.socket.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
        self.opened = self._head(silence)
        if context is not None and self.opened.status == 200:
            options = {"server_hostname": "127.0.0.1", "suppress_ragged_eofs": False}
            try:  # the handshake by itself: one that fails must leave a socket that can be closed
                self.socket = context.wrap_socket(self.socket, do_handshake_on_connect=False, **options)
                self.socket.do_handshake()
            except OSError:
                self.socket.close()
                raise

    def _head(self, silence: float) -> Heard:
        """One answer without a body that belongs to it; no byte more is read than its own."""
        heard = Heard()
        self.socket.settimeout(silence)
        try:
            while not heard.raw.endswith(b"\r\n\r\n"):
                data = self.socket.recv(1)
                if not data:
                    heard.end = FIN
                    break
                heard.raw += data
        except TimeoutError:
            heard.end = SILENT
        except ConnectionResetError:
            heard.end = RESET
        self.socket.settimeout(PATIENCE)
        if heard.raw:
            heard.status = int(heard.raw.split()[1])
            lines = heard.raw.decode().split("\r\n")[1:]
            heard.headers = dict(line.lower().split(": ", 1) for line in lines if line)
        return heard


def tunnel_ends(provider: Provider) -> tuple[int, str, str]:
    """(status of the CONNECT, how the TLS handshake or else the answer ended, what was heard of it)."""
    try:
        with Through(provider, trusting(provider), SILENCE) as client:
            heard = client.ask(silence=SILENCE) if client.opened.status == 200 else client.opened
            return client.opened.status, heard.end, f"{len(heard.events)} events{', whole' if heard.whole else ''}"
    except ssl.SSLEOFError:  # a subclass of OSError, as all of them
        return 200, FIN, "handshake"
    except ssl.SSLError as exc:
        return 200, str(exc.reason), "handshake"
    except OSError:  # reset, at whatever point of the handshake
        return 200, RESET, "handshake"


HEALTHY = 200, "", f"{EVENTS} events, whole"
#: What a raw socket sees of each fault that shows in one tunnel, under TLS.
SEEN: dict[str, tuple[int, str, str]] = {
    "proxy-refuse": (502, "", "0 events"),
    "proxy-refuse=403": (403, "", "0 events"),
    "proxy-auth": (407, "", "0 events"),
    "proxy-stall": (0, SILENT, "0 events"),
    "proxy-tls": (200, "SSLV3_ALERT_HANDSHAKE_FAILURE", "handshake"),
    "proxy-tls=garbage": (200, "WRONG_VERSION_NUMBER", "handshake"),
}
#: Those of which more must be looked at; each has a test of its own below.
TOLD = {"proxy-fin", "proxy-reset", "proxy-vanish", "proxy-cut-after", "proxy-cut-bytes", "proxy-slow", "proxy-latency"}


def test_no_fault_comes_untested() -> None:
    """A new file in the folder needs a line here, and a name by which a cell knows that it needs a proxy."""
    named = {name for name, entry in faults.catalogue().items() if entry.hook == "tunnel"}
    assert named == {spec.partition("=")[0] for spec in SEEN} | TOLD
    assert named == {name for name in faults.catalogue() if name.startswith("proxy-")}


@pytest.mark.parametrize("spec", sorted(SEEN))
def test_a_raw_socket_sees_it_and_only_with_the_fault(spec: str) -> None:
    """In the tunnel that the fault is for, and not in the next."""
    with Provider([f"{spec}:connection=1"], tls=True, proxy=True) as provider:
        assert tunnel_ends(provider) == SEEN[spec]
        assert tunnel_ends(provider) == HEALTHY
        until(lambda: not provider.open_tunnels and not provider.open_connections, "the ends")


@pytest.mark.parametrize(("name", "end"), [("proxy-fin", FIN), ("proxy-reset", RESET)])
def test_a_tunnel_ends_as_soon_as_it_is_open(name: str, end: str) -> None:
    """After the 200, before a byte of TLS; the next tunnel stays."""
    with Provider([f"{name}:connection=1"], tls=True, proxy=True) as provider:
        with Through(provider) as client:
            assert (client.opened.status, client.end()) == (200, end)
        with Through(provider) as client:
            assert (client.opened.status, client.end(SILENCE)) == (200, SILENT)
        assert tunnel_ends(provider) == HEALTHY


def test_the_healthy_proxy_is_not_seen() -> None:
    """Keep-alive, half-closes, many bytes each way and the end go through as they came."""
    with Provider(["large-event=8:request=2"], tls=True, proxy=True) as provider:
        with Through(provider, trusting(provider)) as client:
            assert client.opened.status == 200
            first, large, third = client.ask(), client.ask(), client.ask()
            assert without_ids(first.body) == without_ids(third.body)
            assert large.whole
            assert len(large.body) > 8 * 2**20
            upload = request(body={**BODY, "input": "x" * 8_000_000})
            assert client.ask(upload).whole
        until(lambda: not provider.open_tunnels, "the end")
        assert [(one.closed_first, one.how) for one in provider.closed_connections] == [("client", "fin")]
        assert provider.tally()["connections"] == 1


@pytest.mark.parametrize(
    ("spec", "end"), [("fin-mid-stream=5", FIN), ("rst-mid-stream=5", RESET), ("idle-close=0.05", FIN)]
)
def test_what_the_provider_does_looks_the_same_behind_the_proxy(spec: str, end: str) -> None:
    """A FIN stays a FIN and a RST a RST."""
    with Provider([spec], proxy=True) as provider, Through(provider) as client:
        heard = client.ask()
        assert (heard.end or client.end()) == end
        assert len(heard.events) == (EVENTS if "idle" in spec else 5)


def test_a_client_that_closes_its_half_gets_its_answer() -> None:
    """Its FIN is passed on as one of its half, and the answer comes back."""
    with Provider(["slow-events=0.01"], proxy=True) as provider, Through(provider) as client:
        client.socket.sendall(request())
        client.socket.shutdown(socket.SHUT_WR)
        heard = client.listen()
        assert heard.whole
        assert client.end() == FIN
        until(lambda: not provider.open_tunnels, "the end")


def test_a_client_that_does_not_read_is_not_read_for() -> None:
    """Only so much of an answer is taken from the provider as the client makes room for."""
    with Provider(["large-event=64"], proxy=True) as provider, Through(provider) as client:
        client.socket.sendall(request())
        until(lambda: provider.tally()["bytes_out"] > 2**20, "the first bytes")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        heard = client.ask(b"")
        assert heard.whole
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024  # KiB; it is heard here, too


# --- faults that need a closer look --------------------------------------------------------------


@pytest.mark.parametrize(("how", "end"), [("reset", RESET), ("fin", FIN)])
def test_a_tunnel_is_cut_after_so_many_bytes(how: str, end: str) -> None:
    """No byte of the provider more than so many."""
    with Provider([f"proxy-cut-bytes=2000:how={how}"], proxy=True) as provider, Through(provider) as client:
        heard = client.ask()
        assert (len(heard.raw), heard.end, heard.whole) == (2000, end, False)
    with Provider(proxy=True) as provider, Through(provider) as client:
        heard = client.ask()
        assert len(heard.raw) > 2000
        assert heard.whole


def test_a_tunnel_is_cut_within_the_handshake() -> None:
    """The bytes of TLS are bytes, too."""
    with Provider(["proxy-cut-bytes=100:connection=1"], tls=True, proxy=True) as provider:
        assert tunnel_ends(provider) == (200, RESET, "handshake")
        assert tunnel_ends(provider) == HEALTHY


@pytest.mark.parametrize(("how", "end"), [("reset", RESET), ("fin", FIN)])
def test_a_tunnel_is_cut_after_so_many_seconds_under_traffic(how: str, end: str) -> None:
    """Events arrive until it is over, and the provider learns of it."""
    specs = ["slow-events=0.05", f"proxy-cut-after=0.4:how={how}"]
    with Provider(specs, proxy=True) as provider, Through(provider) as client:
        begun = time.monotonic()
        heard = client.ask()
        assert time.monotonic() - begun >= 0.35
        assert heard.end == end
        assert 1 <= len(heard.events) < EVENTS
        until(lambda: not provider.open_connections, "the provider to learn of it")
        assert [one.finished for one in provider.requests] == [False]
    with Provider(specs[:1], proxy=True) as provider, Through(provider) as client:
        assert client.ask().whole


def test_a_tunnel_vanishes() -> None:
    """What the client then sends is not answered; the provider's connection stays; both go when the faults are set."""
    with Provider(["proxy-vanish=0.2"], proxy=True) as provider, Through(provider) as client:
        assert client.ask().whole
        until(lambda: provider.vanished, "the tunnel to vanish")
        assert client.ask(silence=0.3).end == SILENT
        assert provider.tally()["requests"] == 1
        provider.set_faults([])
        until(lambda: not provider.open_tunnels and not provider.open_connections, "the end")
    with Provider(proxy=True) as provider, Through(provider) as client:
        assert client.ask().whole
        assert client.ask().whole


def test_a_slow_tunnel_carries_so_many_bytes_a_second() -> None:
    """Each way: what the client sends, too, and the last byte as slowly as the first."""
    body = {**BODY, "input": "x" * 5000}
    with Provider(["proxy-slow=10000"], proxy=True) as provider, Through(provider) as client:
        begun = time.monotonic()
        client.socket.sendall(request(body=body))
        until(lambda: provider.tally()["requests"] == 1, "the request")
        sent = time.monotonic() - begun
        heard = client.listen()
        took = time.monotonic() - begun
        assert heard.whole
        assert sent >= 0.8 * len(request(body=body)) / 10_000
        assert took >= 0.8 * (len(request(body=body)) + len(heard.raw)) / 10_000
        begun = time.monotonic()
        client.ask()
        assert time.monotonic() - begun >= 0.8 * len(heard.raw) / 10_000
    with Provider(proxy=True) as provider, Through(provider) as client:
        begun = time.monotonic()
        assert client.ask(request(body=body)).whole
        assert time.monotonic() - begun < took


def test_latency_is_there_and_back() -> None:
    """Twice the latency for an answer, on each request; the end of a connection is late, too."""
    with Provider(["proxy-latency=0.2"], proxy=True) as provider, Through(provider) as client:
        for _ in range(2):
            begun = time.monotonic()
            assert client.ask().whole
            took = time.monotonic() - begun
            assert took >= 0.4
    with Provider(proxy=True) as provider, Through(provider) as client:
        begun = time.monotonic()
        assert client.ask().whole
        assert time.monotonic() - begun < took


def test_jitter_changes_the_times_and_not_the_order() -> None:
    """Events of one stream arrive at uneven times, each after the one before."""
    specs = ["slow-events=0.02", "proxy-latency=0.1:jitter=0.1"]
    with Provider(specs, proxy=True) as provider, Through(provider) as client:
        client.socket.sendall(request())
        heard, times = Heard(), [time.monotonic()]
        while not heard.raw.endswith(b"0\r\n\r\n"):
            heard.raw += client.socket.recv(65536)
            times.append(time.monotonic())
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert max(gaps[1:]) > 0.03
        numbers = [int(part.split(b"}")[0]) for part in bytes(heard.raw).split(b'"sequence_number":')[1:]]
        assert numbers == sorted(numbers)


# --- plain HTTP ----------------------------------------------------------------------------------


def absolute(provider: Provider, path: str = "/v1/responses", **headers: str) -> bytes:
    """A request as a client sends it to a proxy."""
    host, port = provider.address
    return request(f"http://{host}:{port}{path}", **headers)


class Plain(Client):
    """A connection to the proxy on which no tunnel is asked for."""

    def __init__(self, provider: Provider) -> None:
        url = urlsplit(provider.proxy_url)
        self.socket: Any = socket.create_connection((url.hostname, url.port), PATIENCE)


def test_requests_in_plain_text_go_through() -> None:
    """With the whole URL, one after the other on one connection."""
    with Provider(proxy=True) as provider, Plain(provider) as client:
        assert [client.ask(absolute(provider)).status for _ in range(3)] == [200] * 3
        assert provider.tally()["connections"] == 1


@pytest.mark.parametrize(
    ("spec", "end"),
    [
        ("proxy-refuse=503", "503"),
        ("proxy-auth", "407"),
        ("proxy-fin", FIN),
        ("proxy-reset", RESET),
        ("proxy-tls", "200"),
    ],
)
def test_faults_meet_requests_in_plain_text(spec: str, end: str) -> None:
    """As they do tunnels; where there is no TLS, none fails."""
    with Provider([spec], proxy=True) as provider, Plain(provider) as client:
        heard = client.ask(absolute(provider))
        assert end in (str(heard.status), heard.end)


# --- who is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n", 403),
        (b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nhost: 127.0.0.1:1\r\n\r\n", 403),
        (b"CONNECT 169.254.169.254:PORT HTTP/1.1\r\nhost: x\r\n\r\n", 403),
        (b"CONNECT localhost.example.com:PORT HTTP/1.1\r\nhost: x\r\n\r\n", 403),
        (b"CONNECT 127.0.0.1 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"CONNECT 127.0.0.1:99999 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"CONNECT 127.0.0.1:-1 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"CONNECT :PORT HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"CONNECT [::1:PORT HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"CONNECT user@127.0.0.1:PORT HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"CONNECT http://127.0.0.1:PORT/ HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"CONNECT 127.0.0.1:PORT HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 400),
        (b"GET https://127.0.0.1:PORT/v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 400),
        (b"GET http://user:secret@127.0.0.1:PORT/v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 400),
        (b"GET http://example.com/v1/models HTTP/1.1\r\nhost: example.com\r\n\r\n", 403),
        (b"GET http://127.0.0.1:PORT/v1/models HTTP/1.1\r\nhost: x\r\norigin: https://example.com\r\n\r\n", 403),
        (b"CONNECT 127.0.0.1:PORT HTTP/1.1\r\nhost: x\r\norigin: null\r\n\r\n", 403),
        (b"CONNECT 127.0.0.1:PORT HTTP/1.1\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"y" * 70_000, 431),
    ],
)
def test_what_is_no_way_to_the_provider_is_refused(head: bytes, status: int) -> None:
    """With one clear line, which repeats nothing of what was asked, and the connection is closed."""
    with Provider(proxy=True) as provider, Plain(provider) as client:
        heard = client.ask(head.replace(b"PORT", str(provider.address[1]).encode()))
        assert heard.status == status
        assert heard.body.count(b"\n") == 1
        assert heard.body.startswith(b"hermes-diag proxy: ")
        assert b"example" not in heard.body
        assert b"secret" not in heard.body
        assert client.end() == FIN
        assert provider.tally()["connections"] == 0


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.0.0.2", "provider.invalid", "[::1]"])
def test_every_name_of_this_machine_leads_to_the_provider(name: str) -> None:
    """The port decides, since it is the provider's."""
    with Provider(proxy=True) as provider, Plain(provider) as client:
        target = f"{name}:{provider.address[1]}"
        client.socket.sendall(f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n".encode())
        assert client.socket.recv(100).startswith(b"HTTP/1.1 200 ")
        assert client.ask().whole


HEADS = [
    b"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\nProxy-Connection: keep-alive\r\n\r\nhello",
    b"POST http://localhost:8080/v1/responses HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 2\r\n\r\n{}",
    b"GET http://localhost/v1/models?a=b HTTP/1.1\nHost: localhost\n\n",
]


@pytest.mark.parametrize("data", HEADS)
def test_a_head_is_the_same_whole_and_byte_by_byte(data: bytes) -> None:
    """What follows the head of a CONNECT is for the target; a request in plain text is passed on with its head."""
    whole = HeadReader().feed(data)
    assert whole is not None
    reader, asked = HeadReader(), None
    for place in range(len(data)):
        asked = reader.feed(data[place : place + 1])
        if asked is not None:
            rest = data[place + 1 :]
            break
    assert asked is not None
    assert asked[:3] == whole[:3]
    assert asked.ahead + rest == whole.ahead
    assert whole.ahead == (b"hello" if whole.tunnel else data)


def test_random_bytes_are_refused_and_never_more() -> None:
    """Whatever comes, it is understood, waited for, or refused."""
    import random

    chance = random.Random(15)
    for _ in range(5_000):
        data = bytearray(chance.choice(HEADS))
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        reader = HeadReader()
        with contextlib.suppress(Refused):
            for start in range(0, len(data), 7):
                if reader.feed(bytes(data[start : start + 7])) is not None:
                    break


def test_a_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowloris: a byte now and then keeps no connection open."""
    monkeypatch.setattr("hermes_diag.provider.proxy.hop.HEAD_PATIENCE", 0.4)
    with Provider(proxy=True) as provider, Plain(provider) as client:
        begun = time.monotonic()
        heard = Heard()
        client.socket.settimeout(0.05)
        while not heard.raw:
            with contextlib.suppress(ConnectionError):
                client.socket.sendall(b"C")
            with contextlib.suppress(TimeoutError):
                heard.raw += client.socket.recv(100)
            assert time.monotonic() - begun < PATIENCE
        assert heard.raw.startswith(b"HTTP/1.1 408 ")


@contextlib.contextmanager
def descriptors(wanted: int) -> Iterator[None]:
    """So many descriptors for this process, or the test is left out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"only {hard} descriptors may be had")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


MANY = 10_000
#: Opens so many connections and sends half a head on each, until its stdin is closed.
HALVES = """
import resource, socket, sys
port, count = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = []
for _ in range(count):
    held.append(socket.create_connection(("127.0.0.1", port)))
    held[-1].sendall(b"CONNECT 127.0.0.1:443 HTTP/1.1\\r\\nhost: 127")
sys.stdin.read()
for one in held:
    one.close()
"""


def test_ten_thousand_connections_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sends half a head; then the next client is served all the same."""
    # None may be gone before the last has come.
    monkeypatch.setattr("hermes_diag.provider.proxy.hop.HEAD_PATIENCE", 600)
    with descriptors(MANY + 500), Provider(proxy=True) as provider, Through(provider) as early:
        before = _resident()
        with subprocess.Popen(
            [sys.executable, "-c", HALVES, str(urlsplit(provider.proxy_url).port), str(MANY)],
            stdin=subprocess.PIPE,
        ) as halves:
            for part in range(1, 11):
                until(lambda part=part: provider.open_tunnels >= MANY * part // 10, "a tenth to be accepted")
            assert (_resident() - before) / MANY < 16 * 1024
            assert tunnel(provider) == 200
            assert early.ask().whole
            assert halves.stdin is not None
            halves.stdin.close()
        until(lambda: provider.open_tunnels == 1, "all to be gone")


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- around it -----------------------------------------------------------------------------------


def test_a_fault_of_the_proxy_needs_one() -> None:
    """One line and the cure."""
    with pytest.raises(UsageError) as caught:
        Provider(["proxy-fin"])
    assert "acts in a proxy" in caught.value.message
    assert "--as-proxy" in caught.value.hint
    with Provider(proxy=True) as provider:
        provider.set_faults(["proxy-refuse=503:every=2"])
        assert [tunnel(provider) for _ in range(4)] == [200, 503, 200, 503]


def tunnel(provider: Provider) -> int:
    with Through(provider) as client:
        return client.opened.status


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("proxy-refuse=200", "status is from 400 to 599"),
        ("proxy-refuse=407", "proxy-auth"),
        ("proxy-tls=mild", "one of alert, garbage"),
        ("proxy-cut-bytes=0", "at least 1 byte"),
        ("proxy-cut-bytes=9:how=politely", "one of reset, fin"),
        ("proxy-cut-after=1:how=politely", "one of reset, fin"),
        ("proxy-slow=0", "at least 1 byte a second"),
        ("proxy-latency=0.1:jitter=0.2", "at most the latency"),
        ("proxy-fin:request=1", "has no 'request'"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong(spec: str, says: str) -> None:
    """Before anything is started."""
    with pytest.raises(UsageError) as caught:
        faults.parse(spec)
    assert says in f"{caught.value.message} {caught.value.hint}"


#: What the SDK's exception chain must hold, for each fault that ends a request.
CHAINS: dict[str, str] = {
    "proxy-refuse": "ProxyError",
    "proxy-auth": "ProxyError",
    "proxy-fin": "ConnectError",
    "proxy-reset": "ConnectError",
    "proxy-tls": "ConnectError",
    "proxy-tls=garbage": "ConnectError",
    "proxy-cut-bytes=4000": "",
}


@pytest.mark.parametrize("python", GENERATIONS)
def test_both_generations_of_the_sdk_meet_it_through_https_proxy(python: str) -> None:
    """Each fault raises an exception, and without it the same client gets every event."""
    with Probe(python) as probe:
        for spec, chain in CHAINS.items():
            with Provider([f"{spec}:connection=1"], tls=True, proxy=True) as provider:
                order = {"base_url": provider.base_url, "ca": str(provider.ca_file), "proxy": provider.proxy_url}
                probe.tell(**order, timeout=PATIENCE)
                failed = probe.hear()
                assert failed["chain"], spec
                assert any(chain in link for link in failed["chain"]), (spec, failed["chain"])
                probe.tell(**order, timeout=PATIENCE)
                assert probe.hear()["count"] == EVENTS
                assert provider.tally()["connections"] >= 1


# --- serve --as-proxy ----------------------------------------------------------------------------

SECRETS = ["sk-tunnel-5ecret", "sk-pr0xy-5ecret", "sk-path-5ecret"]


@pytest.mark.parametrize("as_json", [False, True])
def test_serve_prints_the_way_through_and_what_happens(as_json: bool) -> None:
    """The lines to copy lead through the proxy; the control path changes its faults; nothing of a head is shown."""
    with serving("--as-proxy", *["--json"] * as_json) as one:
        if as_json:
            greeting = json.loads(one.wait_for("serving"))
            environment, base_url = greeting["environment"], greeting["base_url"]
            control = greeting["control_url"]
        else:
            until(lambda: any("auth.json" in line for line in one.lines), "the greeting")
            environment = dict(line[7:].strip().split("=", 1) for line in one.lines if line.startswith("export "))
            base_url, control = environment["OPENAI_BASE_URL"], one.wait_for("^control ").split()[1]
            assert one.wait_for("^proxy ").split()[1] == environment["HTTPS_PROXY"]
        assert environment["HTTPS_PROXY"] == environment["HTTP_PROXY"]
        assert environment["NO_PROXY"] == ""
        url, target = urlsplit(environment["HTTPS_PROXY"]), urlsplit(base_url).netloc
        assert url.hostname == "127.0.0.1"

        def asked(line: str) -> bytes:
            with socket.create_connection((url.hostname, url.port), PATIENCE) as sock:
                head = f"{line} HTTP/1.1\r\nhost: {target}\r\nproxy-authorization: Bearer {SECRETS[1]}\r\n\r\n"
                sock.sendall(head.encode())
                return sock.recv(100)

        assert b" 200 " in asked(f"CONNECT {target}")
        assert b" 403 " in asked(f"CONNECT {SECRETS[0]}:443")
        assert b" 404 " in asked(f"GET http://{target}/{SECRETS[2]}")
        change = urllib.request.Request(
            f"{control}/faults", json.dumps({"faults": ["proxy-refuse=503:every=1"]}).encode(), method="PUT"
        )
        with urllib.request.urlopen(change, timeout=PATIENCE) as answer:
            assert answer.status == 200
        assert b" 503 " in asked(f"CONNECT {target}")
        one.wait_for(r"503.*proxy-refuse|proxy-refuse.*503")
        code, said, errors = one.end()
        assert (code, errors) == (130, "")
        assert "proxy opened" in said
        assert "proxy closed" in said
        assert not any(secret in said for secret in SECRETS)
        rows = [json.loads(line) for line in said.splitlines()] if as_json else []
        assert all(row["event"] for row in rows)


def test_serve_refuses_a_fault_of_a_proxy_that_is_not_there() -> None:
    """One line, and the option that is missing."""
    with serving("--fault", "proxy-fin") as one:
        assert one.process.wait(PATIENCE) == 2
        _, said, errors = one.end()
        assert said == ""
        assert errors.splitlines() == [
            "hermes-diag: fault proxy-fin acts in a proxy, and there is none",
            "  add --as-proxy; in Python, proxy=True",
        ]


def test_many_tunnels_leave_nothing_behind() -> None:
    """Whatever ends them: no connection, no descriptor, no thread (see `nothing_left`)."""
    specs = ["proxy-fin:every=5", "proxy-reset:every=7", "proxy-refuse:every=11", "proxy-cut-bytes=900:every=2"]
    with Provider(specs, proxy=True) as provider:
        for number in range(300):
            with Through(provider) as client:
                if client.opened.status == 200 and number % 3:
                    client.ask(silence=SILENCE)
        until(lambda: not provider.open_tunnels and not provider.open_connections, "all to be gone")
