"""Payloads are checked before anything runs, and dumps are repaired for replay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import SAMPLES, Cli

from hermes_diag.core.errors import UsageError
from hermes_diag.run import payload

DUMP = next(SAMPLES.glob("request_dump_*.json"))


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "payload.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("{", "is not JSON"),
        ("{'a': 1}", "line 1 column 2"),
        ("[1]", "a list, not a JSON object"),
        ("null", "null, not a JSON object"),
        ('"hi"', "a string, not a JSON object"),
        ("{}", "neither `input` nor `messages`"),
        ('{"model": "m"}', "neither `input` nor `messages`"),
        ('{"input": null}', "neither `input` nor `messages`"),
        ('{"input": []}', "`input` is empty"),
        ('{"input": ""}', "`input` is empty"),
        ('{"input": 7}', "`input` is a number"),
        ('{"messages": "hi"}', "`messages` is a string"),
        ('{"input": "hi", "model": 5}', "`model` is a number"),
        ('{"input": "hi", "extra_headers": 5}', "`extra_headers` is a number"),
        ('{"input": "hi", "temperature": 1e999}', "NaN or an infinite number"),
        ('{"input": "hi", "temperature": NaN}', "NaN or an infinite number"),
        ('{"input": "\\ud800"}', "half a surrogate pair"),
        ('{"input": "hi", "extra_headers": {"a b": "1"}}', "no header name"),
        ('{"input": "hi", "extra_headers": {"": "1"}}', "no header name"),
        ('{"input": "hi", "extra_headers": {"a": "x\\ny"}}', "cannot be sent in a header"),
        ('{"input": "hi", "extra_headers": {"Content-Length": "3"}}', "sets content-length"),
        ('{"request": {"body": [1]}}', "request.body is a list"),
        ('{"request": {"body": {}}}', "request.body has neither"),
        (b"\xff\xfe{}", "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ('{"input": "hi", "n": ' + "1" * 5000 + "}", "a number is too long"),
    ],
)
def test_bad_payloads_are_refused(tmp_path: Path, text: str | bytes, says: str) -> None:
    """What is wrong and where, before anything runs."""
    with pytest.raises(UsageError, match=r"payload\.json") as caught:
        payload.load(written(tmp_path, text))
    assert says in caught.value.message


def test_the_size_is_of_the_wire(tmp_path: Path) -> None:
    """Bytes of UTF-8, as httpx sends them."""
    loaded = payload.load(written(tmp_path, '{"input": "' + "\u6f22" * 1000 + '"}'))
    assert 3000 < loaded.info.size < 3100


def test_limits_of_size(tmp_path: Path) -> None:
    """A payload of exactly the limit is taken, one byte more is not."""
    path = written(tmp_path, '{"input": "hi"}')
    assert payload.load(path, 15).info.api == "responses"
    with pytest.raises(UsageError, match="more than 14 bytes"):
        payload.load(path, 14)


def test_places_that_are_no_file(tmp_path: Path) -> None:
    """A directory, nothing at all, and a device, which might have no end."""
    with pytest.raises(UsageError, match="is a directory"):
        payload.load(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        payload.load(tmp_path / "none.json")
    with pytest.raises(UsageError, match="it is a device"):
        payload.load(Path("/dev/zero"), 10)


def test_unreadable() -> None:
    """Whatever errno the system gives it is a line (root may open any file, so not by permission)."""
    with pytest.raises(UsageError, match="cannot read"):
        payload.load(Path("/proc/self/mem"))


def test_a_dump_is_repaired() -> None:
    """stream is added, extra_headers become headers, extra_body is lifted into the body."""
    loaded = payload.load(DUMP)
    wire = json.loads(loaded.wire)
    stored = json.loads(DUMP.read_text())["request"]["body"]
    assert loaded.info.kind == "hermes-dump"
    assert wire["headers"] == stored["extra_headers"]
    assert wire["body"]["stream"] is True
    assert wire["body"]["service_tier"] == stored["extra_body"]["service_tier"]
    assert not {"extra_headers", "extra_body"} & wire["body"].keys()
    assert wire["body"]["input"] == stored["input"]


def test_chat_bodies_are_known() -> None:
    """`messages` means Chat Completions."""
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert payload._payload("x", "body", body).info.api == "chat"


def test_samples() -> None:
    """The three shipped samples are what the docs say: tiny, a 60 KB codex turn, a dump."""
    assert payload.load(SAMPLES / "tiny.json").info.size < 100
    turn = payload.load(SAMPLES / "codex_turn.json")
    assert 55_000 < turn.info.size < 65_000
    kinds = {item.get("type", "message") for item in json.loads(turn.wire)["body"]["input"]}
    assert kinds == {"message", "function_call", "function_call_output"}


def test_a_payload_never_shows_its_content() -> None:
    """repr of a payload has no body in it."""
    assert "nightly" not in repr(payload.load(SAMPLES / "codex_turn.json"))


def test_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    """One line and a cure on stderr, nothing on stdout, exit 2."""
    done = cli("repro", written(tmp_path, "{"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("hermes-diag: ")
    assert "Traceback" not in done.stderr
