"""A signal is told with the same words and exit code whenever it comes: before the first line of ours has run, in a
command, and behind the last word."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from hermes_diag.reporters import envelope


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [["check", "x.py:make", "--json"], ["repro"], ["trace", "--", "x", "--json"]])
def test_a_signal_before_the_first_word(number: signal.Signals, words: list[str]) -> None:
    """While Python imports what takes it: the same words, document and exit code as later."""
    code = (
        "import os, sys; from hermes_diag import __main__ as begin; from hermes_diag import cli\n"
        f"cli.main = lambda: os.kill(os.getpid(), {int(number)})\nbegin.main()"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "hermes-diag: interrupted\n")
    expected = json.dumps(envelope.failure("", "interrupted", "", 130), separators=(",", ":")) + "\n"
    assert done.stdout == (expected if words[0] == "check" else "")


@pytest.mark.parametrize("before", ["", "signal.signal(signal.SIGTERM, signal.SIG_DFL)"], ids=["soon", "at the end"])
def test_a_signal_behind_the_last_word(before: str) -> None:
    """It changes nothing of the exit code, also when Python has given signals back their own effect."""
    code = (
        "import atexit, os, signal; from hermes_diag import __main__ as begin; from hermes_diag import cli\n"
        "def end(): raise SystemExit(1)\ncli.main = end\n"
        f"atexit.register(lambda: ({before or None}, os.kill(os.getpid(), signal.SIGTERM)))\nbegin.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (1, "")


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "BrokenPipeError(32, 'x')"])
def test_what_a_command_raises_is_told_by_us(raised: str) -> None:
    """And not by the library that reads the command line, which ends without a word, or with 1."""
    code = (
        "import sys; from hermes_diag.cli import faults, main\nfrom hermes_diag import cli\n"
        f"def command(): raise {raised}\nfaults.command = command\nsys.argv[1:] = ['faults']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    expected = (130, "hermes-diag: interrupted\n") if raised == "KeyboardInterrupt" else (3, "")
    assert (done.returncode, done.stderr) == expected


def test_a_signal_while_an_event_loop_is_made() -> None:
    """It waits for the coroutine that takes it: there is no half of a loop, and no coroutine that nobody awaits."""
    code = (
        "import asyncio, gc, os, signal; from hermes_diag.core import interrupts\n"
        "class Loop(asyncio.SelectorEventLoop):\n"
        "    def _make_self_pipe(self):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        super()._make_self_pipe()\n"
        "asyncio.DefaultEventLoopPolicy._loop_factory = Loop\n"
        "async def work():\n"
        "    with interrupts.Interrupts(lambda number: None) as taken:\n"
        "        await asyncio.sleep(0)\n"
        "        return taken.number\n"
        "interrupts.raised()\n"
        "print(interrupts.run(work))\n"
        "print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))\ngc.collect()"
    )
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (f"{int(signal.SIGTERM)}\n[]\n", "", 0)
