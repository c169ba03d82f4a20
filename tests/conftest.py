"""What all tests share: the command as a user runs it, and a guard that nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
SAMPLES = ROOT / "hermes_diag" / "run" / "samples"

# Each client of httpx reads the authorities that it trusts: 20 ms for the list of a system, some thousand times in this
# suite. Nothing here speaks to anybody whom one of them vouches for, so that they have a list of one.
os.environ["SSL_CERT_FILE"] = str(ROOT / "tests" / "authority.pem")

# Where Python is told to keep no bytecode, each of some thousand processes would compile all of hermes-diag anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A suite started in the background inherits an ignored SIGINT or SIGHUP, and so would what the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs hermes-diag in a process of its own, in an empty folder, without a terminal."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "hermes_diag", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **environment},
            timeout=100,
            check=False,
        )
        if "--save" in arguments and done.returncode != 2:
            same_again(tmp_path / str(arguments[arguments.index("--save") + 1]), done)
        return done

    return run


def same_again(saved: Path, done: subprocess.CompletedProcess[str]) -> None:
    """Every capture that a test makes is judged as its run was: exit code, verdict, and findings where they were
    printed as JSON."""
    if not saved.is_file():
        return  # /dev/full and the like
    from hermes_diag.cli import report
    from hermes_diag.reporters.formats import json as document

    again = json.loads(document.line(report.read(saved)[0]))
    assert again["exit_code"] == done.returncode, done.stderr
    if done.stdout.startswith("{"):
        lines = done.stdout.splitlines()  # of a watch the samples come first
        was = json.loads(lines[-1] if lines[0].endswith("}") else done.stdout)
        assert (again["verdict"], again["findings"], again["rows"]) == (was["verdict"], was["findings"], was["rows"])
    elif done.stdout.lstrip().startswith("<") or done.stdout.startswith("#"):
        return  # HTML, JUnit, Markdown
    elif again.get("kind") not in ("look", "trace"):  # whose verdicts are not printed
        assert "".join(again["verdict"].split()) in "".join((done.stdout + done.stderr).split())


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # has just gone
        return False


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaves a child process or an open TCP socket of its own."""
    me = psutil.Process()
    shared = set(me.children(recursive=True))  # of a fixture that serves a whole module
    yield
    left = [child for child in set(me.children(recursive=True)) - shared if runs(child)]
    _, alive = psutil.wait_procs(left, timeout=2)
    assert not alive, f"processes left: {alive}"
    # xdist talks to its workers over pipes, so that any TCP socket is a test's own.
    assert not me.net_connections("tcp"), "TCP sockets left"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI everything that a test needs is installed: there a skip is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("HERMES_DIAG_NO_SKIP") and reporter and reporter.stats.get("skipped") and not exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def target() -> Iterator[Callable[..., int]]:
    """Starts a process of tests/target.py and gives its PID once it has done what it was asked."""
    with ExitStack() as stack:

        def start(*arguments: object) -> int:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(ROOT / "tests" / "target.py"), *map(str, arguments)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            stack.callback(process.communicate)
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            return process.pid

        yield start
