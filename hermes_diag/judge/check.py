"""A check's cells, and its evidence to rows and a verdict. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hermes_diag.core import conditions, matrix, units
from hermes_diag.core.conditions import Condition
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.leaves import leaves
from hermes_diag.core.plan import AUDIT, Cell, PayloadInfo, Plan
from hermes_diag.core.report import UNTOLD, CellReport, CheckReport, Finding, Place, Row, named
from hermes_diag.core.sockets import ESTABLISHED
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.judge import audit, causes
from hermes_diag.judge.baseline import Baseline
from hermes_diag.judge.settings import METRICS, Allowance, Asked, Settings
from hermes_diag.judge.verdicts import cell as judge_cell
from hermes_diag.judge.verdicts import untold

#: Seconds for a request under a fault, which may be one that never answers.
FAULT_TIMEOUT = 2.0
#: Turns that fail under a fault are the provider's doing; what they leave behind is the factory's.
_EXCUSED = "turns-failed"
#: With a provider that comes to no end, a client that hangs cannot be told from one that still reads.
_HANGS = "worker-hung"
ENDLESS = (
    "comments-only",
    "first-event-then-silence",
    "hold",
    "idle-vanish",
    "long-stream",
    "proxy-slow",
    "proxy-stall",
    "proxy-vanish",
    "slow-events",
    "stall-before-first-event",
    "stall-before-headers",
    "terminal-without-end",
    "throttle",
    "vanish-before-headers",
)
#: What an allowance may excuse: a problem, and what could not be told.
_ALLOWABLE = (RowStatus.FAILED, RowStatus.COULD_NOT_TELL)
ENDS_WELL = "every turn ends well and nothing is left behind"
LEAVES_NOTHING = "whatever a turn's end, nothing is left behind"


def make(payload: PayloadInfo, settings: Settings) -> Plan:
    """The audit's cells and the decisive ones of `repro`, for one run."""
    spec = settings.factory
    cells = [
        matrix.under(_cell(payload, spec, workload, fault), fault)
        for fault in ("", *settings.faults)
        for workload in settings.workloads
    ]
    return Plan((*audit.plan(payload, spec).cells, *cells), payload, expect=settings.expect)


def _cell(payload: PayloadInfo, spec: str, workload: str, fault: str) -> Cell:
    own = leaves("workloads")[workload].constants.get("CHECK", matrix.SIZES[workload])
    sizes = matrix.Sizes(own["sessions"], own["turns"], timeout=FAULT_TIMEOUT if fault else None)
    if spec in matrix.STRATEGIES:
        return matrix.make(payload, (spec,), ("close",), (workload,), sizes).cells[0]
    return matrix.for_factory(payload, spec, (), (workload,), sizes).cells[0]


def judge(
    plan_: Plan,
    evidence: Sequence[Evidence],
    asked: Asked,
    baseline: Baseline | None = None,
    trouble: str = "",
    interrupted: bool = False,
) -> CheckReport:
    """A check with its verdict. baseline: an earlier run. trouble: why the run could not be made at all."""
    found = tuple(_allowed(row, asked.allow) for row in rows(evidence, asked.fail_on, plan_.expect))
    notes = (*audit.slow(evidence), *_unused(found, asked.allow))
    better: tuple[str, ...] = ()
    if baseline is not None:
        before = rows(baseline.comparable(plan_.cells), asked.fail_on, plan_.expect)
        compared = baseline.compare(found, before, plan_.cells)
        found, better, notes = compared.rows, compared.better, (*notes, *compared.notes)
    verdict, status = _verdict(asked.factory, found)
    if trouble:
        verdict, status = f"could not measure {asked.factory}: {trouble}", Status.COULD_NOT_TELL
    if interrupted:
        verdict = f"interrupted: {verdict}"
    return CheckReport(
        command="check",
        subject=asked.factory,
        status=status,
        verdict=verdict,
        stack=next((one.stack for one in evidence if one.stack), None),
        rows=found,
        findings=audit.findings(found),
        interrupted=interrupted,
        evidence=tuple(one for one in evidence if one.cell.workload != AUDIT),
        defined=_defined(asked.factory, evidence),
        settings=asked.sources,
        better=better,
        notes=notes,
    )


def _defined(spec: str, evidence: Sequence[Evidence]) -> Place | None:
    """Where the worker says that the factory is defined; if it could not be imported, the file that SPEC names."""
    said = next((place for one in evidence if (place := one.facts.get("defined"))), None)
    if said:
        return Place(**said)
    file, _, name = spec.rpartition(":")
    return Place(file, None) if file.endswith(".py") and name else None


# --- rows --------------------------------------------------------------------------------------------


def rows(
    evidence: Sequence[Evidence], fail_on: Sequence[Condition] = (), expect: tuple[str, ...] = ()
) -> tuple[Row, ...]:
    """A row for each promise, for each workload or each problem found in it, and for each condition."""
    parts = [one for one in evidence if one.cell.workload == AUDIT]
    loads = [one for one in evidence if one.cell.workload != AUDIT]
    audited = _promises(parts, expect) if len(parts) == len(audit.PARTS) else ()
    return (*audited, *(row for one in loads for row in _workload(one)), *_conditions(loads, fail_on))


def _promises(parts: Sequence[Evidence], expect: tuple[str, ...]) -> Iterable[Row]:
    plan_ = Plan(tuple(one.cell for one in parts), PayloadInfo("", "", "", 0), expect=expect)
    report = audit.judge(plan_, parts)
    contract = next(one for one in parts if one.cell.audit == "contract")
    if audit.is_turn(contract):
        return
    if not report.rows:
        what = "the factory can be audited"
        hangs = report.status == Status.FAILING
        status, code = (RowStatus.FAILED, "worker-hung") if hangs else (RowStatus.COULD_NOT_TELL, "")
        yield Row("promise", AUDIT, code, what, status, report.verdict)
    if report.rows and (chain := contract.facts["first_turn"]):
        seen = f"it raised {' <- '.join(chain)}"
        yield Row("promise", "first-turn", "", "a first turn is answered", RowStatus.FAILED, seen)
    yield from report.rows


def _workload(evidence: Evidence) -> Iterable[Row]:
    name, what = workload(evidence.cell), LEAVES_NOTHING if evidence.cell.fault else ENDS_WELL

    def row(status: RowStatus, seen: str) -> Row:
        return Row("workload", name, "", what, status, seen)

    cell = judge_cell(evidence)
    if wants := causes.out_of_reach(evidence) or causes.short_of(evidence):
        yield row(RowStatus.COULD_NOT_TELL, wants)
        return
    problems = [one for one in cell.findings if one.severity == "problem"]
    endless = re.split("[=:]", evidence.cell.fault)[0] in ENDLESS
    if evidence.cell.fault:
        problems = [one for one in problems if one.code != _EXCUSED and not (endless and one.code == _HANGS)]
    for one in problems:
        failed = row(RowStatus.FAILED, _seen(cell, one))
        yield replace(failed, code=one.code, remedy=one.remedy, reference=one.reference, numbers=one.numbers)
    for one in cell.findings:
        if one.severity == UNTOLD:
            yield replace(row(RowStatus.NOTED, f"{UNTOLD}: {one.summary}"), code=one.code, remedy=one.remedy)
    if endless and evidence.outcome.how == "hung":
        seen = f"{evidence.outcome.detail}: under this fault it may be the provider that comes to no end"
        yield row(RowStatus.COULD_NOT_TELL, seen)
    elif cell.word in ("no result", "too short"):
        yield row(RowStatus.COULD_NOT_TELL, untold(cell) or "too few idle gaps to tell growth")
    elif not problems:
        yield row(RowStatus.PASSED, _counts(cell))


def workload(cell: Cell) -> str:
    """A cell by its workload and fault."""
    return f"{cell.workload}/{cell.fault}" if cell.fault else cell.workload


def _seen(cell: CellReport, finding: Finding) -> str:
    causes = [one.code for one in cell.findings if one.severity == "cause"]
    return finding.summary + (f" (with it: {', '.join(causes)})" if causes else "")


def _counts(cell: CellReport) -> str:
    failed = sum(cell.errors.values())
    well = f"{cell.ok + cell.interrupted} of {cell.attempts} turns ended well"
    return f"{well}{' (the fault ended the others)' if failed else ''}, CLOSE_WAIT {cell.close_wait_left} at the end"


def _conditions(loads: Sequence[Evidence], fail_on: Sequence[Condition]) -> Iterable[Row]:
    for condition in fail_on:
        row = Row("condition", condition.text, "", METRICS[condition.name], RowStatus.PASSED, "")
        values = {workload(one.cell): _value(condition.name, one) for one in loads}
        known = {cell: value for cell, value in values.items() if value is not None}
        if not known:
            seen = "no snapshot was taken of a workload"
            yield replace(row, status=RowStatus.COULD_NOT_TELL, seen=seen)
            continue
        held = [cell for cell, value in known.items() if conditions.holds(condition.op, value, condition.number)]
        shown = max(held or known, key=lambda cell: known[cell])
        unknown = RowStatus.COULD_NOT_TELL if len(known) < len(values) else RowStatus.PASSED
        status = RowStatus.FAILED if held else unknown
        yield replace(row, status=status, seen=f"{known[shown]} in {shown}", numbers={"value": known[shown]})


def _value(metric: str, evidence: Evidence) -> int | None:
    cell = judge_cell(evidence)
    if cell.word == "no result":
        return None
    if metric == "close_wait_left":
        return cell.close_wait_left
    if metric == "close_wait_peak":
        return cell.close_wait_peak
    gaps = evidence.idle()
    return gaps[-1].states.get(ESTABLISHED, 0) if gaps else None


# --- the verdict -------------------------------------------------------------------------------------


def _allowed(row: Row, allow: Sequence[Allowance]) -> Row:
    for one in allow:
        if row.status in _ALLOWABLE and row.code == one.finding:
            return replace(row, status=RowStatus.ALLOWED, note=f"allowed until {one.expires}: {one.reason}")
    return row


def _unused(found: Sequence[Row], allow: Sequence[Allowance]) -> Iterable[str]:
    met = {row.code for row in found if row.status == RowStatus.ALLOWED}
    for one in allow:
        if one.finding not in met:
            yield f"the allowance of {one.finding} is not needed any more: nothing fails on it; remove it"


def _verdict(spec: str, found: Sequence[Row]) -> tuple[str, Status]:
    """A failure is a result, whatever else could not be told."""
    failed, untold = named(found, RowStatus.FAILED), named(found, RowStatus.COULD_NOT_TELL)
    unknown = f"could not tell {', '.join(untold)}" if untold else ""
    if failed:
        number = units.count(len(failed), "problem")
        return "; ".join(filter(None, (f"{spec}: {number}: {', '.join(failed)}", unknown))), Status.FAILING
    if untold:
        first = next(row for row in found if row.status == RowStatus.COULD_NOT_TELL)
        return f"{spec}: {unknown}: {first.seen}", Status.COULD_NOT_TELL
    tried = {kind: len({row.name for row in found if row.kind == kind}) for kind in ("promise", "workload")}
    spared, noted = (
        [f"{len(names)} {status}" for status in statuses if (names := named(found, status))]
        for statuses in ((RowStatus.ALLOWED, RowStatus.KNOWN), (RowStatus.NOTED,))
    )
    counts = [units.count(tried["promise"], "promise"), units.count(tried["workload"], "workload"), *spared, *noted]
    return f"{spec}: {'no more problems' if spared else 'no problem'}: {', '.join(counts)}", Status.CLEAN
