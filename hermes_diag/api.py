"""Tests of a client factory, from Python: `loop` drives it through the workloads of a gateway, `audit` tries its
promises.

For tests: `check()` of what they return raises AssertionError with the reason. Blocking; may be called
from a test that runs in an event loop of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import sys
from collections.abc import Collection, Coroutine, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermes_diag.core import matrix, text, units
from hermes_diag.core.errors import UsageError
from hermes_diag.core.escape import fields_of
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import FRESH, Plan
from hermes_diag.core.report import AuditReport, CellReport, Finding, RunReport
from hermes_diag.core.status import RowStatus
from hermes_diag.judge import audit as promises_audit
from hermes_diag.judge import verdicts
from hermes_diag.provider import faults as provider_faults
from hermes_diag.provider.blocking import Provider as Provider
from hermes_diag.run import lanes, payload, pythons
from hermes_diag.run.interpreter import Target
from hermes_diag.run.lanes import Source
from hermes_diag.run.runner import Runner


@dataclass(frozen=True)
class Loop:
    """The result of `loop`. `words` are the verdicts of the workloads, by name."""

    report: RunReport

    @property
    def ok(self) -> bool:
        return self.report.exit_code == 0

    @property
    def words(self) -> dict[str, str]:
        return {cell.cell.name.removeprefix("factory/"): cell.word for cell in self.report.cells}

    def check(self) -> None:
        """Raises AssertionError when a turn failed, something was left behind, or it could not be measured."""
        __tracebackhide__ = True
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        report = fields_of(self.report)
        bad = [cell for cell in report.cells if cell.word not in ("ok", "too short")]
        found = {finding.code: finding for cell in bad for finding in cell.findings if finding.severity != "note"}
        return text.lines("\n".join([report.verdict, *map(_counts, report.cells), *map(_told, found.values())]))


def _counts(cell: CellReport) -> str:
    errors = "".join(f", {name} x{count}" for name, count in cell.errors.items())
    left = "not seen" if cell.close_wait_left is None else cell.close_wait_left
    return (
        f"  {cell.cell.name.removeprefix('factory/')}: {cell.word}; {cell.ok + cell.interrupted} of {cell.attempts} "
        f"turns ok{errors}; CLOSE_WAIT left: {left}"
    )


def _told(finding: Finding) -> str:
    return f"  {finding.severity}: {finding.summary}\n    {finding.remedy}{units.cited(finding.reference)}"


@dataclass(frozen=True)
class Audit:
    """The result of `audit`. `broken` are the codes of the promises that do not hold."""

    report: AuditReport

    @property
    def ok(self) -> bool:
        return self.report.exit_code == 0

    @property
    def broken(self) -> tuple[str, ...]:
        return tuple(row.code for row in self.report.rows if row.status == RowStatus.FAILED)

    def check(self) -> None:
        """Raises AssertionError when a promise is broken, or it could not be told whether one holds."""
        __tracebackhide__ = True
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        report = fields_of(self.report)
        rows = [row for row in report.rows if row.status in (RowStatus.FAILED, RowStatus.COULD_NOT_TELL)]
        told = [
            (f"  {row.status}: {row.what}", row.seen, f"{row.why}{units.cited(row.reference)}", f"Fix: {row.remedy}")
            for row in rows
        ]
        return text.lines("\n".join([report.verdict, *("\n    ".join(lines) for lines in told)]))


def loop(
    factory: Any,
    *,
    workloads: Collection[str] = (),
    ends: Collection[str] = (),
    sessions: int | None = None,
    turns: int | None = None,
    retries: int = 0,
    faults: Collection[str] = (),
    python: str = sys.executable,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    in_process: bool = False,
) -> Loop:
    """Drive a factory through turns, interrupts and overlaps, as `hermes-diag repro --factory` does.

    factory: a SPEC, or a callable or class that a fresh interpreter can import from its file; with
    `in_process` any object that a SPEC may name, also a closure or a client. workloads: names of
    the workloads of the replay loop, none for all.

    Raises UsageError for what cannot be driven, CannotMeasure without an SDK.
    """
    for name, number, most in (("sessions", sessions, 100), ("turns", turns, 5000)):
        if number is not None and not 0 < number <= most:
            raise UsageError(f"{name}={number}", f"give a number from 1 to {most}")
    _check("workloads", workloads, matrix.WORKLOADS)
    _check("ends", ends, matrix.ENDS)
    for fault in faults:
        provider_faults.parse(fault)
    body = payload.load(None)
    spec = _shown(factory) if in_process else _spec(factory, cwd)
    sizes = matrix.Sizes(sessions, turns, None, retries)
    made = matrix.for_factory(body.info, spec, tuple(ends), tuple(workloads), sizes, tuple(faults))
    made = Plan(tuple(cell for cell in made.cells if cell.workload != FRESH), body.info)
    source = lanes.ThisProcess(factory) if in_process else _interpreters(python, cwd, env)
    return Loop(verdicts.report(made, _beside(_evidence(made, body.wire, source))))


def audit(
    factory: Any,
    *,
    python: str = sys.executable,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Audit:
    """Try the promises of a factory, as `hermes-diag audit` does. Arguments as for `loop`."""
    body = payload.load(None)
    made = promises_audit.plan(body.info, _spec(factory, cwd))
    source = _interpreters(python, cwd, env)
    return Audit(promises_audit.judge(made, _beside(_evidence(made, body.wire, source))))


def _interpreters(python: str, cwd: str | os.PathLike[str] | None, env: Mapping[str, str] | None) -> Source:
    target = Target(pythons.resolve(python), Path(cwd) if cwd is not None else None, dict(env or {}))
    return lanes.interpreters(target)


async def _evidence(made: Plan, wire: bytes, source: Source) -> list[Evidence]:
    runner = Runner(made, [wire], source)
    await runner.run()
    return runner.evidence()


def _check(name: str, given: Iterable[str], known: tuple[str, ...]) -> None:
    for value in given:
        if value not in known:
            raise UsageError(f"{name}: {value!r} is none of {', '.join(known)}", "check its spelling")


def _beside(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it in a thread: the caller may stand in an event loop. An interrupt of the caller ends it."""
    task: Future[asyncio.Task[Any]] = Future()
    given_up = False  # an interrupt can come in `submit`, too, when nobody can say whether the work has begun

    async def run_() -> Any:
        begun = asyncio.create_task(work)
        task.set_result(begun)
        if given_up:
            begun.cancel()
        return await begun

    with ThreadPoolExecutor(1, "hermes-diag") as pool:
        try:
            future = pool.submit(asyncio.run, run_())
            # Not without a limit of time: the kernel may give a signal to another thread, and then nothing wakes this
            # one, which alone can act on it.
            while not future.done():
                wait((future,), timeout=0.2)
            return future.result()
        except BaseException:
            given_up = True
            if task.done():
                begun = task.result()
                with contextlib.suppress(RuntimeError):  # its loop is closed: it was over
                    begun.get_loop().call_soon_threadsafe(begun.cancel)
            raise


def _spec(factory: Any, cwd: str | os.PathLike[str] | None) -> str:
    """The SPEC of a callable or class. Raises UsageError for one that only this process knows."""
    if isinstance(factory, str):
        return factory
    name = getattr(factory, "__qualname__", "")
    try:
        file = inspect.getsourcefile(factory)
    except TypeError:
        file = None
    if not name or "<" in name or file is None:
        raise UsageError(
            f"{_shown(factory)} cannot be imported by another process",
            "define it at the top of its module, name it as package.module:name, or add in_process=True",
        )
    inside = os.path.relpath(file, cwd)
    return f"{os.path.abspath(file) if inside.startswith('..') else inside}:{name}"


def _shown(factory: Any) -> str:
    if isinstance(factory, str):
        raise UsageError("in_process takes the object itself", "import it, and pass it in the place of its name")
    return str(getattr(factory, "__qualname__", type(factory).__qualname__))
