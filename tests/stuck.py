"""A client that never comes back: runs the real worker with one more strategy in its folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from unittest import mock

from hermes_diag import interpreter, payload, plan, run, session
from hermes_diag.capture import Capture
from hermes_diag.model import Cell, Evidence, Plan

STRATEGY = '''"""Takes a lock twice, as httpcore 1.0.9 does when gc runs inside its pool."""

import threading

from . import fixed

_built = 0
_lock = threading.Lock()


def create_client(sdk, client_kwargs):
    global _built
    _built += 1
    if _built > 2:  # the shared client and one turn work
        _lock.acquire()
        _lock.acquire()
    return fixed.create_client(sdk, client_kwargs)
'''


def run_stuck(folder: Path, capture: Path | None = None) -> tuple[Plan, list[Evidence]]:
    """Run one hanging cell with a patience of one second; (plan, evidence)."""
    gateway = folder / "gateway"
    shutil.copytree(interpreter.GATEWAY, gateway)
    (gateway / "strategies" / "stuck.py").write_text(STRATEGY)
    body = payload.load(None)
    cell = Cell("stuck", "close", "steady", 1, 3, "session", 0, 0.1, 0.1, 0.0, 0)
    plan_ = plan.Plan((cell,), body.info)
    with mock.patch.object(interpreter, "GATEWAY", gateway), mock.patch.object(session, "PATIENCE", 1.0):
        if capture is None:
            under_way = run.Run(plan_, body.wire, sys.executable)
            run.finish(under_way)
        else:
            with capture.open("wb") as file:
                under_way = run.Run(plan_, body.wire, sys.executable, Capture(file, plan_))
                run.finish(under_way)
    return plan_, under_way.evidence()
