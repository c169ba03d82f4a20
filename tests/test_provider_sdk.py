"""The official SDK of each generation against the provider: typed events, and what each fault looks like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exception_table import DOCUMENT, SPECS, generate, play
from provider_tools import GENERATIONS, OPENAI_3, Probe, has_h2, nothing_left, unknown_but_store  # noqa: F401

from hermes_diag.provider import Provider, faults

SCRIPT = {
    "output": [
        {"reasoning": "Let me think."},
        {"text": "Hello there, \N{GRINNING FACE}."},
        {"call": "get_weather", "arguments": {"city": "Paris", "days": 3}},
        {"refusal": "I cannot do that."},
    ],
    "usage": {"input_tokens": 100, "output_tokens": 20, "reasoning_tokens": 5, "cached_tokens": 50},
}


@pytest.mark.parametrize("python", GENERATIONS)
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_every_event_parses_into_its_class(python: str, api: str, tmp_path: Path) -> None:
    """Each event validates against its class, with no field that the class does not know."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT))
    for reply in (None, str(script), "echo"):
        with Probe(python) as probe, Provider(reply=reply) as provider:
            probe.tell(base_url=provider.base_url, timeout=10, api=api, strict=True, input="echo me")
            heard = probe.hear()
        assert heard["chain"] == []
        assert heard["count"] > 3
        assert unknown_but_store(heard["problems"]) == []
        if api == "responses":
            assert heard["events"][-1] == "response.completed"


@pytest.mark.parametrize("python", GENERATIONS)
def test_valid_faults_stay_valid(python: str) -> None:
    """What is large, long, slow or squeezed is still a stream that the SDK reads to its end."""
    for spec, count in (("large-event=8", 17), ("long-stream=100000", 100_000), ("gzip", 16), ("redirect", 16)):
        with Probe(python) as probe, Provider([spec]) as provider:
            probe.tell(base_url=provider.base_url, timeout=60)
            assert (spec, probe.hear()["count"]) == (spec, count)


def test_every_fault_is_in_the_table() -> None:
    """A new fault needs a line in SPECS, and the table to be generated again."""
    assert set(SPECS) == {name for name in faults.catalogue() if not name.startswith("ws-")}


@pytest.mark.parametrize("python", GENERATIONS)
def test_a_healthy_provider_gives_no_exception(python: str) -> None:
    """The other way round: what the table shows comes from the fault."""
    with Probe(python) as probe:
        heard: dict[str, Any] = play(probe, "healthy", "healthy")
        assert heard["chain"] == []


@pytest.mark.skipif(not has_h2(OPENAI_3), reason="HERMES_DIAG_OPENAI3_PYTHON names no Python with openai 3 and h2")
def test_the_table_in_the_docs_is_what_happens() -> None:
    """docs/provider-exceptions.md is generated from both generations and is up to date."""
    assert DOCUMENT.read_text() == generate(OPENAI_3)
