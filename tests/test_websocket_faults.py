"""Each fault on a WebSocket as a raw socket sees it, and not without the fault."""

from __future__ import annotations

import json
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
    nothing_left,  # noqa: F401 - in force in this module
    until,
    without_ids,
)
from websocket_tools import CLOSE, PING, PONG, Got, RawClient, create, frame, upgrade

from hermes_diag.core.errors import UsageError
from hermes_diag.provider import Provider, faults

EVENTS = 16  # of the healthy reply


def cut(got: Got, end: str, events: int, code: int | None = None) -> bool:
    """So many events and no more, ended like that, with that code in a close frame or without one."""
    return (len(got.messages), got.end, got.code) == (events, end, code)


def refused(status: int) -> Callable[[Got], bool]:
    def check(got: Got) -> bool:
        told = got.messages[0]
        right = told["type"] == "error" and told["status"] == status and bool(told["error"]["message"])
        return right and len(got.frames) == 1

    return check


#: Faults that show in one turn: the spec, and what a raw socket must see of it and never of a healthy turn.
SEEN: dict[str, tuple[str, Callable[[Got], bool]]] = {
    "ws-close": ("ws-close", lambda g: cut(g, FIN, 3)),
    "ws-close with a code": ("ws-close=1011:after=5", lambda g: cut(g, FIN, 5, 1011)),
    "ws-close-without-fin": ("ws-close-without-fin", lambda g: cut(g, SILENT, 3, 1000)),
    "ws-oversized": ("ws-oversized", lambda g: cut(g, SILENT, 3) and g.rest == b"\x81\x7f\0\0\0\0\x3b\x9a\xca\0"),
    "ws-silent": ("ws-silent", lambda g: cut(g, SILENT, 0) and not g.rest),
    # Those of streams over HTTP, on a turn.
    "bad-chunk-header": ("bad-chunk-header", lambda g: cut(g, FIN, 3) and g.rest.startswith(b"xyz")),
    "comments-only": ("comments-only=2", lambda g: not g.messages and (PING, b"") in g.frames),
    "connection-close": ("connection-close", lambda g: cut(g, FIN, EVENTS, 1000)),
    "content-length-long": ("content-length-long", lambda g: cut(g, FIN, EVENTS)),
    "duplicate-events": ("duplicate-events", lambda g: g.types[::2] == g.types[1::2]),
    "error-event": ("error-event=2", lambda g: g.types[2:] == ["error"]),
    "fin-before-headers": ("fin-before-headers", lambda g: cut(g, FIN, 0)),
    "fin-mid-stream": ("fin-mid-stream=5", lambda g: cut(g, FIN, 5)),
    "first-event-then-silence": ("first-event-then-silence", lambda g: cut(g, SILENT, 1)),
    "half-close": ("half-close", lambda g: cut(g, FIN, EVENTS)),
    "hold": ("hold", lambda g: cut(g, SILENT, 1)),
    **{f"http-{status}": (f"http-{status}", refused(status)) for status in
       (400, 403, 404, 408, 409, 413, 429, 500, 502, 503, 529)},
    "large-event": ("large-event=1", lambda g: max(map(len, g.texts)) > 2**20),
    "long-stream": ("long-stream=3000", lambda g: len(g.texts) == 3000),
    "malformed-event": ("malformed-event", lambda g: len(g.texts) == len(g.messages) + 1),
    "no-terminal-event": ("no-terminal-event", lambda g: cut(g, SILENT, EVENTS - 1)),
    "out-of-order-events": (
        "out-of-order-events",
        lambda g: [one["sequence_number"] for one in g.messages][:4] == [1, 0, 3, 2],
    ),
    "redirect": ("redirect", refused(307)),
    "insufficient-quota": ("insufficient-quota", refused(429)),
    "usage-limit-reached": ("usage-limit-reached", refused(429)),
    "response-failed": ("response-failed", lambda g: g.types[-1] == "response.failed"),
    "response-incomplete": ("response-incomplete", lambda g: g.types[-1] == "response.incomplete"),
    "rst-before-headers": ("rst-before-headers", lambda g: cut(g, RESET, 0)),
    "rst-mid-stream": ("rst-mid-stream=5", lambda g: cut(g, RESET, 5)),
    "stall-before-first-event": ("stall-before-first-event", lambda g: cut(g, SILENT, 0)),
    "stall-before-headers": ("stall-before-headers", lambda g: cut(g, SILENT, 0)),
    "terminal-without-end": ("terminal-without-end", lambda g: cut(g, SILENT, EVENTS)),
    "truncated-chunk": ("truncated-chunk", lambda g: cut(g, FIN, 3) and g.rest.startswith(b"\x81\x7e")),
    "truncated-event": ("truncated-event", lambda g: cut(g, FIN, 3) and len(g.texts) == 4),
    "vanish-before-headers": ("vanish-before-headers", lambda g: cut(g, SILENT, 0)),
    "truncated-utf8": ("truncated-utf8", lambda g: cut(g, FIN, 3) and g.texts[3].endswith(b"\xf0\x9f")),
}  # fmt: skip
#: Those of them that are silent, which can only be told by waiting.
QUIET = {
    "comments-only", "duplicate-events", "first-event-then-silence", "hold", "no-terminal-event",
    "stall-before-first-event", "stall-before-headers", "terminal-without-end", "ws-close-without-fin", "ws-oversized",
    "ws-silent", "vanish-before-headers",
}  # fmt: skip
#: Those whose turn reads like a whole one: how it ends shows behind it.
BEHIND = {"connection-close", "content-length-long", "duplicate-events", "half-close", "terminal-without-end"}
#: Faults that need more than a turn, or show elsewhere; each has a test of its own below.
TOLD = {
    "connection-limit", "content-length-short", "gzip", "healthy", "idle-close", "idle-reset", "idle-vanish",
    "rate-limit",  # test_quota.py
    "slow-events", "ws-connection-limit", "ws-idle-close", "ws-no-pong", "ws-refuse", "ws-stall",
}  # fmt: skip


#: Faults that act on the bytes of a connection, whatever they mean: test_provider_traffic.py.
OF_BYTES = {"cut-after", "latency", "throttle"}


def test_no_fault_comes_untested() -> None:
    """A new file in the folder needs a line here."""
    known = faults.catalogue().items()
    named = {name for name, entry in known if not entry.needs_tls and entry.hook != "tunnel"} - OF_BYTES
    assert named == {name.partition(" ")[0] for name in SEEN} | TOLD


@pytest.mark.parametrize("name", SEEN)
def test_a_raw_socket_sees_it_and_only_with_the_fault(name: str) -> None:
    """The fault shows in a turn, and a healthy turn never looks like it."""
    spec, check = SEEN[name]
    silence = SILENCE if name in QUIET else PATIENCE

    def hear(client: RawClient) -> Got:
        got = client.turn(silence=silence)
        if name in BEHIND:  # what comes behind it: for a while, as a second turn must be answered
            client.send(*[create()] * (name == "terminal-without-end"))
            more = client.get(silence=silence)
            got = Got(got.frames + more.frames, more.end, more.rest)
        return got

    with Provider([spec]) as provider, RawClient(provider) as client:
        got = hear(client)
        assert check(got), got
    silence = SILENCE
    with Provider() as provider, RawClient(provider) as client:
        healthy = hear(client)
        assert healthy.types[EVENTS - 1] == "response.completed"
        assert not check(healthy)


@pytest.mark.parametrize(
    "name", [name for name, entry in faults.catalogue().items() if entry.hook in ("turn", "upgrade")]
)
def test_faults_of_websockets_leave_http_alone(name: str) -> None:
    """A POST is answered as ever, and counted as healthy."""
    with Provider([name]) as provider, Client(provider) as client:
        assert len(client.ask().events) == EVENTS
        assert provider.tally()["fault healthy"] == 1


@pytest.mark.parametrize("status", [400, 401, 404, 405, 426, 429, 500, 501, 503])
def test_the_upgrade_is_refused(status: int) -> None:
    """ws-refuse: with its status and an error in the provider's form; once, if so asked."""
    with Provider([f"ws-refuse={status}:connection=1"]) as provider:
        with RawClient(provider) as client:
            assert client.status == status
            assert json.loads(client.body)["error"]["message"]
        with RawClient(provider) as client:
            assert client.turn().whole
        assert provider.tally()["fault ws-refuse"] == 1


def test_the_upgrade_stalls() -> None:
    """ws-stall: nothing for so long, then a WebSocket like any other."""
    with Provider(["ws-stall"]) as provider, RawClient(provider, silence=SILENCE) as client:
        assert client.status == 0
    with Provider(["ws-stall=0.2"]) as provider:
        begun = time.monotonic()
        with RawClient(provider) as client:
            assert client.status == 101
            assert time.monotonic() - begun >= 0.15
            assert client.turn().whole


def test_pings_are_not_answered() -> None:
    """ws-no-pong: turns are, before and after; without the fault the pong comes first."""
    for specs, first in ((["ws-no-pong"], "response.created"), ([], "pong")):
        with Provider(specs) as provider, RawClient(provider) as client:
            assert client.turn().whole
            assert provider.tally().get("fault ws-no-pong", 0) == len(specs)
            client.send(frame(b"x", PING), create())
            got = client.get()
            assert ("pong" if got.frames[0] == (PONG, b"x") else got.types[0]) == first
            assert got.whole


def test_silence_after_the_upgrade_is_complete() -> None:
    """ws-silent: no event, no pong, no close frame, no FIN; a client that closes is still noticed."""
    with Provider(["ws-silent"]) as provider:
        with RawClient(provider) as client:
            assert client.status == 101
            client.send(create(), frame(b"", PING), frame(b"\x03\xe8", CLOSE))
            assert client.get(silence=SILENCE) == Got([], SILENT)
        until(lambda: not provider.open_connections, "the end of the connection")


def test_a_close_frame_without_a_fin_leaves_tcp_open() -> None:
    """ws-close-without-fin: also after the client's close frame; until the client closes."""
    with Provider(["ws-close-without-fin"]) as provider:
        with RawClient(provider) as client:
            assert client.turn(silence=SILENCE).code == 1000
            client.send(frame(b"\x03\xe8", CLOSE))
            assert client.get(silence=SILENCE).end == SILENT
            assert provider.open_connections == 1
        until(lambda: not provider.open_connections, "the end of the connection")


@pytest.mark.parametrize("code", [1000, 1001, 4000])
def test_idle_websockets_are_closed(code: int) -> None:
    """ws-idle-close: a close frame and a FIN when it is idle, not before; a connection of HTTP is left alone."""
    with Provider([f"ws-idle-close=0.1:code={code}"]) as provider:
        with RawClient(provider) as client, Client(provider) as other:
            assert other.ask().whole
            assert client.turn().whole
            begun = time.monotonic()
            got = client.get()
            assert (got.frames[0][0], got.code, got.end) == (CLOSE, code, FIN)
            assert time.monotonic() - begun >= 0.05
            assert other.end(silence=SILENCE) == SILENT
        until(lambda: not provider.open_connections, "the end of the connections")
        assert ("provider", "close frame") in [(one.closed_first, one.how) for one in provider.closed_connections]


def test_an_idle_close_spares_a_turn() -> None:
    """ws-idle-close: a turn that takes longer is not cut, and a ping is a sign of life."""
    with Provider(["ws-idle-close=0.1", "slow-events=0.02"]) as provider, RawClient(provider) as client:
        assert len(client.turn().types) == EVENTS


@pytest.mark.parametrize("spec", ["ws-connection-limit=0.2", "ws-connection-limit:turns=1"])
def test_the_connection_limit(spec: str) -> None:
    """ws-connection-limit: the error, a close frame and a FIN, behind the turn that is under way."""
    with Provider([spec, "slow-events=0.02"]) as provider, RawClient(provider) as client:
        client.send(create(), create())
        assert len(client.get().types) == EVENTS
        told = client.get()
        assert told.messages[0]["error"]["code"] == "websocket_connection_limit_reached"
        assert told.messages[0]["status"] == 400
        ended = client.get()
        assert (ended.frames, ended.code, ended.end) == ([(CLOSE, b"\x03\xe8")], 1000, FIN)
    with Provider(["ws-connection-limit:turns=3"]) as provider, RawClient(provider) as client:
        assert [client.turn().whole for _ in range(3)] == [True] * 3
    with Provider(["ws-connection-limit=0.1"]) as provider, RawClient(provider) as client:
        assert client.get(1).messages[0]["error"]["code"] == "websocket_connection_limit_reached"  # idle


@pytest.mark.parametrize(("name", "end"), [("idle-close", FIN), ("idle-reset", RESET)])
def test_idle_ends_without_a_close_frame(name: str, end: str) -> None:
    """idle-close and idle-reset: as over HTTP, which a client of WebSockets calls 1006."""
    with Provider([f"{name}=0.1"]) as provider, RawClient(provider) as client:
        assert client.turn().whole
        assert cut(client.get(), end, 0)


def test_an_idle_websocket_vanishes() -> None:
    """idle-vanish: a turn, a ping and a close frame get no answer, and no FIN."""
    with Provider(["idle-vanish=0.05"]) as provider, RawClient(provider) as client:
        assert client.turn().whole
        until(lambda: provider.vanished, "the connection to vanish")
        client.send(frame(b"", PING), create(), frame(b"\x03\xe8", CLOSE))
        assert client.get(silence=SILENCE) == Got([], SILENT)
    with Provider() as provider, RawClient(provider) as client:
        assert client.turn().whole
        client.send(frame(b"", PING))
        assert client.get(1).frames == [(PONG, b"")]


def test_slow_events_come_one_by_one() -> None:
    """slow-events: so many seconds apart."""
    with Provider(["slow-events=0.02"]) as provider, RawClient(provider) as client:
        begun = time.monotonic()
        assert len(client.turn().types) == EVENTS
        assert time.monotonic() - begun >= 0.02 * EVENTS * 0.9


@pytest.mark.parametrize("spec", ["gzip", "content-length-short", "healthy"])
def test_what_has_no_counterpart_changes_nothing(spec: str) -> None:
    """gzip, content-length-short and healthy: the turn is a healthy one, and the next one too."""
    with Provider() as provider, RawClient(provider) as client:
        healthy = client.turn()
    with Provider([spec]) as provider, RawClient(provider) as client:
        for turn in (client.turn(), client.turn()):
            assert [(kind, without_ids(data)) for kind, data in turn.frames] == [
                (kind, without_ids(data)) for kind, data in healthy.frames
            ]
            assert (turn.end, turn.rest) == (healthy.end, healthy.rest)
        assert provider.tally()[f"fault {'healthy' if spec == 'gzip' else spec}"] == 2


def test_connections_are_limited() -> None:
    """connection-limit: a WebSocket counts."""
    with Provider(["connection-limit=1"]) as provider, RawClient(provider) as client:
        assert client.turn().whole
        with pytest.raises(TimeoutError):
            Client(provider, timeout=0.4)


def test_retry_after_is_in_the_message() -> None:
    """http-429: the headers that mean something come with the error."""
    with Provider(["http-429=7"]) as provider, RawClient(provider) as client:
        told = client.turn().messages[0]
        assert (told["headers"]["retry-after"], told["error"]["code"]) == ("7", "rate_limit_exceeded")


def test_a_turn_behind_a_refused_one_is_answered() -> None:
    """An error ends a turn, not the WebSocket."""
    with Provider(["http-503:request=1"]) as provider, RawClient(provider) as client:
        client.send(create(), create())
        assert client.get().types == ["error"]
        assert len(client.get().types) == EVENTS


@pytest.mark.parametrize("spec", ["ws-close=1011", "ws-idle-close=0.05"])
def test_a_close_frame_under_tls_comes_with_a_close_notify(spec: str) -> None:
    """Else the client could not tell the end from an attack that cuts it off."""
    with Provider([spec], tls=True) as provider, RawClient(provider) as client:
        client.send(*[create()] * (spec != "ws-idle-close=0.05"))
        got = client.get()
        assert got.code in (1001, 1011)
        assert got.end == FIN  # anything else is an SSLEOFError


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("ws-refuse=200", "status is from 400 to 599"),
        ("ws-refuse:request=1", "has no 'request'"),
        ("ws-close=1005", "1005 is no close code"),
        ("ws-close=17", "17 is no close code"),
        ("ws-close-without-fin=1006", "1006 is no close code"),
        ("ws-idle-close=1:code=1015", "1015 is no close code"),
        ("ws-oversized=5", "claimed is at least 65536"),
    ],
)
def test_a_wrong_spec_says_what(spec: str, says: str) -> None:
    """In one line."""
    with pytest.raises(UsageError) as caught:
        Provider([spec])
    assert says in caught.value.message


def test_the_upgrade_is_not_a_request_of_faults() -> None:
    """request=1 is the first turn."""
    with Provider(["ws-close=1011:request=2"]) as provider, RawClient(provider, upgrade()) as client:
        assert client.turn().whole
        assert client.turn().code == 1011
