"""Replies that fail, stop short or meet a quota, and faults of events where the answer is no stream; on both APIs."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from provider_tools import FIN, GENERATIONS, PATIENCE, Client, Heard, Probe, nothing_left, request, unknown_but_store  # noqa: F401

from hermes_diag.core.evidence import Happened
from hermes_diag.provider import Provider, faults
from hermes_diag.provider.answers import endings

RESPONSES = "/v1/responses"
CHAT = "/v1/chat/completions"
BODIES: dict[str, dict[str, Any]] = {
    RESPONSES: {"model": "gpt-5", "input": "hi"},
    CHAT: {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]},
}


def shape(data: bytes) -> bytes:
    """Bytes without what is another in each reply: ids and times, also those that are cut."""
    return re.sub(rb"[0-9a-f]", b"0", data)


def ask(spec: str, path: str, stream: bool, **options: Any) -> Heard:
    with Provider([spec] if spec else [], **options) as provider, Client(provider) as client:
        return client.ask(
            request(path, {**BODIES[path], "stream": stream}), silence=0.4 if "silence" in spec else PATIENCE
        )


# --- without a stream ----------------------------------------------------------------------------


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("spec", ["duplicate-events", "out-of-order-events", "large-event=1", "long-stream=300"])
def test_what_is_of_streams_alone_passes_another_answer_by(spec: str, path: str) -> None:
    """The answer is the healthy one to its last byte, and the log says that the fault was not applied."""
    healthy = ask("", path, stream=False)
    happened: list[Happened] = []
    assert shape(ask(spec, path, stream=False, observer=happened.append).raw) == shape(healthy.raw)
    name = spec.partition("=")[0]
    assert [one.fault for one in happened if one.what == "answered"] == [f"{name} (not applied: no stream)"]
    assert ask(spec, path, stream=True).body != ask("", path, stream=True).body


@pytest.mark.parametrize("path", BODIES)
def test_an_error_event_is_a_500(path: str) -> None:
    """Which is what a provider answers when it has not begun a stream."""
    heard = ask("error-event", path, stream=False)
    assert heard.status == 500
    assert json.loads(heard.body)["error"]["type"] == "server_error"


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("spec", ["malformed-event", "no-terminal-event"])
def test_broken_json_has_a_proper_end(spec: str, path: str) -> None:
    """200, as long as it says, the beginning of the healthy body, and no JSON."""
    heard, healthy = ask(spec, path, stream=False), ask("", path, stream=False)
    assert (heard.status, heard.whole) == (200, True)
    assert shape(healthy.body).startswith(shape(heard.body))
    assert 0 < len(heard.body) < len(healthy.body)
    assert not is_json(heard.body)
    assert is_json(healthy.body)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "spec",
    ["fin-mid-stream", "rst-mid-stream", "truncated-event", "truncated-chunk", "truncated-utf8", "bad-chunk-header"],
)
def test_an_answer_that_is_cut_is_json_that_is_cut(spec: str, path: str) -> None:
    """The beginning of the healthy body, at most with half a character behind it; nothing of an event."""
    heard, healthy = ask(spec, path, stream=False), ask("", path, stream=False)
    assert heard.status == 200
    assert not heard.whole
    body = heard.body.removesuffix(b"\xf0\x9f")
    assert shape(healthy.body).startswith(shape(body))
    assert 0 < len(body) < len(healthy.body)
    assert heard.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", BODIES)
def test_comments_are_blank_lines(path: str) -> None:
    """With which JSON may begin."""
    with Provider(["comments-only=0.01"]) as provider, Client(provider) as client:
        client.socket.sendall(request(path, BODIES[path]))
        raw = b""
        while raw.count(b"1\r\n\n\r\n") < 3:
            raw += client.socket.recv(65536)
        assert b"ping" not in raw


def test_no_event_comes_where_no_stream_was_asked_for() -> None:
    """Of no fault, on neither API: no name and no data of an event is ever in a JSON answer."""
    left_out = {"hold", "connection-limit"}
    for name, entry in faults.catalogue().items():
        if entry.hook not in ("answer", "shape") or name in left_out or entry.needs_tls:
            continue
        spec = {"slow-events": "slow-events=0.001", "throttle": "throttle=1000000"}.get(name, name)
        for path, body in BODIES.items():
            with Provider([spec]) as provider, Client(provider) as client:
                heard = client.ask(request(path, body), silence=0.1)
            assert b"data: " not in heard.body, name
            assert b"event: " not in heard.body, name
            assert "event-stream" not in heard.headers.get("content-type", ""), name


# --- failed and incomplete -----------------------------------------------------------------------


@pytest.mark.parametrize("code", endings.FAILURES)
def test_a_response_fails(code: str) -> None:
    """The last event has the code and the words; without a stream they are an error with a status of its own."""
    status, words = endings.FAILURES[code]
    begins = words.partition("{")[0]
    heard = ask(f"response-failed={code}:after=4", RESPONSES, stream=True)
    *opening, last = heard.events
    assert heard.whole
    assert len(opening) == 4
    assert last["type"] == "response.failed"
    assert last["sequence_number"] == 4
    response = last["response"]
    assert (response["status"], response["error"]["code"]) == ("failed", code)
    assert response["error"]["message"].startswith(begins)
    assert response["id"] == opening[0]["response"]["id"]
    assert response["model"] == "gpt-5"

    chunk = ask(f"response-failed={code}:after=4", CHAT, stream=True).events[-1]
    assert chunk["error"]["code"] == code
    for path in BODIES:
        heard = ask(f"response-failed={code}", path, stream=False)
        assert (heard.status, json.loads(heard.body)["error"]["code"]) == (status, code)


def test_a_rate_limit_says_how_long() -> None:
    """As Codex reads it: "try again in" and seconds."""
    for spec, seconds in (("", "1.5"), (":seconds=2", "2"), (":seconds=250ms", "0.25")):
        last = ask(f"response-failed=rate_limit_exceeded{spec}", RESPONSES, stream=True).events[-1]
        found = re.search(r"(?i)try again in\s*(\d+(?:\.\d+)?)\s*(s|ms|seconds?)", last["response"]["error"]["message"])
        assert found is not None
        assert found.groups() == (seconds, "s")


@pytest.mark.parametrize(("reason", "finish"), endings.INCOMPLETE.items())
def test_a_reply_stops_short(reason: str, finish: str) -> None:
    """Streamed or not, each API says it in its own words, and a healthy reply in none of them."""
    streamed = ask(f"response-incomplete={reason}", RESPONSES, stream=True)
    whole = json.loads(ask(f"response-incomplete={reason}", RESPONSES, stream=False).body)
    last = streamed.events[-1]
    assert last["type"] == "response.incomplete"
    assert "response.completed" not in streamed.types
    for response in (last["response"], whole):
        assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": reason})
        assert [item["status"] for item in response["output"]] == ["incomplete"]
    chunks = ask(f"response-incomplete={reason}", CHAT, stream=True).events
    completion = json.loads(ask(f"response-incomplete={reason}", CHAT, stream=False).body)
    ends = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert ends == [choice["finish_reason"] for choice in completion["choices"]] == [finish]


def test_a_transcript_can_fail_and_stop_short_too(tmp_path: Path) -> None:
    """What was recorded is told to have failed under its own id."""
    recorded = tmp_path / "stream.sse"
    recorded.write_bytes(ask("", RESPONSES, stream=True).body.replace(b"resp_", b"resp_recorded_"))
    for spec, kind in (("response-failed", "response.failed"), ("response-incomplete", "response.incomplete")):
        last = ask(spec, RESPONSES, stream=True, reply=str(recorded)).events[-1]
        assert last["type"] == kind
        assert last["response"]["id"].startswith("resp_recorded_")


# --- quotas --------------------------------------------------------------------------------------


def test_the_quota_is_used_up() -> None:
    """The body that the API sends, the same for a stream and without, and no Retry-After."""
    for path in BODIES:
        for stream in (True, False):
            heard = ask("insufficient-quota", path, stream)
            error = json.loads(heard.body)["error"]
            assert heard.status == 429
            assert (error["type"], error["param"], error["code"]) == ("insufficient_quota", None, "insufficient_quota")
            assert error["message"].startswith("You exceeded your current quota")
            assert "retry-after" not in heard.headers


def test_the_plan_is_used_up() -> None:
    """As the ChatGPT backend says it: which plan, and when it begins again, as a time and in seconds."""
    heard = ask("usage-limit-reached=90s", RESPONSES, stream=True)
    error = json.loads(heard.body)["error"]
    assert (heard.status, error["type"], error["plan_type"]) == (429, "usage_limit_reached", "plus")
    assert error["resets_in_seconds"] == 90
    assert abs(error["resets_at"] - time.time() - 90) < PATIENCE
    assert heard.headers["x-codex-primary-reset-at"] == str(error["resets_at"])


@pytest.mark.parametrize("python", GENERATIONS)
def test_both_generations_of_the_sdk_read_them(python: str) -> None:
    """Each event has its class and no field that the class does not know; the refusals raise RateLimitError."""
    with Probe(python) as probe:
        for spec, last in (
            ("response-failed=server_error", "response.failed"),
            ("response-failed=rate_limit_exceeded", "response.failed"),
            ("response-incomplete", "response.incomplete"),
            ("healthy", "response.completed"),
        ):
            with Provider([spec]) as provider:
                probe.tell(base_url=provider.base_url, timeout=PATIENCE, strict=True)
                heard = probe.hear()
                assert (heard["chain"], unknown_but_store(heard["problems"]), heard["events"][-1]) == ([], [], last)
        for spec in ("insufficient-quota", "usage-limit-reached"):
            with Provider([spec]) as provider:
                probe.tell(base_url=provider.base_url, timeout=PATIENCE)
                assert "openai.RateLimitError" in probe.hear()["chain"]
