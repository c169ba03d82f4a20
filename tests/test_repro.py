"""The whole path: real SDK, real sockets, the bug and the fix, as a user runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLES, Cli
from custom import run_flawed

from hermes_diag.judge import verdicts
from hermes_diag.reporters.formats import terminal

#: Section 1 of the facts, cell by cell: (word, ok + interrupted, errors, CLOSE_WAIT peak and left).
OPENAI_2 = {
    "buggy/close/steady": ("fails", 3, {"APIConnectionError": 21}, 0, 0),
    "buggy/close/interrupted": ("fails", 1, {"APIConnectionError": 100}, 0, 0),
    "buggy/close/overlapping": ("fails", 1, {"APIConnectionError": 15, "ReadError": 2}, 0, 0),
    "buggy/abandon/steady": ("ok", 24, {}, 3, 3),
    "buggy/abandon/interrupted": ("starves", 100, {"APITimeoutError": 1}, 100, 100),
    "buggy/abandon/overlapping": ("ok", 18, {}, 3, 3),
    "fixed/close/steady": ("ok", 24, {}, 0, 0),
    "fixed/close/interrupted": ("ok", 101, {}, 0, 0),
    "fixed/close/overlapping": ("ok", 18, {}, 0, 0),
    "fixed/abandon/steady": ("leaks", 24, {}, 24, 24),
    "fixed/abandon/interrupted": ("leaks", 101, {}, 101, 101),
    "fixed/abandon/overlapping": ("leaks", 18, {}, 18, 18),
    "fresh": ("ok", 1, {}, 0, 0),
}
#: What openai 3 surfaces instead; all else is the same.
OPENAI_3 = {
    **OPENAI_2,
    "buggy/close/steady": ("fails", 3, {"RuntimeError": 21}, 0, 0),
    "buggy/close/interrupted": ("fails", 1, {"RuntimeError": 100}, 0, 0),
    "buggy/close/overlapping": ("fails", 1, {"RuntimeError": 15, "APIConnectionError": 2}, 0, 0),
}
CLAIMS = {
    "the factory mutates the caller's client_kwargs": "reproduced",
    "request clients share one transport": "reproduced",
    "APIConnectionError on tiny prompts": "reproduced",
    "APITimeoutError on tiny prompts": "reproduced",
    "CLOSE_WAIT sockets linger until restart": "partly",
    "a fresh shell works": "reproduced",
    "the injected client cuts the SDK's timeout to 5 s": "not reproduced",
    "the injected client shrinks the connection limits": "reproduced",
}
ONE = ("--strategy", "fixed", "--end", "close", "--workload", "steady")


def document(done: Any) -> dict[str, Any]:
    """The one JSON document on stdout."""
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def outcomes(run: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {
        cell["name"]: (
            cell["word"],
            cell["ok"] + cell["interrupted"],
            cell["errors"],
            cell["close_wait_peak"],
            cell["close_wait_left"],
        )
        for cell in run["cells"]
        if cell["name"] != "measure"
    }


def codes(run: dict[str, Any], cell: str) -> set[str]:
    (found,) = [one for one in run["cells"] if one["name"] == cell]
    return {finding["code"] for finding in found["findings"]}


def test_the_default_run(cli: Cli, tmp_path: Path) -> None:
    """Every cell is as the facts have it, every claim is weighed, and the exit code is 0."""
    saved = tmp_path / "run.jsonl"
    done = cli("repro", "--json", "--save", saved)
    run = document(done)
    assert outcomes(run) == OPENAI_2
    assert {claim["claim"]: claim["status"] for claim in run["claims"]} == CLAIMS
    verdict = "the bug shows as hermes-agent #11070 reports it, and the fix holds"
    assert (run["verdict"], run["status"], done.returncode, done.stderr) == (verdict, "clean", 0, f"saved to {saved}\n")
    assert run["stack"]["openai"].startswith("2.")
    # Both sides: the provider's count of what it sent beside the client's of what it read.
    (cell,) = [one for one in run["cells"] if one["name"] == "fixed/close/interrupted"]
    assert cell["provider"]["events_sent"] == 16 * cell["provider"]["events_read"] == 16 * 101
    assert cell["provider"]["closed_first_by_client"] == 101
    # For people it begins with what was tried, ends with the verdict, and fits 70 lines.
    lines = cli("report", saved, COLUMNS="80").stdout.splitlines()
    assert lines[0].startswith("Is the bug report hermes-agent #11070 true, and does its fix hold?")
    assert lines[-1] == verdict
    assert len(lines) <= 70


def test_psutil_counts_the_same(cli: Cli) -> None:
    """The portable backend, forced, sees what the fast one sees."""
    arguments = ("--workload", "overlapping", "--workload", "steady")
    run = document(cli("repro", "--json", "--set", "backend=psutil", *arguments))
    assert outcomes(run) == {name: cell for name, cell in OPENAI_2.items() if "interrupted" not in name}


def test_findings_of_the_default_run(cli: Cli) -> None:
    """Each rule fires on the buggy cell that shows it and is quiet on fixed/close."""
    run = document(cli("repro", "--json"))
    shared = {"kwargs-mutated", "transport-shared", "limits-shrunk"}
    assert codes(run, "buggy/close/steady") == shared | {"closed-transport-reused"}
    assert codes(run, "buggy/close/overlapping") == shared | {"closed-transport-reused", "stream-killed"}
    assert codes(run, "buggy/abandon/steady") == shared
    assert codes(run, "buggy/abandon/interrupted") == shared | {
        "close-wait-grows",
        "pool-exhausted",
        "stream-abandoned",
    }
    for workload in ("steady", "interrupted", "overlapping"):
        assert codes(run, f"fixed/close/{workload}") == set()
    assert codes(run, "fixed/abandon/steady") == {"close-wait-grows"}
    assert codes(run, "measure") == {"isolation-price"}


def test_on_openai_3(cli: Cli) -> None:
    """The same on httpx2: only the classes that surface differ."""
    python = os.environ.get("HERMES_DIAG_OPENAI3_PYTHON")
    if not python:
        pytest.skip("HERMES_DIAG_OPENAI3_PYTHON names no interpreter with openai 3 (.ci/run makes one)")
    done = cli("repro", "--json", "--python", python)
    run = document(done)
    assert run["stack"]["openai"].startswith("3.")
    assert run["stack"]["http"].startswith("httpx2")
    assert outcomes(run) == OPENAI_3
    assert {claim["claim"]: claim["status"] for claim in run["claims"]} == CLAIMS
    assert done.returncode == 0


def test_on_other_interpreters(cli: Cli) -> None:
    """The worker runs by path wherever there is a Python >= 3.9 with openai >= 2.24."""
    pythons = os.environ.get("HERMES_DIAG_WORKER_PYTHONS")
    if not pythons:
        pytest.skip("HERMES_DIAG_WORKER_PYTHONS names no interpreters (.ci/run makes some)")
    for python in pythons.split(os.pathsep):
        done = cli("repro", "--json", "--python", python, "--workload", "overlapping")
        run = document(done)
        expected = OPENAI_3 if run["stack"]["openai"].startswith("3.") else OPENAI_2
        assert outcomes(run) == {
            name: cell for name, cell in expected.items() if "overlapping" in name or name == "fresh"
        }
        assert done.returncode == 0


def test_an_interpreter_for_each_cell(cli: Cli) -> None:
    """Where nothing can be forked each cell has an interpreter of its own, and the same counts."""
    run = document(cli("repro", "--json", "--set", "start=spawn", "--workload", "steady"))
    assert outcomes(run) == {name: cell for name, cell in OPENAI_2.items() if "steady" in name or name == "fresh"}


def test_retries_never_help_the_buggy_strategy(cli: Cli) -> None:
    """Rebuilding the shared client from the same kwargs brings the closed one back."""
    done = cli("repro", "--json", "--retries", 2, "--workload", "steady", "--end", "close")
    run = document(done)
    buggy, fixed = run["cells"][:2]
    assert (buggy["retries_made"], buggy["retries_helped"]) == (42, 0)
    assert "retries-useless" in codes(run, "buggy/close/steady")
    assert (fixed["retries_made"], fixed["word"]) == (0, "ok")
    assert done.returncode == 0


def test_retries_of_a_starved_pool(cli: Cli) -> None:
    """A retry's rebuild closes the starved pool, and with it every later request."""
    arguments = ("--retries", 1, "--strategy", "buggy", "--end", "abandon", "--workload", "interrupted")
    done = cli("repro", "--json", *arguments)
    assert document(done)["cells"][0]["word"] == "fails"
    assert done.returncode == 0


def test_one_dict_for_the_whole_gateway(cli: Cli) -> None:
    """Then only the very first request works."""
    run = document(cli("repro", "--json", "--set", "scope=gateway", *ONE[2:], "--strategy", "buggy"))
    assert (run["cells"][0]["ok"], run["cells"][0]["errors"]) == (1, {"APIConnectionError": 23})


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.name[:12])
def test_samples_are_replayed(cli: Cli, sample: Path) -> None:
    """Each shipped payload runs through the loop."""
    done = cli("repro", sample, "--json", "--turns", 2, *ONE)
    assert document(done)["plan"]["payload"]["source"] == sample.name
    assert done.returncode == 0


def test_a_chat_payload(cli: Cli, tmp_path: Path) -> None:
    """`messages` goes to Chat Completions, with the same bug."""
    path = tmp_path / "chat.json"
    path.write_text('{"messages": [{"role": "user", "content": "hi"}]}')
    run = document(cli("repro", path, "--json", "--turns", 3, "--workload", "steady", "--end", "close"))
    assert [cell["word"] for cell in run["cells"][:2]] == ["fails", "ok"]


def test_unknown_keys_of_a_body_are_sent_too(cli: Cli, tmp_path: Path) -> None:
    """A body from a newer API than the SDK knows is replayed, not refused."""
    path = tmp_path / "new.json"
    path.write_text('{"input": "hi", "a_key_of_tomorrow": {"x": 1}}')
    assert cli("repro", path, "--turns", 2, *ONE).returncode == 0


def test_idle_close_by_the_clock(cli: Cli) -> None:
    """A real idle time gives the same counts as the ordered one."""
    done = cli("repro", "--json", "--set", "idle-close=0.2", "--end", "abandon", "--workload", "steady")
    assert [cell["close_wait_left"] for cell in document(done)["cells"][:2]] == [3, 24]


def test_a_provider_that_never_closes(cli: Cli) -> None:
    """Then the leak shows as ESTABLISHED connections that grow, and CLOSE_WAIT stays 0."""
    done = cli("repro", "--json", "--set", "idle-close=never", "--end", "abandon", "--workload", "steady")
    run = document(done)
    assert [(cell["word"], cell["close_wait_peak"]) for cell in run["cells"][:2]] == [("ok", 0), ("leaks", 0)]
    assert "established-grows" in codes(run, "fixed/abandon/steady")


def test_too_few_turns_give_no_verdict_on_growth(cli: Cli) -> None:
    """Two idle gaps cannot tell growth from presence, and the verdict says so."""
    run = document(cli("repro", "--json", "--turns", 2, "--end", "abandon", "--workload", "steady"))
    assert [cell["word"] for cell in run["cells"][:2]] == ["too short", "too short"]
    assert "too few idle gaps" in run["verdict"]


@pytest.mark.parametrize(
    ("flaw", "workload", "named"),
    [
        ("astray", "steady", "fixed/close/steady fails (expected: ok)"),
        ("impatient", "steady", "fixed/close/steady ok and timeout-changed (expected: ok)"),
        ("forgetful", "overlapping", "fixed/close/overlapping ok and keepalive-lost (expected: ok)"),
    ],
)
def test_a_fix_that_breaks_a_promise_is_named(tmp_path: Path, flaw: str, workload: str, named: str) -> None:
    """A fixed cell that fails, or that drops the SDK's timeout or the keepalive, makes exit code 1."""
    report = verdicts.report(*run_flawed(tmp_path, flaw, workload, like="fixed"))
    assert report.exit_code == 1
    assert named in report.verdict
    assert "NOT AS PREDICTED" in terminal.render(report, 200, verbose=False)


def test_the_saved_run_prints_the_same(cli: Cli, tmp_path: Path) -> None:
    """`report` judges what `--save` wrote to the same document, and to the same table."""
    saved = tmp_path / "run.jsonl"
    first = cli("repro", "--json", "--turns", 4, "--save", saved)
    again = cli("report", saved, "--json")
    assert document(again) == document(first)
    assert again.returncode == first.returncode == 0
    assert "buggy / close" in cli("report", saved).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--strategy", "odd"),
        ("--sessions", "0"),
        ("--turns", "x"),
        ("--timeout", "0"),
        ("--set", "idle-close=soon"),
        ("--set", "idle-close=1e9"),
        ("--set", "idle-close=0.001"),
        ("--sessions", "101"),
        ("--set", "max-payload=99999999999999999999"),
        ("--set", "backend=lsof"),
        ("--nonsense",),
        ("a.json", "b.json"),
    ],
)
def test_wrong_usage(cli: Cli, arguments: tuple[str, ...]) -> None:
    """Exit 2, nothing on stdout, the option named, no traceback."""
    done = cli("repro", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert arguments[0] in done.stderr or "b.json" in done.stderr
