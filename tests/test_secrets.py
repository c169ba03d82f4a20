"""A token planted wherever one may be is found in no output and no file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Cli

TOKEN = "sk-planted-5ecre7"


def dump(folder: Path, **body: object) -> Path:
    """A request dump full of the token."""
    path = folder / "request_dump_x.json"
    request = {
        "method": "POST",
        "url": f"https://example.test/v1/responses?key={TOKEN}",
        "headers": {"Authorization": f"Bearer {TOKEN}"},
        "body": {"model": "gpt-5", "input": f"my key is {TOKEN}", **body},
    }
    path.write_text(json.dumps({"request": request, "error": {"message": f"bad key {TOKEN}"}}))
    return path


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"k": TOKEN}, "extra_headers": {"x-api-key": TOKEN, "cookie": TOKEN}},
        # An illegal header: httpx and h11 quote it in the text of their error.
        {"extra_headers": {"x-bad": f"{TOKEN}\n"}},
        {"extra_headers": {f"{TOKEN} x": "1"}},
        # A refused request and a model that no one has.
        {"extra_headers": {"x-hermes-diag-fault": TOKEN}},
        {"model": TOKEN},
        {"extra_body": {"stream_options": TOKEN, TOKEN: 1}},
    ],
    ids=["healthy", "header value", "header name", "refused", "model", "extra body"],
)
def test_nowhere(cli: Cli, tmp_path: Path, body: dict[str, object]) -> None:
    """Not in the table, -v, the JSON document, stderr or the capture."""
    path = dump(tmp_path, **body)
    environment = {"OPENAI_API_KEY": TOKEN, "HTTPS_PROXY": f"http://u:{TOKEN}@127.0.0.1:9", "OPENAI_LOG": "debug"}
    arguments = (path, "--turns", 2, "--workload", "steady")
    for number, extra in enumerate((["-v"], ["--json"])):
        saved = tmp_path / f"{number}.jsonl"
        done = cli("repro", *arguments, *extra, "--save", saved, **environment)
        assert done.returncode in (0, 1), done.stderr
        for text in (done.stdout, done.stderr, saved.read_text()):
            assert TOKEN not in text
