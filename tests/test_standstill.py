"""Who was stopped meanwhile is not accused: a cell that stood still is run again, or says nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, Cli
from test_robust import until

from hermes_diag.core import matrix, pulse
from hermes_diag.core.evidence import Outcome, Repeated, Standstill
from hermes_diag.core.sockets import SocketRow
from hermes_diag.judge import standstill, verdicts
from hermes_diag.run import capture, payload
from hermes_diag.run.standstill import is_stopped
from hermes_diag.watch.records import Ended, Look, Process, Watched
from hermes_diag.watch.timeline import Timeline
from hermes_diag.watch.tracker import Tracker
from hermes_diag.worker.contract import TurnDone

FACTORY = f"{ROOT / 'tests' / 'factories.py'}:right"
#: Turns that may take two seconds each.
SLOW = ["replay", FACTORY, "--workload", "steady", "--sessions", "1", "--timeout", "2", "--turns"]


class Clocks:
    """What the system would say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monotonic, self.used, self.asleep, self.wall = 100.0, 1.0, 0.0, 1e9
        monkeypatch.setattr(pulse.time, "monotonic", lambda: self.monotonic)
        monkeypatch.setattr(pulse.time, "process_time", lambda: self.used)
        monkeypatch.setattr(pulse.time, "clock_gettime", lambda clock: self.monotonic + self.asleep)
        monkeypatch.setattr(pulse.time, "time", lambda: self.wall + self.monotonic + self.asleep)


def test_a_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A late beat of a process that did nothing is a standstill; one that computed, or is a little late, is none."""
    clocks = Clocks(monkeypatch)
    one = pulse.Pulse()
    clocks.monotonic += 0.3
    assert one.beat(due=100.25) == 0.0
    clocks.monotonic += 12
    assert one.beat(due=100.5) == 11.8
    clocks.monotonic, clocks.used = clocks.monotonic + 5, clocks.used + 4.9
    assert one.beat(due=clocks.monotonic - 4.75) == 0.0, "busy, and not stopped"
    clocks.asleep += 3600
    assert one.beat(due=clocks.monotonic) == 3600, "the machine slept, which its monotonic clock does not show"
    assert one.stepped() == 0.0
    clocks.wall -= 7200
    assert (one.stepped(), one.stepped()) == (-7200, 0.0)


def test_only_what_went_wrong_is_spoilt() -> None:
    """A cell that is well counts, however long it stood still; one that failed without a standstill counts, too."""
    body = payload.load(None)
    cell = matrix.for_factory(body.info, "c:make", (), ("steady",), matrix.Sizes(1, 4)).cells[0]
    failed = [
        TurnDone(1, turn, 1, "error", 0, 2000.0, None, 1, ("openai.APITimeoutError", "httpx.ReadTimeout"))
        for turn in range(1, 5)
    ]
    for turns, stood, expected in (
        (failed, (), ""),
        (failed, (Standstill(3.0, 11.84, "run"),), "the run stood still for 11.8 s"),
        (failed, (Standstill(3.0, 3600.0, "clock"),), "the clock was set by 3,600.0 s"),
    ):
        evidence = capture.collect(cell, [*turns, *stood, Outcome("done")])
        assert standstill.spoilt(evidence) == expected
    spoilt = capture.collect(cell, [*failed, Standstill(3.0, 2.0, "worker"), Repeated("x"), Outcome("died", "x")])
    assert (spoilt.turns, spoilt.standstills, spoilt.repeated) == ((), (), (Repeated("x"),))
    assert (verdicts.cell(spoilt).word, verdicts.cell(spoilt).missing) == ("no result", "x")
    assert capture.collect(cell, capture.records_of(spoilt)) == spoilt


@pytest.mark.parametrize("who", ["host", "job"])
def test_a_pause_accuses_nobody(tmp_path: Path, who: str) -> None:
    """Stopped for longer than a turn may take: the cell is run again, the verdict is the right one, and it is said."""
    saved = tmp_path / "run.jsonl"
    command = [
        sys.executable,
        "-m",
        "hermes_diag",
        *SLOW,
        "2",
        "--fault",
        "stall-before-headers=1500ms",
        "--save",
        saved,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as host:
        until(lambda: saved.exists() and b'"record":"turn","cell":"factory' in saved.read_bytes())
        time.sleep(0.5)  # the next turn waits for its answer
        stopped = psutil.Process(host.pid)
        if who == "job":
            stopped = max(stopped.children(recursive=True), key=lambda one: len(one.parents()))
        stopped.suspend()
        time.sleep(1.8)
        stopped.resume()
        out, err = host.communicate(timeout=60)
    assert host.returncode == 0, out + err
    said = "the run stood still for" if who == "host" else "the worker was stopped for"
    assert ("was run again" in err and said in err) or who == "job", err
    assert b'"standstill"' in saved.read_bytes()
    assert "Traceback" not in err


def test_who_really_fails_is_still_accused(cli: Cli) -> None:
    """The same without a pause, and with an answer that comes too late: exit 1, and nothing is run again."""
    done = cli(*SLOW, 1, "--fault", "stall-before-headers=4s")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "run again" not in done.stderr


def test_a_process_that_is_stopped() -> None:
    """Seen from outside, also through the process between it and us."""
    inner = "import time; print(flush=True); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = psutil.Process(parent.pid).children()
        seen = []
        for who in (None, child, psutil.Process(parent.pid)):
            if who:
                who.suspend()
                until(lambda who=who: who.status() == psutil.STATUS_STOPPED)
            seen.append(is_stopped(child.pid))
            if who:
                who.resume()
        for one in (child, parent):
            one.kill()
    assert seen == [False, True, True]
    assert not is_stopped(os.getpid())


def test_a_stopped_process_is_not_called_steady(cli: Cli, target: Callable[..., int]) -> None:
    """Nothing could happen in it: exit 3, and why."""
    pid = target("idle", 2)
    os.kill(pid, signal.SIGSTOP)
    try:
        done = cli("sockets", pid, "--watch", "--interval", "200ms", "--duration", "1s")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode == 3, done.stdout
    assert "nothing could happen for" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("still", "said"), [(0.0, True), (11.5, False)])
def test_nobody_reads_while_stopped(still: float, said: bool) -> None:
    """What waited to be read while the process was stopped is not left behind."""
    timeline, tracker = Timeline(Watched(1, "x", 0.0, 0.0, 1.0, "sock_diag", "")), Tracker()
    for at, stood, size in ((0.0, 0.0, 9), (28.0, 0.0, 10), (40.0, still, 10)):
        unread = SocketRow("CLOSE_WAIT", ("10.0.0.1", 7), ("9.9.9.1", 443), 1, None, 5, recv_q=size * 1000)
        one = Process(1, "x", 0.0, threads=1, rss=1, fds=5, soft_limit=1000)
        seen = Look(0.0, (one,), (unread,), (), (), frozenset(), (), "sock_diag", "")
        timeline.add(tracker.tick(seen, at, 0.0, stood))
    assert ("left behind" in timeline.summary(Ended("done")).verdict) is said


@pytest.mark.parametrize("by", [-7200, 7200])
@pytest.mark.parametrize("what", ["run", "watch"])
def test_a_clock_that_is_set(cli: Cli, target: Callable[..., int], what: str, by: int) -> None:
    """No verdict and no wait rests on it."""
    environ = {
        "PYTHONPATH": str(ROOT / "tests" / "clock_jump"),
        "CLOCK_JUMP_AT": f"{time.monotonic() + 1.0:.3f}",
        "CLOCK_JUMP_BY": str(by),
    }
    watch = ("sockets", target("idle", 2), "--watch", "--interval", "100ms", "--duration", "2s")
    begun = time.monotonic()
    done = cli(*(watch if what == "watch" else [*SLOW, "2"]), **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - begun < 30
    assert "7,200" not in done.stdout
