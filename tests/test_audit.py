"""`hermes-diag audit` and `hermes-diag replay` on factories as users write them, in the interpreters they use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from cells import ran
from conftest import Cli

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Plan
from hermes_diag.judge import audit as audits
from hermes_diag.judge import promises
from hermes_diag.run import payload

FILE = Path(__file__).with_name("factories.py")
#: In the text of what `raises` and `patches` raise.
SECRET = "sk-do-not-print-me"

RIGHT = [
    "right_async", "right_coroutine", "right_injected", "AsyncPool", "Subclass", "instance",
]  # fmt: skip

BREAKS = {
    "adds_to_headers": "kwargs-not-mutated",
    "ReusesClosed": "closed-not-reused",
    "closes_others": "close-spares-others",
    "small_mount": "default-limits",
    "loses_keepalive": "keepalive-on-wire",
    "delays": "nodelay",
    "ignores_proxy": "proxy-honoured",
    "retries_anyway": "max-retries",
    "never_closes": "close-releases",
    "leaves_threads": "close-releases",
    "closes_once": "close-twice",
    "closes_once_async": "close-twice",
    "remembers": "drop-releases",
    "takes_a_key": "kwargs-not-mutated",
    "trusts_anyone": "ca-file-honoured",
    "asks_less_on_the_wire": "default-timeout",
}

#: What differs from the SDK's own client and harms nobody: noted, and held against it only where the SDK's is expected.
CHOOSES = {
    "shares_transport": "clients-separate",
    "hides_a_pool": "clients-separate",
    "impatient": "default-timeout",
    "impatient_async_instance": "default-timeout",
    "small_pool": "default-limits",
    "ignores_no_proxy": "no-proxy-honoured",
    "ignores_ca_file": "ca-file-honoured",
}

#: What the one line says, and the frame that it names ("": none).
DOWN = {
    "raises": ("ValueError while calling the factory", "tests/factories.py"),
    "hangs": ("no return within", "factories.py"),
    "nothing": ("it returned nothing (None), not an OpenAI or AsyncOpenAI client", ""),
    "leaves": ("SystemExit while calling the factory", "factories.py"),
    "leaves_at_once": ("its process ended with exit code 0", ""),
    "imports": ("ModuleNotFoundError of nowhere_to_be_found while calling the factory", "factories.py"),
    "calls_home": ("OutOfReach while calling the factory", "factories.py"),
    "number": ("the name stands for an object of int, which is neither callable nor a client", ""),
}

ODD = ["prints", "forks", "closes_stdout", "starts_daemon", "points_elsewhere"]

#: Kinds of subject that show most; on other interpreters only these.
FEW = ["right_async", "RightPool", "small_mount", "adds_to_headers", "never_closes"]


def interpreters() -> list[str]:
    others = os.environ.get("HERMES_DIAG_WORKER_PYTHONS", "").split(os.pathsep)
    return [name for name in (os.environ.get("HERMES_DIAG_OPENAI3_PYTHON", ""), *others) if name]


NONE = pytest.param("", marks=pytest.mark.skip(reason="needs HERMES_DIAG_WORKER_PYTHONS"))


def audit(cli: Cli, name: str, *options: object) -> tuple[int, dict[str, Any]]:
    done = cli("audit", f"{FILE}:{name}", "--json", *options)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def broken(document: dict[str, Any]) -> list[str]:
    return [row["code"] for row in document["rows"] if row["status"] == "failed"]


def audit_all(names: Iterable[str], python: str = sys.executable) -> dict[str, tuple[int, list[str]]]:
    """Audits of many factories: (exit code, broken promises)."""
    found = {}
    for name, (plan_, evidence) in run_audits(names, python).items():
        report = audits.judge(plan_, evidence)
        found[name] = report.exit_code, [row.code for row in report.rows if row.status == "failed"]
    return found


def run_audits(names: Iterable[str], python: str = sys.executable) -> dict[str, tuple[Plan, list[Evidence]]]:
    """The evidence of many audits in one run, each cell in a process of its own."""
    body = payload.load(None)
    plans = {name: audits.plan(body.info, f"{FILE}:{name}") for name in names}
    seen = ran((cell for plan_ in plans.values() for cell in plan_.cells), python)
    return {name: (plan_, [seen[cell] for cell in plan_.cells]) for name, plan_ in plans.items()}


def test_right_factories_break_nothing() -> None:
    """Sound factories, of whatever kind, are cleared."""
    assert audit_all(RIGHT) == dict.fromkeys(RIGHT, (0, []))


def test_a_broken_promise_is_named_alone() -> None:
    """A factory that breaks one promise is told which, and nothing else is held against it."""
    assert audit_all(BREAKS) == {name: (1, [promise]) for name, promise in BREAKS.items()}


def test_a_choice_is_told_and_held_against_nobody() -> None:
    """What differs from the SDK's own client is a fact with its consequence, unless the SDK's own was expected."""
    for name, (plan_, evidence) in run_audits(CHOOSES).items():
        report = audits.judge(plan_, evidence)
        (row,) = [row for row in report.rows if row.status == "noted"]
        # Behind a transport that hides its pool nobody can see the limits.
        untold = ["default-limits"] if name == "hides_a_pool" else []
        assert [row.code for row in report.rows if row.status == "could not tell"] == untold
        assert (report.exit_code, row.code, bool(row.remedy)) == (3 if untold else 0, CHOOSES[name], True)
        assert ": " in row.seen, "the consequence is told"
        strict = audits.judge(replace(plan_, expect=("sdk-defaults",)), evidence)
        assert (strict.exit_code, [row.code for row in strict.rows if row.status == "failed"]) == (1, [CHOOSES[name]])


def test_a_right_and_a_wrong_one_from_the_shell(cli: Cli) -> None:
    """The command says the same, and its exit code with it."""
    code, document = audit(cli, "right")
    assert (code, broken(document)) == (0, [])
    assert {row["status"] for row in document["rows"]} <= {"passed", "not applicable"}
    code, document = audit(cli, "impatient_async", "--expect", "timeout=600s")
    assert (code, broken(document)) == (1, ["default-timeout"])
    code, document = audit(cli, "impatient_async", "--expect", "timeout=7s")
    assert (code, broken(document)) == (0, [])


def test_every_promise_is_proved_both_ways() -> None:
    """No promise without a factory that breaks it."""
    assert {module.CODE for module in promises.modules()} == {*BREAKS.values(), *CHOOSES.values()}


@pytest.mark.parametrize("python", interpreters() or [NONE])
def test_other_interpreters(python: str) -> None:
    """The same on openai 2.24 and 3.x, on Python 3.9 and 3.13."""
    wanted = {name: (1, [BREAKS[name]]) if name in BREAKS else (0, []) for name in FEW}
    assert audit_all(FEW, python) == wanted


@pytest.mark.skipif("HERMES_DIAG_OPENAI3_PYTHON" not in os.environ, reason="needs HERMES_DIAG_OPENAI3_PYTHON")
def test_other_transports() -> None:
    """An httpx client on openai 3, whose own are httpx2's, and aiohttp's transport are judged like any other."""
    names = ["right_of_the_other_family", "right_aio"]
    assert audit_all(names, os.environ["HERMES_DIAG_OPENAI3_PYTHON"]) == dict.fromkeys(names, (0, []))


def test_the_bug_reports_own_factory(cli: Cli) -> None:
    """The three regression tests that the report asks for are three rows, and they tell buggy from fixed."""
    _, bad = audit(cli, "mutates")
    assert {"kwargs-not-mutated", "clients-separate", "closed-not-reused", "close-spares-others"} <= set(broken(bad))
    good = json.loads(cli("audit", "fixed", "--json").stdout)
    assert broken(good) == []
    asked = {"kwargs-not-mutated", "clients-separate", "default-timeout"}
    assert {row["code"]: row["status"] for row in good["rows"] if row["code"] in asked} == dict.fromkeys(
        asked, "passed"
    )


def test_nothing_is_held_that_was_not_seen(cli: Cli) -> None:
    """Of a client whose every turn fails only what does not need a turn is said to hold."""
    code, document = audit(cli, "hands_out_closed")
    assert code == 1
    assert "its first turn failed" in document["verdict"]
    held = {row["code"] for row in document["rows"] if row["status"] == "passed"}
    assert held == {"kwargs-not-mutated", "default-timeout", "default-limits", "close-twice"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_of_a_factory_that_holds_the_interpreter(how: signal.Signals) -> None:
    """C code that never returns keeps every thread of its process from hearing that the host is gone."""
    command = [sys.executable, "-m", "hermes_diag", "audit", f"{FILE}:holds_the_interpreter"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as host:
        deadline, started = time.monotonic() + 60, []
        while not any(one.is_running() and one.cpu_times().user > 2 for one in started):
            assert time.monotonic() < deadline
            time.sleep(0.1)
            started = psutil.Process(host.pid).children(recursive=True)
        host.send_signal(how)
        host.communicate(timeout=30)
    _, alive = psutil.wait_procs(started, timeout=10)
    assert not alive


def test_the_wire_decides_where_timeouts_disagree(cli: Cli) -> None:
    """httpx's own 5 s in the http_client do not cut the SDK's 600 s: a stalled byte is waited for."""
    _, document = audit(cli, "mutates")
    row = next(row for row in document["rows"] if row["code"] == "default-timeout")
    assert row["status"] == "passed"
    assert "a first byte stalled for 10 s was waited for" in row["seen"]


@pytest.mark.parametrize(
    ("command", "name", "words"),
    [("audit", *one) for one in DOWN.items()]
    + [("replay", name, DOWN[name]) for name in ("raises", "leaves_at_once", "nothing")],
)
def test_a_factory_that_breaks_down(cli: Cli, command: str, name: str, words: tuple[str, str]) -> None:
    """One line that says what and where, exit 3, and no word of what the user's code said."""
    done = cli(*command.split(), f"{FILE}:{name}", "--json", *(["--patience", "2s"] if name == "hangs" else []))
    assert done.returncode == 3
    verdict = json.loads(done.stdout)["verdict"]
    assert words[0] in verdict
    assert words[1].rpartition("/")[2] in verdict
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ODD)
def test_odd_factories_with_good_clients(cli: Cli, name: str) -> None:
    """What a factory does besides is no reason to fail, and nothing of it stays."""
    done = cli("replay", f"{FILE}:{name}", "--turns", "4", "--json")
    document = json.loads(done.stdout)
    assert {cell["name"]: cell["word"] for cell in document["cells"]} == dict.fromkeys(
        ("factory/close/steady", "factory/close/interrupted", "factory/close/overlapping", "fresh"), "ok"
    )
    assert done.returncode == 0
    assert not [process for process in psutil.process_iter(["cmdline"]) if "613" in (process.info["cmdline"] or [])]


def test_a_thread_for_each_client_is_a_leak(cli: Cli) -> None:
    """Threads that never end are counted, and they do not keep the worker from ending."""
    done = cli("replay", f"{FILE}:starts_threads", "--workload", "steady", "--json")
    cell = json.loads(done.stdout)["cells"][0]
    assert done.returncode == 1
    assert cell["word"] == "leaks"
    assert [finding["code"] for finding in cell["findings"] if finding["severity"] == "problem"] == ["threads-grow"]


def test_a_patched_httpx_shows_as_failed_turns(cli: Cli) -> None:
    """A process whose http library was broken is measured like any other; the text of its error is not shown."""
    done = cli("replay", f"{FILE}:patches", "--workload", "steady", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["cells"][0]["word"] == "fails"
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["right_async", "AsyncPool"])
def test_right_factories_under_the_loop(cli: Cli, name: str) -> None:
    """Every kind of subject, sync and async, comes through every workload with nothing left behind."""
    done = cli("replay", f"{FILE}:{name}", "--turns", "5", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 0, document["verdict"]
    words = {cell["name"]: (cell["word"], cell["attempts"]) for cell in document["cells"]}
    assert words["factory/close/steady"] == ("ok", 15)
    assert words["factory/close/interrupted"] == ("ok", 5)
    assert words["factory/close/overlapping"] == ("ok", 15)


def test_the_verdict_is_about_the_factory(cli: Cli) -> None:
    """The historic mutation in the user's own code: the same turns fail, and the verdict names their code."""
    done = cli("replay", f"{FILE}:mutates", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["verdict"].startswith(f"{FILE}:mutates: fails in close/steady")
    counts = {cell["name"]: cell["ok"] + cell["interrupted"] for cell in document["cells"]}
    assert counts == {
        "factory/close/steady": 3, "factory/close/interrupted": 1, "factory/close/overlapping": 1, "fresh": 1,
    }  # fmt: skip
    assert all(claim["status"] == "not tested" for claim in document["claims"])


def test_abandoned_clients_grow(cli: Cli) -> None:
    """--end abandon puts the caller to the test: a fresh client for each turn, given up, leaves its socket."""
    done = cli(
        "replay",
        f"{FILE}:right_async",
        "--end",
        "abandon",
        "--workload",
        "interrupted",
        "--turns",
        "24",
        "--json",
    )
    assert json.loads(done.stdout)["cells"][0]["word"] == "leaks"
    assert done.returncode == 1


def test_a_module_in_another_folder(cli: Cli, tmp_path: Path) -> None:
    """package.module:name is imported from --cwd, with --env; the folder stays as it was."""
    package = tmp_path / "project" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "clients.py").write_text(
        "import os\nfrom openai import OpenAI\nassert os.environ['SHOP'] == 'open'\n\n\n"
        "class Clients:\n    @staticmethod\n    def make(kwargs):\n        return OpenAI(**kwargs)\n"
    )
    before = sorted(tmp_path.rglob("*"))
    done = cli("audit", "shop.clients:Clients.make", "--cwd", package.parent, "--env", "SHOP=open")
    assert done.returncode == 0, done.stdout
    assert "breaks no promise" in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "'nonsense' names no factory"),
        (["./nowhere.py:make"], "there is no file ./nowhere.py"),
        ([f"{FILE}:missing_in_it"], "there is no missing_in_it in"),
        (["a\nb:c"], "'a\\nb:c': 'a\\nb' is neither a module"),
        (["nowhere.at_all:make"], "nowhere.at_all:make: there is no module nowhere.at_all"),
        (["json.nowhere:make"], "there is no module json.nowhere"),
        (["os:make.client"], "there is no make.client in os"),
        (["a b:make"], "is neither a module nor a .py file"),
        (["x:y", "--cwd", "nowhere"], "there is no such folder"),
        (["x:y", "--env", "NOT_SET_ANYWHERE"], "it is not set here"),
        (["x:y", "--env", "=1"], "a variable has no name"),
    ],
)
def test_wrong_usage(cli: Cli, arguments: list[str], words: str) -> None:
    """What cannot name a factory is one line with a cure, exit 2."""
    done = cli("audit", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def make(): pass", "calling the factory: it is called with one argument, the dict client_kwargs"),
        (
            "class make:\n    def __init__(self, a, b): pass\n    acquire = release = None",
            "making the pool: it is called with client_kwargs if it takes an argument, else without",
        ),
    ],
)
def test_what_cannot_be_called_so(cli: Cli, tmp_path: Path, source: str, words: str) -> None:
    """It is said with what it was called."""
    (tmp_path / "c.py").write_text(source)
    done = cli("audit", "./c.py:make", COLUMNS="200")
    assert done.returncode == 3
    assert f"the factory broke: TypeError while {words}" in done.stdout


def test_a_strategy_of_ours_takes_no_environment(cli: Cli) -> None:
    """Options that only a factory of the user's heeds are refused, and a factory has no strategy."""
    done = cli("audit", "buggy", "--env", "X=1", "--cwd", ".")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--cwd and --env: no effect on a strategy of ours" in done.stderr
    assert "No such option: --strategy" in cli("replay", f"{FILE}:right", "--strategy", "fixed").stderr


@pytest.mark.parametrize("columns", ["40", "80", "140"])
def test_terminal(cli: Cli, columns: str) -> None:
    """Rows stay whole at any width."""
    done = cli("audit", "buggy", COLUMNS=columns)
    assert done.returncode == 1
    assert all(len(line) <= int(columns) for line in done.stdout.splitlines())
    assert "buggy breaks 6 of 15 promises" in " ".join(done.stdout.split())
