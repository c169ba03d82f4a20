"""A secret planted wherever one may be is found in no output, in no format and in no file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import secrets_planted as planted
from conftest import Cli
from secrets_planted import PLANTED

from hermes_diag.core import redact
from hermes_diag.judge import reports
from hermes_diag.reporters import formats
from hermes_diag.run import capture

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


def written(folder: Path) -> str:
    """Everything that a command wrote into its folder."""
    return "\n".join(path.read_text(errors="replace") for path in sorted((folder / "out").iterdir()))


def run(cli: Cli, tmp_path: Path, *arguments: object, **environment: str) -> str:
    """All that a judging command says and writes, in every format."""
    (tmp_path / "out").mkdir()
    endings = [format_.ENDING for format_ in map(formats.load, formats.names()) if format_.ENDING]
    files = [part for ending in endings for part in ("--output", tmp_path / "out" / f"report{ending}")]
    # An audit saves nothing.
    save = [] if arguments[0] == "audit" else ["--save", tmp_path / "out" / "run.jsonl"]
    verbose = [] if arguments[0] == "audit" else ["-v"]
    done = cli(*arguments, *verbose, *files, *save, **{**planted.environment(), **environment})
    assert done.returncode in (0, 1, 3), done.stderr
    texts = [done.stdout, done.stderr, written(tmp_path)]
    assert len(list((tmp_path / "out").iterdir())) == len(endings) + len(save) // 2
    if save:
        report = reports.of(*capture.read(tmp_path / "out" / "run.jsonl"))
        texts += [formats.load(name).render(report, 120, True) for name in formats.names()]
    return "\n".join(texts)


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


@pytest.mark.parametrize("name", ["raises", "carries", "hides"])
@pytest.mark.parametrize("command", ["replay", "check", "audit"])
def test_a_factory_with_secrets(cli: Cli, tmp_path: Path, command: str, name: str) -> None:
    """One that raises with secrets in its text, one whose clients carry some, one whose turns fail with some."""
    (tmp_path / "factory.py").write_text(planted.FACTORIES)
    payload = [planted.dump(tmp_path)] if command == "replay" else []
    more = ["--allow", f"turns-failed:2099-01-01:{PLANTED['reason of an allowance']}"] if command == "check" else []
    arguments = [f"./factory.py:{name}", *payload, *LIMITS[command], *more, "--env", f"GIVEN={PLANTED['--env']}"]
    text = run(cli, tmp_path, command, *arguments, GITHUB_ACTIONS="true" if command == "check" else "")
    assert planted.found(text) == []
    assert f"factory.py:{name}" in text


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
    (tmp_path / "process.py").write_text(planted.PROCESS)
    command = [sys.executable, str(tmp_path / "process.py"), str(tmp_path), PLANTED["argument of a process"]]
    environment = {**os.environ, "KEY": PLANTED["environment of a process"]}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child.pid
        child.communicate()


@pytest.mark.parametrize("form", ["-v", "--json"])
def test_a_look(cli: Cli, process: int, form: str) -> None:
    """Title, arguments, environment, SQLite file and thread of a process; the look has them otherwise."""
    done = cli("sockets", process, form)
    assert done.returncode == 0
    assert planted.found(done.stdout + done.stderr) == []
    assert done.stdout.count(redact.GAP) >= 3  # process, file and thread


@pytest.mark.parametrize("form", ["-v", "--json"])
def test_a_watch(cli: Cli, tmp_path: Path, process: int, form: str) -> None:
    """Neither its output nor its capture, nor what is made of that."""
    saved = tmp_path / "watch.jsonl"
    done = cli("sockets", process, "--watch", "--set", "count=3", "--interval", "50ms", "--save", saved, form)
    texts = [done.stdout, done.stderr, saved.read_text()]
    for other in ("-v", "--json"):
        texts.append(cli("report", saved, other).stdout)
    assert planted.found("\n".join(texts)) == []
    assert redact.GAP in saved.read_text()
    assert "file " in saved.read_text()


@pytest.mark.parametrize("form", ["-v", "--json"])
def test_a_trace(cli: Cli, tmp_path: Path, form: str) -> None:
    """Names of files, threads and tasks that a recorder wrote down."""
    (tmp_path / "program.py").write_text(planted.PROGRAM)
    done = cli("trace", form, "--", sys.executable, tmp_path / "program.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert planted.found(done.stdout + done.stderr) == []
    assert (done.stdout + done.stderr).count(redact.GAP) >= 3
    assert "program.py:5 in opens" in done.stdout + done.stderr


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
