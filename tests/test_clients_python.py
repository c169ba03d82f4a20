"""The libraries that people write programs with: a turn, a stream, a tool, a structured output, a broken stream."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from provider_tools import PATIENCE

from hermes_diag.provider import Provider

CLIENTS = Path(__file__).parent / "clients"
TEXT = "Every socket you open is yours to close."
#: Interpreters with the libraries: the first has all but LlamaIndex, which wants another SDK.
PYTHON, LLAMA_INDEX = "HERMES_DIAG_CLIENTS_PYTHON", "HERMES_DIAG_LLAMA_INDEX_PYTHON"
PROGRAMS = {
    "openai_agents": PYTHON,
    "langchain_chat": PYTHON,
    "langchain_responses": PYTHON,
    "with_litellm": PYTHON,
    "with_pydantic_ai": PYTHON,
    "with_instructor": PYTHON,
    "with_llm": PYTHON,
    "with_llama_index": LLAMA_INDEX,
}
#: Two rounds of a tool: a library that takes the second call for the first one stops here.
SCRIPT = [{"output": [{"call": "look", "arguments": {"at": "it"}}]}, {"output": [{"text": "It is a socket."}]}]
#: An answer of instructor is always the call of a tool with that argument.
INSTRUCTOR = "with_instructor"


def play(program: str, *cases: tuple[str, Provider]) -> list[dict[str, Any]]:
    """What the program told of each kind of turn at its provider, one after the other in one process."""
    python = os.environ.get(PROGRAMS[program], "")
    if not python:
        pytest.skip(f"{PROGRAMS[program]} names no Python with this library")
    kept = {key: value for key, value in os.environ.items() if "PROXY" not in key.upper() and "OPENAI" not in key}
    told = subprocess.run(
        [python, "-B", CLIENTS / f"{program}.py", *(word for kind, one in cases for word in (kind, one.base_url))],
        capture_output=True, text=True, timeout=4 * PATIENCE, env=kept, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-3000:]
    return [json.loads(line[5:]) for line in told.stdout.splitlines() if line.startswith("told ")]


def statuses(provider: Provider) -> list[int]:
    """Of its requests for a reply."""
    return [one.status for one in provider.requests if one.api]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_library(program: str, tmp_path: Path) -> None:
    """Each kind of turn comes out as it must, and nothing is taken for whole that was broken off."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT))
    by_script = {} if program == INSTRUCTOR else {"reply": str(script)}
    models = ("gpt-*",)
    with (
        Provider(models=models) as plain,
        Provider(models=models, **by_script) as tools,
        Provider(["rst-mid-stream=6"], models=models) as broken,
    ):
        turn, stream, structured, tool, interrupted = play(
            program, ("turn", plain), ("stream", plain), ("structured", plain), ("tool", tools), ("interrupted", broken)
        )
    assert turn["text"] == TEXT
    assert stream["text"] == TEXT
    assert structured["thing"]["count"] >= 5  # the program has checked it with its own model
    assert statuses(plain) == [200, 200, 200]
    if program == INSTRUCTOR:
        assert tool["looked"] == [TEXT]
    else:
        assert tool == {"text": "It is a socket.", "looked": ["it"]}
        assert statuses(tools) == [200, 200]
    assert "error" in interrupted, interrupted
    assert not any(one.finished for one in broken.requests if one.api)
