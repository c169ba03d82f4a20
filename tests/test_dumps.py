"""Request dumps: one, many, the last; and what they say happened then, beside what happens here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLES, Cli

from hermes_diag.core import redact
from hermes_diag.run import payload

QUICK = ("--turns", 2, "--workload", "steady", "--end", "close")
SAMPLE = next(SAMPLES.glob("request_dump_*.json"))
TOKEN = "sk-planted-5ecre7"


def dump(path: Path, **error: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "timestamp": "2026-11-01T08:00:12.345678",
        "reason": "max_retries_exhausted",
        "request": {"method": "POST", "body": {"model": "gpt-5", "input": "the owl hoots at 4711north"}},
    }
    if error:
        document["error"] = error
    path.write_text(json.dumps(document))
    return path


def home_dump(home: Path, session: str, time: str, **error: object) -> Path:
    return dump(home / "sessions" / f"request_dump_{session}_{time}.json", **error)


def test_then_and_here(cli: Cli, tmp_path: Path) -> None:
    """The class of then is found in the buggy cell, and not in the fixed one or in a fresh process."""
    path = dump(tmp_path / "d.json", type="APIConnectionError", message="Connection error.")
    done = cli("repro", path, *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    (beside,) = json.loads(done.stdout)["dumps"]
    assert beside == {
        "payload": "d.json",
        "then": {
            "at": "2026-11-01T08:00:12.345678",
            "reason": "max_retries_exhausted",
            "error": "APIConnectionError",
            "status": None,
            "message": "Connection error.",
        },
        "same": ["buggy/close/steady"],
        "ok": ["fixed/close/steady", "fresh"],
        "other": [],
    }
    table = cli("repro", path, *QUICK).stdout
    assert "then: APIConnectionError: Connection error." in table
    assert "here: the same in buggy/close/steady" in table


def test_a_status_is_not_a_class(cli: Cli, tmp_path: Path) -> None:
    """A dump of a 429 is not explained by a connection error; under that fault it is."""
    path = dump(tmp_path / "d.json", type="rate_limit_exceeded", status_code=429, message="Slow down")
    (beside,) = json.loads(cli("repro", path, *QUICK, "--json").stdout)["dumps"]
    assert (beside["same"], beside["other"]) == ([], ["buggy/close/steady"])
    under = cli("repro", path, *QUICK, "--strategy", "fixed", "--fault", "http-429", "--json")
    (beside,) = json.loads(under.stdout)["dumps"]
    assert beside["same"] == ["fixed/close/steady/http-429"]


def test_many(cli: Cli, tmp_path: Path) -> None:
    """Each goes through every cell and has a control of its own; two of one name are told apart."""
    one, two = dump(tmp_path / "a" / "d.json", type="X"), dump(tmp_path / "b" / "d.json")
    chat = tmp_path / "chat.json"
    chat.write_text('{"messages": [{"role": "user", "content": "hi"}]}')
    saved = tmp_path / "run.jsonl"
    done = cli("repro", one, two, chat, SAMPLE, *QUICK, "--json", "--save", saved)
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    sources = ["d.json", "d.json (2)", "chat.json", SAMPLE.name]
    words = {cell["name"]: cell["word"] for cell in run["cells"]}
    expected = {
        f"{strategy}/close/steady/{one}": word
        for one in sources
        for strategy, word in (("buggy", "fails"), ("fixed", "ok"))
    }
    assert words == expected | {f"fresh/{one}": "ok" for one in sources} | {"measure": "ok"}
    assert [beside["payload"] for beside in run["dumps"]] == [sources[0], sources[1], sources[3]]
    assert [info["api"] for info in run["plan"]["further"]] == ["responses", "chat", "responses"]
    again = cli("report", saved, "--json")
    assert json.loads(again.stdout) == run
    table = cli("report", saved).stdout
    assert "no error was recorded" in table
    assert max(map(len, table.splitlines())) <= 100


@pytest.mark.parametrize(
    "times",
    [("20261101_080000_000000", "20261101_080000_000001"), ("20251231_235959_999999", "20260101_000000_000000")],
)
def test_the_last_dump(cli: Cli, tmp_path: Path, times: tuple[str, str]) -> None:
    """The newest by its name, whatever the file's own time; of all profiles, or of one."""
    newest = home_dump(tmp_path / "profiles" / "work", "20250101_000000_ffffff", times[1], type="Newest")
    home_dump(tmp_path, "20270101_000000_aaaaaa", times[0], type="Older")
    (tmp_path / "sessions" / "request_dump_odd.json").write_text("{}")
    (tmp_path / "sessions" / "session_x.json").write_text("{}")
    environment = {"HERMES_HOME": str(tmp_path)}
    run = json.loads(cli("repro", "last-dump", *QUICK, "--json", **environment).stdout)
    assert run["plan"]["payload"]["source"] == newest.name
    assert run["dumps"][0]["then"]["error"] == "Newest"
    run = json.loads(cli("repro", "last-dump:work", *QUICK, "--json", **environment).stdout)
    assert run["dumps"][0]["then"]["error"] == "Newest"


def test_no_dump(cli: Cli, tmp_path: Path) -> None:
    """No home, no dump, no such profile, not a dump, unreadable, both: exit 2 and one line that says so."""
    home = tmp_path / "home"
    environment = {"HERMES_HOME": str(home)}

    def refused(*arguments: object) -> str:
        done = cli("repro", *arguments, **environment)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "there is no Hermes home" in refused("last-dump")
    home.mkdir()
    assert "has no request dump" in refused("last-dump")
    assert "has no profile 'x'" in refused("last-dump:x")
    assert "has no request dump" in refused("last-dump", SAMPLE)
    last = home_dump(home, "s", "20261101_080000_000000")
    last.write_text('{"input": "a body, no dump"}')
    assert "is no request dump" in refused("last-dump")
    last.write_text("{")
    assert "is not JSON" in refused("last-dump")
    last.unlink()
    last.mkdir()
    assert "is a directory" in refused("last-dump")
    (home.parent / "last-dump").write_text(SAMPLE.read_text())  # a file of that name is that file
    assert cli("repro", "last-dump", *QUICK, **environment).returncode == 0


@pytest.mark.parametrize("arguments", [["-v"], ["--json"]])
def test_no_secret_of_a_dump_is_shown(cli: Cli, tmp_path: Path, arguments: list[str]) -> None:
    """Not its headers, not what the provider answered, not the prompt that an error quotes, no token."""
    path = dump(
        tmp_path / "d.json",
        type=f"Error.{TOKEN}",
        status_code=401,
        message=f"Incorrect key {TOKEN}: the owl hoots at 4711north\nzweite line",
        body={"message": "response body"},
        response_text="response body",
        request_id="req_5ecre7",
    )
    saved = tmp_path / "run.jsonl"
    done = cli("repro", path, *QUICK, *arguments, "--save", saved)
    assert done.returncode == 0, done.stderr
    assert "Incorrect" in done.stdout
    for text in (done.stdout, done.stderr, saved.read_text()):
        for secret in ("5ecre7", "owl", "hoots", "4711north", "zweite", "response body", "req_"):
            assert secret not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Connection error.", "Connection error."),
        ("Error code: 429 - too many requests", "Error code: 429 - too many requests"),
        ("\n\n  second \n third", "second"),
        ("", ""),
        ("GET https://u:p@api.test:8443/v1/x?key=abc failed", "GET https://api.test:8443 failed"),
        ("bad Authorization: Bearer abc.def", "bad [...]"),
        ("api_key=hunter2 refused", "[...] refused"),
        ("'token': 'hunter2'", "'[...]"),
        ("mail me@example.test", "mail [...]"),
        ("in org-AbCdEf and user_1", "in [...] and [...]"),
        ("id 0123456789abcdef0123456789abcdef", "id [...]"),
        ("eyJhbGciOi.eyJzdWIi.sig", "[...]"),
        ('got "a text of the user\'s that is rather long" there', "got [...] there"),
        ("a\x1b[31mb\u202ec", "a [31mb c"),
    ],
)
def test_redaction(text: str, shown: str) -> None:
    """What looks like a secret goes, what tells the failure stays."""
    assert redact.line(text) == shown


def test_a_long_line_is_cut() -> None:
    """At most 200 characters; a megabyte costs nothing."""
    assert len(redact.line("word " * 1000)) == 200
    assert len(redact.line("a'\"" * 400_000)) <= 200


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "Error code: 400 - {'error': {'message': 'The model does not exist here', 'code': None}}",
            "The model does not exist here",
        ),
        ("Error code: 403 - {'detail': 'Instructions are required'}", "Instructions are required"),
        (f"Error code: 401 - {{'error': {{'message': 'bad key {TOKEN}'}}}}", "bad key [...]"),
        ("Error code: 400 - {'error': ['x']}", "Error code: 400 - {'error': ['x']}"),
        ("Error code: 400 - {" + "[" * 9000, "Error code: 400 - {" + "[" * 178 + "..."),
        ("Error code: 400 - {nonsense", "Error code: 400 - {nonsense"),
    ],
    ids=["message", "detail", "secret", "list", "deep", "nonsense"],
)
def test_the_providers_own_words(tmp_path: Path, message: str, shown: str) -> None:
    """Of the dict that the SDK quotes only its message is shown, redacted as any other."""
    then = payload.load(dump(tmp_path / "d.json", message=message)).info.then
    assert then is not None
    assert then.message == shown


@pytest.mark.parametrize(
    "error", [None, [], "x", {"type": 5, "status_code": "401", "message": ["x"]}, {"status_code": 7}]
)
def test_an_odd_error_is_no_obstacle(tmp_path: Path, error: object) -> None:
    """A dump with an error of another shape is replayed; nothing is shown of it."""
    path = tmp_path / "d.json"
    path.write_text(json.dumps({"request": {"body": {"input": "hi"}}, "error": error}))
    then = payload.load(path).info.then
    assert then is not None
    assert (then.error, then.status, then.message) == ("", None, "")
