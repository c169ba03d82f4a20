"""Record and replay: what comes from an upstream, given again as it was, and every fault laid over it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from provider_tools import (
    FIN,
    GENERATIONS,
    PATIENCE,
    RESET,
    SILENCE,
    Client,
    Probe,
    nothing_left,
    request,
    trusting,
    without_ids,
)
from test_provider_faults import HEALTHY_TYPES, QUIET, SEEN, TOLD

from hermes_diag.provider import Provider, faults
from hermes_diag.provider.upstream import Upstream

__all__ = ["nothing_left"]

ASKED: dict[str, dict[str, Any]] = {
    "/v1/responses": {"input": "hi"},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"prompt": "hi"},
    "/v1/messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
}
STREAMED = {path: {"model": "gpt-5", "stream": True, **body} for path, body in ASKED.items()}


def record(path: Path, *asked: str, reply: str | None = None) -> list[bytes]:
    """What `serve --record` hears when these paths are asked, one after the other; the bodies."""
    with Provider(reply=reply) as real:
        upstream = Upstream(real.base_url, path)
        upstream.open()
        try:
            with Provider(upstream=upstream) as provider, Client(provider) as client:
                heard = [client.ask(request(at, STREAMED[at])) for at in asked]
        finally:
            upstream.close()
    assert all(one.status == 200 and one.whole for one in heard)
    return [one.body for one in heard]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One healthy stream of each API."""
    path = tmp_path_factory.mktemp("recorded") / "all.sse"
    record(path, *ASKED)
    return path


@pytest.mark.parametrize("name", SEEN)
def test_every_fault_of_an_answer_goes_over_a_recording(name: str, recording: Path) -> None:
    """On the wire it looks as over a reply of ours; without the fault the recording comes as it was."""
    spec, check = SEEN[name]
    tls = faults.catalogue()[name].needs_tls
    reply = str(recording)
    with Provider([spec], tls=tls, reply=reply) as provider:
        with Client(provider, trusting(provider) if tls else None) as client:
            heard = client.ask(silence=SILENCE if name in QUIET else PATIENCE)
            assert check(heard), heard
        provider.set_faults([])
        with Client(provider, trusting(provider) if tls else None) as client:
            healthy = client.ask()
            assert healthy.whole
            assert len(healthy.events) == HEALTHY_TYPES
            assert not check(healthy)


#: Faults that take time, or another moment than an answer: the spec, and what must be seen of two requests.
TIMED = ["slow-events=0.02", "latency=200ms", "throttle=20000"]
ENDS = {"idle-close=0.1": FIN, "idle-reset=0.1": RESET, "cut-after=0.2:how=fin": FIN, "cut-after=0.2:how=reset": RESET}


@pytest.mark.parametrize("spec", TIMED)
def test_a_slow_answer_goes_over_a_recording(spec: str, recording: Path) -> None:
    """Whole and as it was, and later than without the fault."""
    with Provider([spec], reply=str(recording)) as provider, Client(provider) as client:
        begun = time.monotonic()
        slow = client.ask()
        took = time.monotonic() - begun
        provider.set_faults([])
        assert client.ask().body == slow.body
    assert took >= 0.15


@pytest.mark.parametrize("spec", ENDS)
def test_an_end_goes_over_a_recording(spec: str, recording: Path) -> None:
    """The recording comes whole, then the end that the fault is."""
    with Provider([spec], reply=str(recording)) as provider, Client(provider) as client:
        assert client.ask().whole
        assert client.end(silence=5) == ENDS[spec]


def test_what_is_not_of_an_answer_does_not_ask_for_one() -> None:
    """The other faults act on connections, and their code knows of no reply."""
    of_http2 = {name for name in TOLD if name.startswith("h2-")}  # test_provider_streams.py
    of_replies = {name for name in TOLD - of_http2 if faults.catalogue()[name].hook == "answer"}
    assert of_replies == {"half-close", "healthy", "slow-events", "vanish-before-headers"}


@pytest.mark.parametrize("spec", ["half-close", "healthy"])
def test_a_whole_answer_of_a_recording(spec: str, recording: Path) -> None:
    """The recorded stream, then the FIN of one half, or nothing."""
    with Provider([spec], reply=str(recording)) as provider, Client(provider) as client:
        heard = client.ask()
        assert heard.whole
        assert len(heard.events) == HEALTHY_TYPES
        assert client.end(silence=SILENCE) == (FIN if spec == "half-close" else "silent")


def test_a_cut_recording_is_due_again(tmp_path: Path) -> None:
    """A stream that a fault has broken off is what the retry gets, whole; then the next one."""
    first, second = record(tmp_path / "two.sse", "/v1/responses", "/v1/responses")
    assert first != second  # by their ids
    with Provider(["rst-mid-stream:request=1"], reply=str(tmp_path / "two.sse")) as provider:
        bodies = []
        for _ in range(3):
            with Client(provider) as client:
                bodies.append(client.ask().body)
    assert first.startswith(bodies[0])
    assert bodies[1:] == [first, second]


def test_a_plan_goes_over_a_recording(recording: Path, tmp_path: Path) -> None:
    """Phases as over a reply of ours."""
    path = tmp_path / "plan.toml"
    path.write_text('[[phase]]\nname = "a"\nseconds = 99\nfaults = ["fin-mid-stream=2"]\n[[phase]]\nname = "b"\n')
    with Provider(plan=path, reply=str(recording)) as provider:
        with Client(provider) as client:
            assert len(client.ask().events) == 2
        provider.next_phase()
        with Client(provider) as client:
            assert len(client.ask().events) == HEALTHY_TYPES


@pytest.mark.parametrize("python", GENERATIONS)
def test_both_generations_of_the_sdk_read_a_replay(python: str, tmp_path: Path) -> None:
    """A recording to its end, and what a plan lays over it: an outage, a cut stream, then nothing."""
    path, recorded = tmp_path / "plan.toml", tmp_path / "one.sse"
    record(recorded, "/v1/responses")
    phases = {"healthy": "", "outage": "http-503", "cuts": "rst-mid-stream=2", "over": ""}
    path.write_text(
        "".join(
            f'[[phase]]\nname = "{name}"\nseconds = 600\nfaults = {[spec] if spec else []}\n'
            for name, spec in phases.items()
        )
    )
    with Probe(python) as probe, Provider(plan=path, reply=str(recorded)) as provider:
        for name, count in (("healthy", HEALTHY_TYPES), ("outage", 0), ("cuts", 2), ("over", HEALTHY_TYPES)):
            assert provider.phase == name
            probe.tell(base_url=provider.base_url, timeout=PATIENCE)
            heard = probe.hear()
            assert (heard["count"], bool(heard["chain"])) == (count, count != HEALTHY_TYPES), (name, heard)
            if name != "over":
                provider.next_phase()


# --- all four APIs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_streams_of_all_apis_are_told_apart(order: int, tmp_path: Path) -> None:
    """Recorded one after the other in either order, each is given to the API of which it is."""
    path, paths = tmp_path / "all.sse", [*ASKED][::order]
    recorded = dict(zip(paths, record(path, *paths), strict=True))
    with Provider(reply=str(path)) as provider, Client(provider) as client:
        for at in (*ASKED, *ASKED):
            assert client.ask(request(at, STREAMED[at])).body == recorded[at]


@pytest.mark.parametrize("at", ASKED)
def test_a_recording_of_one_api_is_none_of_another(at: str, tmp_path: Path) -> None:
    """The others are refused, streamed or not."""
    path = tmp_path / "one.sse"
    record(path, at)
    with Provider(reply=str(path)) as provider, Client(provider) as client:
        for other in set(ASKED) - {at}:
            refused = client.ask(request(other, STREAMED[other]))
            assert refused.status == 400
            assert "holds no stream of /v1/" in json.loads(refused.body)["error"]["message"]
        assert client.ask(request(at, STREAMED[at])).status == 200


SCRIPT = [
    {"reasoning": "Hm, let me think."},
    {"text": "It rains in the north."},
    {"call": "look", "arguments": {"at": {"x": [1, "two"]}, "é": None}},
    {"call": "go", "arguments": {}},
]


@pytest.mark.parametrize("at", ["/v1/completions", "/v1/messages"])
def test_what_is_asked_for_without_a_stream_is_put_together(at: str, tmp_path: Path) -> None:
    """As the provider that was recorded answers it without a stream: texts, thoughts, calls, tokens, reasons."""
    script, path = tmp_path / "script.json", tmp_path / "one.sse"
    script.write_text(json.dumps({"output": SCRIPT, "usage": {"input_tokens": 5, "output_tokens": 21}}))
    record(path, at, reply=str(script))
    asked = {**STREAMED[at], "stream": False}
    answers = []
    for reply in (script, path):
        with Provider(reply=str(reply)) as provider, Client(provider) as client:
            answers.append(json.loads(without_ids(client.ask(request(at, asked)).body)))
    expected, found = answers
    if at == "/v1/completions":
        expected.pop("usage")  # a stream tells it only when it is asked to
    assert found == expected


def test_odd_events_of_messages_break_nothing(tmp_path: Path) -> None:
    """A transcript may have been written by hand."""
    odd: list[Any] = [
        {"type": "message_start", "message": {"id": "m", "usage": 3}},
        {"type": "content_block_delta", "index": "x", "delta": {"type": "text_delta", "text": "a", "more": 3}},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "input": {}}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{"}},
        {"type": "content_block_delta", "index": 2, "delta": 7},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    path = tmp_path / "odd.sse"
    path.write_text("".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in odd))
    with Provider(reply=str(path)) as provider:
        body = {**STREAMED["/v1/messages"], "stream": False}
        answer = httpx.post(provider.base_url + "/messages", json=body, trust_env=False)
    assert answer.json() == {
        "id": "m", "usage": {"output_tokens": 1}, "stop_reason": "end_turn",
        "content": [{"text": "a"}, {"type": "tool_use", "input": {}}],
    }  # fmt: skip
