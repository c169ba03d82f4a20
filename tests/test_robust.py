"""Whatever is pulled out from under it: nothing is left behind, and no verdict comes from half the evidence."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
from cells import ran
from conftest import ROOT, Cli, runs
from custom import run_flawed

from hermes_diag import cli as command_line
from hermes_diag.core import matrix
from hermes_diag.core.plan import Plan
from hermes_diag.judge import verdicts
from hermes_diag.provider.answers import replies
from hermes_diag.run import lanes as lane_sources
from hermes_diag.run import payload, runner
from hermes_diag.run.cell_run import CellRun
from hermes_diag.run.interpreter import Interpreter, Target
from hermes_diag.run.lane import Gone
from hermes_diag.worker.contract import Barrier

COMMAND = [sys.executable, "-m", "hermes_diag", "repro"]
PATIENCE = 30


def until(true: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait for a condition, not for a time."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Everything the host started."""
    return psutil.Process(process.pid).children(recursive=True)


def leaking(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Jobs that hold many connections; a process that ends meanwhile holds none."""

    def count(one: psutil.Process) -> int:
        try:
            return len(one.net_connections("tcp"))
        except psutil.Error:
            return 0

    return [one for one in family(process) if count(one) > 10]


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("records", [0, 1, 40, 400])
def test_a_killed_host_leaves_nothing(tmp_path: Path, records: int) -> None:
    """SIGKILL at any moment, while importing too: within 2 s no process is left and no port listens."""
    saved = tmp_path / "run.jsonl"
    with subprocess.Popen([*COMMAND, "--save", saved], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as host:
        until(lambda: family(host))
        until(lambda: lines(saved) >= records)
        started = family(host)
        host.kill()
        host.wait()
    _, alive = psutil.wait_procs(started, timeout=2)
    assert not any(map(runs, alive))


def test_ctrl_c_prints_what_was_learnt(tmp_path: Path) -> None:
    """SIGINT: the partial table, exit code 130, no traceback, nothing left."""
    saved = tmp_path / "run.jsonl"
    with subprocess.Popen([*COMMAND, "--save", saved], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as host:
        until(lambda: b'"record":"outcome"' in (saved.read_bytes() if saved.exists() else b""))
        started = family(host)
        host.send_signal(signal.SIGINT)
        out, err = host.communicate(timeout=PATIENCE)
    assert host.returncode == 130
    assert b"and does its fix hold?" in out
    assert b"this cell was not finished" in out
    assert b"interrupted" in err
    assert b"Traceback" not in err
    assert not psutil.wait_procs(started, timeout=2)[1]


@pytest.mark.parametrize(
    ("number", "gap"), [(signal.SIGINT, 0), (signal.SIGINT, 0.02), (signal.SIGTERM, 0.001), (signal.SIGHUP, 0.001)]
)
def test_more_than_one_interrupt(tmp_path: Path, number: int, gap: float) -> None:
    """The second and third change nothing: what was learnt is told all the same."""
    saved = tmp_path / "run.jsonl"
    with subprocess.Popen([*COMMAND, "--save", saved], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as host:
        until(lambda: b'"record":"outcome"' in (saved.read_bytes() if saved.exists() else b""))
        started = family(host)
        for _ in range(3):
            host.send_signal(number)
            time.sleep(gap)
        out, err = host.communicate(timeout=PATIENCE)
    assert host.returncode == 130
    assert b"and does its fix hold?" in out
    assert err.decode().splitlines()[-1] == "interrupted: this is what was measured until then"
    assert len(err.splitlines()) == 2, err
    assert not psutil.wait_procs(started, timeout=2)[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_python_imports(tmp_path: Path, number: int) -> None:
    """Before there is anything to tell: one line, and no traceback."""
    (tmp_path / "typer.py").write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "hermes_diag", "--help"]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as host:
        assert host.stdout is not None
        host.stdout.readline()
        host.send_signal(number)
        _, err = host.communicate(timeout=PATIENCE)
    assert (host.returncode, err) == (130, b"hermes-diag: interrupted\n")


def test_an_interrupt_that_python_would_forget() -> None:
    """One that comes while an object is finalised comes again."""
    code = (
        "import signal, time\nfrom hermes_diag.core import interrupts\ninterrupts.raised()\n"
        "class Finalised:\n    def __del__(self): signal.raise_signal(signal.SIGHUP)\n"
        "try:\n    one = Finalised()\n    del one\n    time.sleep(10)\n"
        "except KeyboardInterrupt: print('came')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("came\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_run_leaves_no_folder(tmp_path: Path, number: int) -> None:
    """Also while files are being made in it, as fast as they can be."""
    command = [
        sys.executable,
        "-m",
        "hermes_diag",
        "replay",
        f"{ROOT}/tests/factories.py:right",
        "--workload",
        "recycled",
    ]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as host:
        until(lambda: [*tmp_path.glob("hermes-diag-*/*/bystander-*")])
        host.send_signal(number)
        _, err = host.communicate(timeout=PATIENCE)
    assert host.returncode == 130
    assert not [*tmp_path.iterdir()], err


def test_an_interrupt_in_disguise(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Before Python 3.12 one that comes while a class is being made is a RuntimeError."""

    def interrupted(arguments: list[str]) -> int:
        raise RuntimeError("Error calling __set_name__") from KeyboardInterrupt()

    monkeypatch.setattr(command_line, "run", interrupted)
    with pytest.raises(SystemExit) as left:
        command_line.main()
    assert (left.value.code, capsys.readouterr().err) == (130, "hermes-diag: interrupted\n")


@pytest.mark.parametrize("which", ["job", "lane"])
def test_a_killed_worker_is_no_verdict(tmp_path: Path, which: str) -> None:
    """The cell is named, the exit code is 3, and the other cells are still there."""
    saved = tmp_path / "run.jsonl"
    # Only the starving cell ever holds so many connections; it would wait half a minute for one more.
    arguments = ["--save", saved, "--strategy", "buggy", "--workload", "interrupted", "--timeout", "30"]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as host:
        until(lambda: leaking(host))
        victim = leaking(host)[0] if which == "job" else leaking(host)[0].parent()
        assert victim is not None
        victim.kill()
        out, err = host.communicate(timeout=PATIENCE)
    assert host.returncode == 3
    assert b"could not measure buggy/abandon/interrupted" in out
    assert b"Traceback" not in err


def test_a_worker_that_hangs_is_a_finding_with_its_stack(tmp_path: Path) -> None:
    """A deadlock in the client under test ends as a finding, not as a hung tool."""
    plan, evidence = run_flawed(tmp_path, "stuck")
    report = verdicts.report(plan, evidence)
    (cell,) = report.cells
    assert cell.word == "hangs"
    assert cell.findings[0].code == "worker-hung"
    assert any("stuck.py" in frame for frame in cell.outcome.frames)
    assert report.exit_code == 1


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("", "ended before it could say"),
        ("import sys; sys.exit(3)", "ended before it could say"),
    ],
)
def test_an_interpreter_that_is_none(cli: Cli, tmp_path: Path, script: str, says: str) -> None:
    """Something that runs but is no Python with a worker in it: exit 3 and a cure."""
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{script}'\n")
    fake.chmod(0o755)
    done = cli("repro", "--python", fake)
    assert done.returncode == 3
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_sdk_is_said_with_its_cure(cli: Cli, tmp_path: Path) -> None:
    """Exit 3 and the pip line."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    done = cli("repro", "--python", tmp_path / "bare" / "bin" / "python")
    assert done.returncode == 3
    assert "cannot import the SDK: ModuleNotFoundError: openai" in done.stderr
    assert "-m pip install 'openai>=2.24'" in done.stderr


def test_a_python_that_does_not_exist(cli: Cli) -> None:
    """Wrong usage, one line and a cure."""
    done = cli("repro", "--python", "none/such/python")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no interpreter 'none/such/python'" in done.stderr


def test_too_low_a_descriptor_limit(cli: Cli) -> None:
    """A leak must not end as "too many open files": said before anything runs."""
    command = f"ulimit -n 100; exec '{sys.executable}' -m hermes_diag repro --workload interrupted"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "file descriptors" in done.stderr
    assert "ulimit -n" in done.stderr


def test_a_full_disk_loses_no_result(cli: Cli) -> None:
    """The run goes on, the verdict is printed, and the failure to save is said, and is the exit code."""
    done = cli("repro", "--save", "/dev/full", "--force", "--turns", 2, "--workload", "steady")
    assert "Verdict" in done.stdout
    assert "could not be saved to /dev/full" in done.stderr
    assert done.returncode == 3


def test_a_python_that_prints_at_start(cli: Cli, tmp_path: Path) -> None:
    """What an interpreter says on stdout or stderr never reaches ours."""
    noisy = tmp_path / "python"
    noisy.write_text(f'#!/bin/sh\necho noise; echo noise >&2\nexec "{sys.executable}" "$@"\n')
    noisy.chmod(0o755)
    done = cli("repro", "--python", noisy, "--json", "--turns", 2, "--workload", "steady")
    assert done.stdout.startswith("{")
    assert "noise" not in done.stderr
    assert done.returncode == 0


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    """`| head -1`: no traceback, and the verdict's exit code."""
    with subprocess.Popen([*COMMAND, "--turns", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as host:
        assert host.stdout is not None
        host.stdout.close()
        assert host.stderr is not None
        err = host.stderr.read()
        host.wait(PATIENCE)
    assert err == b""
    assert host.returncode == 0


def test_a_terminal_sees_progress_and_a_pipe_does_not(tmp_path: Path) -> None:
    """The live view is drawn on a terminal only, and leaves stdout alone."""
    leader, follower = pty.openpty()
    arguments = [*COMMAND, "--json", "--workload", "steady", "--turns", "4"]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=follower, env={**os.environ, "TERM": "xterm"}
    ) as host:
        os.close(follower)
        seen = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:  # Linux says EIO when the other end is closed
                break
            if not part:
                break
            seen += part
        os.close(leader)
        out, _ = host.communicate(timeout=PATIENCE)
    assert b"cells" in seen
    assert b"CLOSE_WAIT" in seen
    assert out.startswith(b"{")


def test_a_lane_that_is_killed_with_an_unread_command() -> None:
    """The kernel calls its end a reset; it is gone all the same, however often it is asked."""

    async def main() -> None:
        warm = "responses", b"".join(replies.stream("responses", "gpt-5"))
        async with Interpreter(Target(sys.executable), warm=warm) as worker:
            (lane,) = worker.lanes
            await lane.hello()
            (process,) = psutil.Process(worker._process.pid).children()
            process.suspend()
            await lane.go()
            process.kill()
            for _ in range(2):
                with pytest.raises(Gone):
                    await lane.event()
            assert lane.gone

    asyncio.run(main())


class KilledAtABarrier(CellRun):
    """What runs its first cell is killed just as the host is about to look at it."""

    kill: ClassVar[Callable[[psutil.Process], psutil.Process]]
    done: ClassVar[bool]

    async def _barrier(self, barrier: Barrier) -> None:
        if not KilledAtABarrier.done:
            KilledAtABarrier.done = True
            job = psutil.Process(self._pid)
            KilledAtABarrier.kill(job).kill()
            until(lambda: not job.is_running())
        await super()._barrier(barrier)


@pytest.mark.parametrize(("kill", "lanes"), [(lambda job: job, 1), (lambda job: job.parent(), 2)], ids=["job", "lane"])
def test_who_dies_unheard_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch, kill: Callable[[psutil.Process], psutil.Process], lanes: int
) -> None:
    """That a job or its lane has died is seen by looking at it, before the lane says so or falls silent."""
    monkeypatch.setattr(runner, "CellRun", KilledAtABarrier)
    monkeypatch.setattr(lane_sources, "LANES", lanes)
    monkeypatch.setattr(KilledAtABarrier, "kill", kill, raising=False)
    monkeypatch.setattr(KilledAtABarrier, "done", False, raising=False)
    body = payload.load(None)
    workloads = ("steady", "interrupted", "overlapping")
    made = matrix.make(body.info, ("fixed",), ("close",), workloads, matrix.Sizes(1, 4))
    cells = tuple(cell for cell in made.cells if cell.workload in workloads)
    report = verdicts.report(Plan(cells, body.info), tuple(ran(cells).values()))
    assert sorted(cell.word for cell in report.cells) == ["no result", "ok", "ok"], report.verdict
