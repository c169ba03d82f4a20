"""Responses over WebSocket: the upgrade, turns, refusals and close codes, with raw sockets and real clients."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
from pathlib import Path

import openai
import pytest
from provider_tools import (
    FIN,
    RESET,
    SILENCE,
    SILENT,
    Client,
    nothing_left,  # noqa: F401 - in force in this module
    request,
    until,
    without_ids,
)
from test_provider_protocol import serving
from websocket_tools import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Got,
    RawClient,
    create,
    frame,
    upgrade,
)
from websockets.exceptions import InvalidStatus
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from hermes_diag.core.evidence import Happened
from hermes_diag.provider import Provider
from hermes_diag.provider.upstream import Upstream
from hermes_diag.reporters import traffic

EVENTS = 16  # of the healthy reply
PATHS = ("/v1/responses", "/backend-api/codex/responses", "/openai/v1/responses", "/openai/responses")


def url(provider: Provider) -> str:
    return "ws" + provider.base_url.removeprefix("http") + "/responses"


# --- the upgrade ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_every_path_of_the_api_can_be_upgraded(path: str) -> None:
    """101 with the key that RFC 6455 asks for, then a turn; with the beta header and without."""
    for beta in ("responses_websockets=2026-02-06", None):
        with Provider() as provider, RawClient(provider, upgrade(path, openai_beta=beta)) as client:
            assert (client.status, client.headers["sec-websocket-accept"]) == (101, ACCEPT.lower())
            assert len(client.turn().types) == EVENTS


def test_events_are_those_of_the_stream_without_its_lines() -> None:
    """Each event of the stream over HTTP is one message, the same JSON; [DONE] is none."""
    with Provider() as provider:
        with Client(provider) as client:
            streamed = client.ask().events
        with RawClient(provider) as client:
            told = client.turn().messages
    assert [json.loads(without_ids(json.dumps(one).encode())) for one in told] == [
        json.loads(without_ids(json.dumps(one).encode())) for one in streamed
    ]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"sec_websocket_key": None}, 400), ({"sec_websocket_key": "short"}, 400), ({"sec_websocket_version": "8"}, 400),
     ({"connection": "keep-alive"}, 426)],
)  # fmt: skip
def test_an_upgrade_that_is_not_valid_is_refused(headers: dict[str, str | None], status: int) -> None:
    """With an error in the provider's form, and nothing of what was sent in it."""
    with Provider() as provider, RawClient(provider, upgrade(**headers)) as client:
        assert client.status == status
        assert json.loads(client.body)["error"]["message"] == "This is not a valid upgrade to a WebSocket."
        assert "upgrades" not in provider.tally()


def test_no_websocket_answers_426() -> None:
    """And says so to `websockets`, too; a POST is answered as ever."""
    with Provider(websocket=False) as provider:
        with pytest.raises(InvalidStatus) as caught, connect(url(provider)):
            pass
        assert caught.value.response.status_code == 426
        with Client(provider) as client:
            assert client.ask().whole
        assert [(one.status, one.api) for one in provider.requests] == [(426, ""), (200, "responses")]


def test_a_key_is_asked_for_at_the_upgrade() -> None:
    """401 without one, 101 with one."""
    with Provider(require_key=True) as provider:
        with RawClient(provider) as client:
            assert client.status == 401
        with RawClient(provider, upgrade(authorization="Bearer any")) as client:
            assert client.status == 101


def test_other_paths_are_no_websockets() -> None:
    """The other API, and a path that is not there, answer as without the header; so does a GET without it."""
    with Provider() as provider:
        for path, status in (("/v1/chat/completions", 200), ("/v1/embeddings", 405), ("/v1/realtime", 404)):
            with RawClient(provider, upgrade(path)) as client:
                assert client.status == status
        with Client(provider) as client:
            assert client.ask(request(body=b"", method="GET")).status == 405


def test_what_is_sent_ahead_of_the_101_is_not_lost() -> None:
    """A client may send its first turn in the segment of the upgrade, and the second in that of the first."""
    with Provider() as provider, RawClient(provider, upgrade() + create() + create()) as client:
        assert (len(client.get().types), len(client.get().types)) == (EVENTS, EVENTS)


# --- turns ---------------------------------------------------------------------------------------


def test_turns_build_on_those_before_them() -> None:
    """A response of this connection is known; of another one, and one that is not there, is not."""
    with Provider() as provider, RawClient(provider) as client:
        first = client.turn().messages[-1]["response"]["id"]
        assert client.turn(previous_response_id=first).types[-1] == "response.completed"
        with RawClient(provider) as other:
            refused = other.turn(previous_response_id=first).messages
            assert [(one["type"], one["status"], one["error"]["code"]) for one in refused] == [
                ("error", 400, "previous_response_not_found")
            ]
            assert refused[0]["error"]["param"] == "previous_response_id"
            assert other.turn().types[-1] == "response.completed"


def test_a_turn_that_fails_makes_its_predecessor_unknown() -> None:
    """As the real service forgets what a failed turn was built on."""
    with Provider(["http-500:request=2"]) as provider, RawClient(provider) as client:
        first = client.turn().messages[-1]["response"]["id"]
        assert client.turn(previous_response_id=first).messages[0]["status"] == 500
        assert client.turn(previous_response_id=first).messages[0]["error"]["code"] == "previous_response_not_found"


def test_a_warm_up_generates_nothing_and_uses_nothing_up() -> None:
    """generate: false is answered without output; a fault that applies once waits for the turn behind it."""
    with Provider(["http-500:request=1"]) as provider, RawClient(provider) as client:
        warm = client.turn(generate=False)
        assert warm.types == ["response.created", "response.in_progress", "response.completed"]
        done = warm.messages[-1]["response"]
        assert done["output"] == []
        assert client.turn(previous_response_id=done["id"]).messages[0]["status"] == 500


def test_one_turn_at_a_time() -> None:
    """A turn that comes while another is answered waits for its end; events are not mixed."""
    with Provider(["slow-events=0.005"]) as provider, RawClient(provider) as client:
        client.send(create(), create())
        both = [client.get().messages, client.get().messages]
        assert [[one["sequence_number"] for one in turn] for turn in both] == [list(range(EVENTS))] * 2


@pytest.mark.parametrize(
    ("message", "says"),
    [(b"not json", "not a JSON object"), (b"[1]", "not a JSON object"), (b"{}", "send response.create"),
     (b'{"type":"response.steer"}', "send response.create"), (b"[" * 100_000, "not a JSON object")],
)  # fmt: skip
def test_what_is_no_turn_is_answered_with_an_error(message: bytes, says: str) -> None:
    """And the connection is kept."""
    with Provider() as provider, RawClient(provider) as client:
        client.send(frame(message))
        told = client.get().messages[-1]
        assert (told["type"], told["status"]) == ("error", 400)
        assert says in told["error"]["message"]
        assert client.turn().whole


def test_a_model_that_is_not_there() -> None:
    """What is refused over HTTP is refused here, with the same words."""
    with Provider(models=("gpt-*",)) as provider, RawClient(provider) as client:
        told = client.turn(model="other").messages[0]
        assert (told["status"], told["error"]["code"]) == (404, "model_not_found")


# --- the protocol --------------------------------------------------------------------------------


def test_a_ping_is_answered_while_a_turn_is_silent() -> None:
    """With the same bytes."""
    with Provider(["first-event-then-silence"]) as provider, RawClient(provider) as client:
        client.send(create())
        assert client.get(1).types == ["response.created"]
        client.send(frame(b"are you there", PING))
        assert client.get(1).frames == [(PONG, b"are you there")]


def test_fragments_are_one_message() -> None:
    """With a ping between them."""
    whole = json.dumps({"type": "response.create", "model": "gpt-5", "input": "\N{GRINNING FACE}"}).encode()
    parts = [frame(whole[:20], TEXT, fin=False), frame(b"", PING), frame(whole[20:-5], CONTINUATION, fin=False)]
    with Provider() as provider, RawClient(provider) as client:
        client.send(*parts, frame(whole[-5:], CONTINUATION))
        assert client.get(1).frames == [(PONG, b"")]
        assert len(client.get().types) == EVENTS


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(b"\0", BINARY), 1003),
        (frame(b"\xff\xfe"), 1007),
        (frame(b"x" * 70_000), 1009),
        (frame(b"x" * 40_000, fin=False) + frame(b"x" * 40_000, CONTINUATION), 1009),
        (b"\x81\xff" + b"\x7f" + b"\xff" * 7, 1009),
        (b"\x81\x02hi", 1002),  # not masked
        (frame(b"", 3), 1002),  # an opcode that is not there
        (b"\xf1" + frame(b"")[1:], 1002),  # reserved bits
        (frame(b"x", CONTINUATION), 1002),
        (frame(b"x" * 126, PING), 1002),
        (frame(b"\x03", CLOSE), 1002),
        (frame(b"\x03\xed", CLOSE), 1002),  # 1005 may not be sent
    ],
)
def test_what_is_wrong_is_closed_with_the_right_code(data: bytes, code: int) -> None:
    """A close frame, then a FIN; and the next client is served."""
    with Provider(body_limit=2**16) as provider:
        with RawClient(provider) as client:
            client.send(data)
            got = client.get()
            assert (got.code, got.end) == (code, FIN)
        until(lambda: provider.closed_connections, "the end of the connection")
        assert provider.closed_connections[0].how == "close frame"
        with RawClient(provider) as client:
            assert client.turn().whole


@pytest.mark.parametrize("payload", [b"\x03\xe8", b"\x03\xe9bye", b"\x0f\xa0", b""])
def test_a_close_of_the_client_is_answered(payload: bytes) -> None:
    """With the same code, then a FIN; during a turn too."""
    for specs in ([], ["first-event-then-silence"]):
        with Provider(specs) as provider, RawClient(provider) as client:
            client.send(*[create()] * len(specs))
            client.get(1, silence=SILENCE)
            client.send(frame(payload, CLOSE))
            got = client.get()
            assert (got.frames, got.end) == ([(CLOSE, payload)], FIN)
            client.socket.close()
            until(lambda provider=provider: provider.closed_connections, "the end of the connection")
            assert [(one.closed_first, one.how) for one in provider.closed_connections] == [("client", "close frame")]


def test_nothing_comes_after_a_close_frame() -> None:
    """A turn in the same segment is not answered."""
    with Provider() as provider, RawClient(provider) as client:
        client.send(frame(b"\x03\xe8", CLOSE), create())
        assert client.get() == Got([(CLOSE, b"\x03\xe8")], FIN)


def test_a_client_that_leaves_without_a_word_is_noticed() -> None:
    """A FIN without a close frame, idle and within a turn."""
    for specs in ([], ["first-event-then-silence"]):
        with Provider(specs) as provider:
            with RawClient(provider) as client:
                client.send(create())
                client.get(1)
            until(lambda provider=provider: not provider.open_connections, "the end of the connection")
            assert [(one.closed_first, one.how) for one in provider.closed_connections] == [("client", "fin")]


def test_compression_where_the_client_asks_for_it() -> None:
    """`websockets` does; fewer bytes come out, and the turns are the same. A message that inflates is refused."""
    sizes = []
    for compression in (None, "deflate"):
        with Provider(body_limit=2**16) as provider:
            with connect(url(provider), compression=compression) as client:
                assert len(read_turn(client)) == EVENTS
                assert bool(client.protocol.extensions) is (compression is not None)
                client.send("x" * 2**20)  # some 2 KB deflated
                with pytest.raises(Exception, match="1009"):
                    client.recv(20)
            until(lambda provider=provider: not provider.open_connections, "the end of the connection")
            sizes.append(provider.tally()["bytes_out"])
    assert sizes[1] < sizes[0] / 2


# --- real clients --------------------------------------------------------------------------------


def read_turn(client: object, **fields: object) -> list[dict[str, object]]:
    """One turn with `websockets`: its messages."""
    client.send(json.dumps({"type": "response.create", "model": "gpt-5", "input": "hi", **fields}))
    messages = []
    while not messages or messages[-1]["type"] not in ("response.completed", "error"):
        messages.append(json.loads(client.recv(20)))
    return messages


def test_the_threaded_client_of_websockets() -> None:
    """Turns, one that builds on another, a ping, and the closing handshake."""
    with Provider() as provider:
        with connect(url(provider)) as client:
            first = read_turn(client)[-1]["response"]["id"]
            assert read_turn(client, previous_response_id=first)[-1]["type"] == "response.completed"
            assert client.ping().wait(20)
        assert client.protocol.close_code == 1000
        assert provider.tally()["requests"] == 2
        assert provider.tally()["upgrades"] == 1
        assert [one.api for one in provider.requests] == ["responses", "responses"]


@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
def test_the_sdk_over_tls() -> None:
    """client.responses.connect() of the SDK, on the provider's TLS port."""
    with Provider(tls=True) as provider, openai.OpenAI(base_url=provider.base_url, api_key="none") as client:
        context = ssl.create_default_context(cafile=str(provider.ca_file))
        with client.responses.connect(websocket_connection_options={"ssl": context}) as connection:
            connection.response.create(model="gpt-5", input="hi")
            for event in connection:
                if event.type == "response.completed":
                    assert event.response.output_text == "Every socket you open is yours to close."
                    break
        assert provider.tally()["upgrades"] == 1


# --- what is told of it --------------------------------------------------------------------------


def test_the_log_says_upgrade_and_turns() -> None:
    """In plain words, as JSON, and with nothing of what was sent."""
    happened: list[Happened] = []
    with Provider(observer=happened.append) as provider:
        with RawClient(provider, upgrade(authorization="Bearer s3cret", x_note="s3cret")) as client:
            client.turn(input="s3cret")
            client.send(frame(b"\x03\xe8", CLOSE))
            client.get()
        until(lambda: not provider.open_connections, "the end of the connection")
    lines = [traffic.line(one).split(maxsplit=2)[2] for one in happened]
    assert lines[:4] == [
        "opened", "request 1 GET /v1/responses, asks for a WebSocket", "first byte", "upgrade 101 /v1/responses",
    ]  # fmt: skip
    assert lines[4] == "request 2 POST /v1/responses over WebSocket"
    assert lines[6] == "answered 200, 16 events"
    assert lines[7].startswith("closed first by the client (close frame), 2 requests")
    told = "".join(map(traffic.line, happened)) + "".join(map(traffic.as_json, happened))
    assert "s3cret" not in told
    assert json.loads(traffic.as_json(happened[4]))["over"] == "WebSocket"


def test_what_a_client_sends_ahead_is_bounded() -> None:
    """While a turn is silent no more is read than a client may send ahead."""
    with Provider(["first-event-then-silence"]) as provider, RawClient(provider) as client:
        client.send(create())
        client.get(1)
        client.socket.settimeout(SILENCE)
        block = frame(b"x" * 60_000) * 20
        with pytest.raises(TimeoutError):
            client.socket.sendall(block * 20)
        assert provider.tally()["bytes_in"] < 2**20
        assert client.get(silence=0.05).end == SILENT


def test_a_provider_that_stops_leaves_no_websocket() -> None:
    """Idle, within a turn, and while the upgrade stalls."""
    with Provider(["first-event-then-silence:request=1", "ws-stall:connection=3"]) as provider:
        clients = [RawClient(provider), RawClient(provider)]
        clients[0].send(create())
        assert clients[0].get(1).types == ["response.created"]
        clients.append(RawClient(provider, silence=SILENCE))
    for client in clients:
        assert client.get().end in (FIN, RESET)
        client.socket.close()
    assert [one.closed for one in provider.closed_connections] == [None] * 3  # by nobody: it was the end


def test_replies_are_those_of_streams(tmp_path: Path) -> None:
    """A script with a call, one after the other; and a transcript, whose [DONE] and comments are no messages."""
    script = tmp_path / "script.json"
    call = {"call": "get_weather", "arguments": {"city": "Paris"}}
    script.write_text(json.dumps([{"output": [call]}, {"output": [{"text": "It rains."}]}]))
    with Provider(reply=str(script)) as provider, RawClient(provider) as client:
        asked = client.turn(generate=False)  # uses up no reply
        assert asked.whole
        items = [client.turn().messages[-1]["response"]["output"][0] for _ in range(2)]
        assert [item["type"] for item in items] == ["function_call", "message"]
    transcript = tmp_path / "stream.sse"
    with Provider() as provider, Client(provider) as client:
        streamed = client.ask()
    first, _, rest = streamed.body.partition(b"\n\n")
    transcript.write_bytes(first + b"\n\n: a comment\n\n" + rest + b"data: [DONE]\n\n")
    with Provider(reply=str(transcript)) as provider, RawClient(provider) as client:
        assert client.turn().messages == streamed.events


def test_serve_says_what_it_does() -> None:
    """`serve --json`: the upgrade and the turn; `--no-websocket`: 426."""
    with serving("--json") as one:
        with RawClient(one) as client:
            assert client.turn(input="s3cret").whole
        one.wait_for('"closed"')
        code, out, err = one.end(signal.SIGTERM)
    told = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [line["event"] for line in told] == [
        "serving", "opened", "request", "first byte", "upgrade", "request", "first byte", "answered", "closed", "tally",
    ]  # fmt: skip
    assert (told[4]["status"], told[4]["path"], told[5]["over"]) == (101, "/v1/responses", "WebSocket")
    assert (told[-1]["upgrades"], told[-1]["requests"]) == (1, 1)
    assert "s3cret" not in out
    with serving("--no-websocket") as one, RawClient(one) as client:
        assert client.status == 426


def test_an_upstream_gets_no_websocket(tmp_path: Path) -> None:
    """Turns cannot be passed on: 426, and the client goes on over HTTP."""
    upstream = Upstream("http://127.0.0.1:9/v1", tmp_path / "a.sse")
    with Provider(upstream=upstream) as provider, RawClient(provider) as client:
        assert client.status == 426


def test_many_at_once() -> None:
    """100 WebSockets in the middle of a turn, each of which is answered to its end."""
    with Provider(["slow-events=0.01"]) as provider:
        clients = [RawClient(provider) for _ in range(100)]
        for client in clients:
            client.send(create())
        for client in clients:
            assert len(client.get().types) == EVENTS
            client.socket.close()
        until(lambda: not provider.open_connections, "the end of the connections")
        assert provider.tally()["upgrades"] == 100


def send_until_blocked(sock: socket.socket, data: bytes) -> int:
    """Bytes that could be sent until nobody took any for a while; 128 MB at most."""
    sock.settimeout(SILENCE)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 128 * 2**20:
            sent += sock.send(data)
    return sent


@pytest.mark.parametrize("flood", [frame(b"x" * 125, PING), create()], ids=["pings", "turns"])
def test_a_client_that_sends_and_does_not_read(flood: bytes) -> None:
    """No more is read from it than it takes, however small its messages; once it reads, all is answered."""
    with Provider() as provider, RawClient(provider) as client:
        sent = send_until_blocked(client.socket, flood * 500)
        taken = provider.tally()["bytes_in"]
        assert sent < 128 * 2**20
        assert provider.tally()["bytes_in"] == taken <= sent
        assert client.get(1).frames
    with Provider() as provider, RawClient(provider) as client:
        client.send(flood * 200)  # and one that reads later is answered
        frames = client.get(200).frames
        assert len(frames) == 200 or frames[-1][1].startswith(b'{"type":"response.completed"')


def test_many_messages_that_inflate_in_one_go() -> None:
    """Each is within the limit, and all of them are not: 1009."""
    deflate = [PerMessageDeflate(False, False, 12, 12)]
    message = json.dumps({"type": "response.create", "input": "x" * 60_000}).encode()
    frames = [Frame(Opcode.TEXT, message).serialize(mask=True, extensions=deflate) for _ in range(50)]
    request = upgrade(sec_websocket_extensions="permessage-deflate")
    with Provider(body_limit=2**16) as provider, RawClient(provider, request) as client:
        client.send(*frames)
        got = client.get(1)
        while not got.end and got.code is None:
            got = client.get(1)
        assert got.code == 1009
