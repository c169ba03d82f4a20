"""The command line in the process of a test: it costs a hundredth of a process of its own."""

from __future__ import annotations

import signal
import sys

import pytest

from hermes_diag import cli


def run(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> int:
    """The exit code; what it prints is for capfd."""
    monkeypatch.setattr(sys, "argv", ["hermes-diag", *arguments])
    before = signal.getsignal(signal.SIGTERM)
    try:
        cli.main()
    except SystemExit as exc:
        return int(exc.code or 0)
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0
