"""A secret planted wherever one may be is found in no output, in no format and in no file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import secrets_planted as planted
from conftest import GOLDEN, Cli
from secrets_planted import PLANTED

from hermes_diag.cli.report import read
from hermes_diag.core import redact
from hermes_diag.reporters import formats

TOKEN = "sk-planted-5ecre7"
LIMITS = {"check": ["--workload", "steady"], "replay": ["--workload", "steady", "--turns", 2], "audit": []}


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
    ("body", "expected"),
    [
        ({"metadata": {"k": TOKEN}, "extra_headers": {"x-api-key": TOKEN, "cookie": TOKEN}}, 0),
        ({"model": TOKEN}, 0),
        ({"extra_body": {"stream_options": TOKEN, TOKEN: 1}}, 0),
        # The SDK's own complaint quotes what it was given.
        ({"extra_body": {"tools": TOKEN}}, 0),
        # Refused beforehand, and not quoted in the refusal.
        ({"extra_headers": {"x-bad": f"{TOKEN}\n"}}, 2),
        ({"extra_headers": {f"{TOKEN} x": "1"}}, 2),
        ({"extra_headers": {"x-hermes-diag-fault": TOKEN}}, 2),
        ({"extra_body": {TOKEN: float("nan")}}, 2),
    ],
    ids=["healthy", "model", "extra body", "tools", "header value", "header name", "reserved header", "nan"],
)
def test_nowhere(cli: Cli, tmp_path: Path, body: dict[str, object], expected: int) -> None:
    """Not in the table, -v, the JSON document, stderr or the capture."""
    path = dump(tmp_path, **body)
    environment = {"OPENAI_API_KEY": TOKEN, "HTTPS_PROXY": f"http://u:{TOKEN}@127.0.0.1:9", "OPENAI_LOG": "debug"}
    arguments = (path, "--turns", 2, "--workload", "steady")
    for number, extra in enumerate((["-v"], ["--json"])):
        saved = tmp_path / f"{number}.jsonl"
        done = cli("repro", *arguments, *extra, "--save", saved, **environment)
        assert done.returncode == expected, done.stderr
        for text in (done.stdout, done.stderr, saved.read_text() if saved.exists() else ""):
            assert TOKEN not in text


# --- twenty-five of them, in real runs ------------------------------------------------------------------


def test_there_are_enough_of_them() -> None:
    """At least 25, no two alike, and what is looked for is a part of what was planted."""
    assert len(PLANTED) >= 25
    assert len(set(planted.NEEDLES.values())) == len(PLANTED)
    assert all(len(needle) > 10 and needle in PLANTED[place] for place, needle in planted.NEEDLES.items())
    assert planted.found(" ".join(PLANTED.values())) == list(PLANTED)


def outputs(folder: Path) -> list[object]:
    """Options for a report in each format that has files; the folder is made."""
    folder.mkdir()
    endings = [format_.ENDING for format_ in map(formats.load, formats.names()) if format_.ENDING]
    return [part for ending in endings for part in ("--output", folder / f"report{ending}")]


def run(cli: Cli, tmp_path: Path, *arguments: object, program: Sequence[object] = (), **environment: str) -> str:
    """All that a judging command says and writes, in every format, and all that `report` makes of its capture."""
    saved = tmp_path / "run.jsonl"
    first, again = tmp_path / "first", tmp_path / "again"
    environment = {**planted.environment(), **environment}
    verbose = [] if arguments[0] == "audit" else ["-v"]  # which shows everything anyway
    done = cli(*arguments, *verbose, "--save", saved, *outputs(first), *program, **environment)
    assert done.returncode in (0, 1, 3), done.stderr
    told = cli("report", saved, "-v", *outputs(again), **environment)
    assert told.returncode in (0, 1, 3), told.stderr
    # Annotations are printed by `check` alone, and can be rendered of any report.
    report, _ = read(saved)
    annotated = formats.load("github").render(report, 120, True)
    files = [saved, *first.iterdir(), *again.iterdir()]
    assert {path.suffix for path in files} >= {".html", ".json", ".jsonl", ".md", ".txt", ".xml"}
    assert len(files) == 11
    written = [path.read_text(errors="replace") for path in files]
    return "\n".join([done.stdout, done.stderr, told.stdout, told.stderr, annotated, *written])


def test_a_run_of_a_request_dump(cli: Cli, tmp_path: Path) -> None:
    """A dump with a secret in each field and in its name; what it is about is still said."""
    text = run(cli, tmp_path, "repro", planted.dump(tmp_path), "--turns", 2, "--workload", "steady")
    assert planted.found(text) == []
    assert "request_dump_" in text
    assert redact.GAP in text


def test_two_dumps_whose_names_are_secrets(cli: Cli, tmp_path: Path) -> None:
    """They are told apart although neither can be named."""
    paths = [planted.dump(tmp_path), tmp_path / f"request_dump_{PLANTED['task']}.json"]
    paths[1].write_text(paths[0].read_text())
    text = run(cli, tmp_path, "repro", *paths, "--turns", 2, "--workload", "steady", "--strategy", "fixed")
    assert planted.found(text) == []
    assert "(2)" in text


@pytest.mark.parametrize("name", ["raises", "carries", "hides", "writes"])
@pytest.mark.parametrize("command", ["replay", "check", "audit"])
def test_a_factory_with_secrets(cli: Cli, tmp_path: Path, command: str, name: str) -> None:
    """One that raises with secrets in its text, one whose clients carry some, one whose turns fail with some, one that
    writes one into the client_kwargs that it is given."""
    (tmp_path / "factory.py").write_text(planted.FACTORIES)
    payload = [planted.dump(tmp_path)] if command == "replay" else []
    more = ["--allow", f"turns-failed:2099-01-01:{PLANTED['reason of an allowance']}"] if command == "check" else []
    arguments = [f"./factory.py:{name}", *payload, *LIMITS[command], *more, "--env", f"GIVEN={PLANTED['--env']}"]
    text = run(cli, tmp_path, command, *arguments, GITHUB_ACTIONS="true" if command == "check" else "")
    assert planted.found(text) == []
    assert f"factory.py:{name}" in text
    if name == "writes" and command == "replay":
        assert f"changed `{redact.GAP}` in the caller's client_kwargs" in text


@pytest.mark.parametrize("command", ["replay", "check", "audit"])
@pytest.mark.parametrize("source", ["FACTORIES", "ELSEWHERE"])
def test_names_of_folders_and_hosts(cli: Cli, tmp_path: Path, command: str, source: str) -> None:
    """The folder of a factory that raises, and the host to which one leads."""
    folder = tmp_path / PLANTED["folder of a file"]
    folder.mkdir()
    (folder / "factory.py").write_text(getattr(planted, source))
    name = "raises" if source == "FACTORIES" else "make"
    arguments = [f"./factory.py:{name}", "--cwd", folder, *LIMITS[command], "--env", f"GIVEN={PLANTED['--env']}"]
    text = run(cli, tmp_path, command, *arguments)
    assert planted.found(text) == []
    assert redact.GAP in text


@pytest.fixture
def process(tmp_path: Path) -> Iterator[int]:
    """A process with secrets in all that an observer could see of it."""
    with planted.process(tmp_path) as pid:
        yield pid


def test_a_look(cli: Cli, tmp_path: Path, process: int) -> None:
    """Title, arguments, environment, SQLite file and thread of a process; the look has them otherwise."""
    text = run(cli, tmp_path, "sockets", process)
    assert planted.found(text) == []
    assert cli("sockets", process, "-v").stdout.count(redact.GAP) >= 3  # process, file and thread


def test_a_watch(cli: Cli, tmp_path: Path, process: int) -> None:
    """Neither its output nor its capture, nor what is made of that."""
    text = run(cli, tmp_path, "sockets", process, "--watch", "--set", "count=3", "--interval", "50ms")
    assert planted.found(text) == []
    saved = (tmp_path / "run.jsonl").read_text()
    assert redact.GAP in saved
    assert '"file ' in saved


def test_a_trace(cli: Cli, tmp_path: Path) -> None:
    """Names of files, threads and tasks that a recorder wrote down."""
    (tmp_path / "program.py").write_text(planted.PROGRAM)
    program = ["--", sys.executable, tmp_path / "program.py", tmp_path]
    text = run(cli, tmp_path, "trace", program=program)
    assert planted.found(text) == []
    assert (tmp_path / "first" / "report.json").read_text().count(redact.GAP) >= 3
    assert "program.py:5 in opens" in text


@pytest.mark.parametrize("command", ["repro", "report", "check"])
def test_refusals(cli: Cli, tmp_path: Path, command: str) -> None:
    """An error names the file or option that is wrong, and not what looks like a secret in it."""
    name = f"{PLANTED['file name of a payload']}.json"
    (tmp_path / name).write_text("{")
    arguments = ["--baseline", name] if command == "check" else [name]
    done = cli(command, *arguments, **planted.environment())
    assert done.returncode == 2
    assert planted.found(done.stdout + done.stderr) == []
    assert redact.GAP in done.stderr


# --- names ---------------------------------------------------------------------------------------------------


#: Those that nobody could tell from an ordinary word are kept out of reports by their place alone.
SHAPELESS = (
    "cookie header", "proxy of the environment", "user of a URL", "query of a URL", "x-api-key header", "extra body",
)  # fmt: skip


@pytest.mark.parametrize("place", [place for place in PLANTED if place not in SHAPELESS])
def test_a_name_that_is_a_secret(place: str) -> None:
    """Whatever surrounds it in a name: a path, an ending, other words."""
    value = PLANTED[place]
    for text in (value, f"/srv/{value}/x.py", f"dump_of_{value}.json", f"worker {value} of pool"):
        assert planted.found(redact.name(text)) == [], text


@pytest.mark.parametrize(
    "text",
    [
        "request_dump_20261127_051233_ab12.json", "/usr/lib/python3.11/site-packages/httpx/_client.py", "python3.11",
        "hermes-gateway", "state.db", "MainThread", "ThreadPoolExecutor-0_0", "asyncio_12", "Task-1234", "kworker/0:1",
        "./keys.py:make_client", "tokens.py:12 in token_of", "user-7.json", "org-chart.md", "gunicorn: worker [app]",
        "/home/anna/src/token_counter/session_2026-11-27T05-53.log", "anon_inode:[eventpoll]", "proj-2",
        "basic_auth.py",
    ],
)  # fmt: skip
def test_an_ordinary_name_stays(text: str) -> None:
    assert redact.name(text) == text


def test_a_capture_written_again(cli: Cli, tmp_path: Path) -> None:
    """What a later release put into it is passed on without what looks like a secret; the rest is as it was."""
    path = GOLDEN / "close-wait-grows.fires.jsonl"
    head, rest = path.read_text().split("\n", 1)
    line = json.dumps({"record": "of-tomorrow", "said": "token=abcdef123456 sk-proj-5ecre7abcdef", "n": [1, "kept"]})
    (tmp_path / "given.jsonl").write_text(f"{head}\n{line}\n{rest}")
    for more in ([], ["--anonymise"]):
        assert cli("report", "given.jsonl", *more, "--output", f"again{len(more)}.jsonl").returncode == 0
        again = [json.loads(one) for one in (tmp_path / f"again{len(more)}.jsonl").read_text().splitlines()]
        assert again[1] == {"record": "of-tomorrow", "said": f"{redact.GAP} {redact.GAP}", "n": [1, "kept"]}
        if not more:
            assert [again[0], *again[2:]] == [json.loads(one) for one in path.read_text().splitlines()]
