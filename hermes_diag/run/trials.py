"""Runs workloads on one target: Hermes where it is one, else a factory or a turn of the user's, or a strategy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hermes_diag.core import matrix
from hermes_diag.core.errors import CannotMeasure
from hermes_diag.core.plan import Cell, Plan
from hermes_diag.core.text import release
from hermes_diag.core.trials import Trial, Tried
from hermes_diag.hermes import cells as hermes_cells
from hermes_diag.judge import trials as judged
from hermes_diag.run import asked, lanes
from hermes_diag.run.environments.base import PATIENCE
from hermes_diag.run.environments.wanted import Ready
from hermes_diag.run.interpreter import Target
from hermes_diag.run.payload import Payload
from hermes_diag.run.runner import Runner, finish
from hermes_diag.worker.contract import Hello

#: Workloads that show the most: Hermes's own watchdog gives a silent stream up; a user interrupts.
OF_HERMES, OF_OTHERS = "aborted", "interrupted"
#: Turns of that one unless asked: enough to see growth, where the default of a replay is to fill a pool.
_TURNS = 12
_ASK = "import importlib.metadata as m; m.version('hermes-agent')"
Progress = Callable[[Plan], Any]


@dataclass(frozen=True)
class Tasks:
    """What is tried. spec: a strategy of ours or the user's SPEC; "": the default. turns: None: as the workload has."""

    workloads: tuple[str, ...] = ()
    spec: str = ""
    turns: int | None = None

    def plan(self, is_hermes: bool, body: Payload) -> Plan:
        """The cells of one target. Raises CannotMeasure when there is none of those workloads for it."""
        names = self.workloads or (OF_HERMES if is_hermes else OF_OTHERS,)
        known = tuple(hermes_cells.WORKLOADS) if is_hermes else matrix.WORKLOADS
        lacking = [name for name in names if name not in known]
        if lacking:
            whom = "Hermes Agent" if is_hermes else "a factory or a strategy"
            raise CannotMeasure(f"{whom} has no workload {', '.join(lacking)}", f"known: {', '.join(known)}")
        made: tuple[Cell, ...]
        if is_hermes:
            return Plan(hermes_cells.make(names, matrix.Sizes(turns=self.turns), (), mutate=False), body.info)
        sizes = matrix.Sizes(turns=self.turns or (None if self.workloads else _TURNS))
        if self.spec in (*matrix.STRATEGIES, ""):
            made = matrix.make(body.info, (self.spec or "fixed",), ("close",), names, sizes).cells
        else:
            made = matrix.for_factory(body.info, self.spec, (), names, sizes).cells
        return Plan(tuple(cell for cell in made if cell.workload in names), body.info)


@dataclass(frozen=True)
class Measured:
    """A target that was tried. interrupted: by the user."""

    tried: Tried
    interrupted: bool


def measure(ready: Ready, tasks: Tasks, body: Payload, progress: Progress) -> Measured:
    """Run the workloads once. progress: makes the view of a plan under way, a context manager."""
    begun = time.monotonic()
    try:
        plan = tasks.plan(_is_hermes(ready, tasks.spec), body)
        with progress(plan) as view:
            runner = Runner(plan, [body.wire], lanes.interpreters(Target(ready.python)), None, view)
            interrupted = not finish(runner)
    except CannotMeasure as exc:
        return Measured(Tried(ready.named, missing=exc.whole), False)
    evidence = runner.evidence()
    seconds = (time.monotonic() - begun) / len(evidence)
    found: tuple[Trial, ...] = tuple(judged.of(one, seconds) for one in evidence)
    stack = next((one.stack for one in evidence if one.stack), None)
    return Measured(Tried(_named(ready, stack), found, stack), interrupted)


def _named(ready: Ready, stack: Hello | None) -> str:
    """A target by its name; of an interpreter also what it holds."""
    if stack is None or not ready.wanted.python:
        return ready.named
    return f"{ready.named} ({f'Hermes Agent {release(stack.hermes)}' if stack.hermes else f'openai {stack.openai}'})"


def _is_hermes(ready: Ready, spec: str) -> bool:
    if ready.wanted.is_hermes or not ready.wanted.python:
        return ready.wanted.is_hermes
    if spec:
        return False
    try:
        asked.answer([ready.python, "-I", "-c", _ASK], PATIENCE)
    except asked.NoAnswer:
        return False  # if it cannot be started, the worker says why
    return True
