"""A check's cells, and its evidence to rows and a verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hermes_diag.core import matrix
from hermes_diag.core.errors import COULD_NOT_MEASURE, INTERRUPTED, OK, PROBLEM
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.leaves import leaves
from hermes_diag.core.plan import AUDIT, Cell, PayloadInfo, Plan
from hermes_diag.core.report import (
    ALLOWED,
    FAILED,
    KNOWN,
    NOT_APPLICABLE,
    PASSED,
    UNKNOWN,
    CellReport,
    CheckReport,
    CheckRow,
    Finding,
    Place,
)
from hermes_diag.core.sockets import ESTABLISHED
from hermes_diag.judge import audit, promises
from hermes_diag.judge.baseline import Baseline, spec_of
from hermes_diag.judge.settings import LIMITS, Allowance, Settings
from hermes_diag.judge.verdicts import cell as judge_cell

_OF_PROMISES = {
    promises.HELD: PASSED,
    promises.BROKEN: FAILED,
    promises.NOT_APPLICABLE: NOT_APPLICABLE,
    promises.UNKNOWN: UNKNOWN,
}
#: Seconds for a request under a fault, which may be one that never answers.
FAULT_TIMEOUT = 2.0
#: Turns that fail under a fault are the provider's doing; what they leave behind is the factory's.
_EXCUSED = "turns-failed"
#: A provider that sends for ever holds any client, and cannot be told from a client that hangs.
_ENDLESS = "worker-hung"
ENDS_WELL = "every turn ends well and nothing is left behind"
LEAVES_NOTHING = "whatever a turn's end, nothing is left behind"


def make(payload: PayloadInfo, settings: Settings) -> Plan:
    """The audit's cells and the decisive ones of `repro`, for one run."""
    spec = settings.factory
    cells = [
        replace(_cell(payload, spec, workload, fault), fault=fault)
        for fault in ("", *settings.faults)
        for workload in settings.workloads
    ]
    return Plan((*audit.plan(payload, spec).cells, *cells), payload)


def _cell(payload: PayloadInfo, spec: str, workload: str, fault: str) -> Cell:
    own = leaves("workloads")[workload].constants.get("CHECK", matrix.SIZES[workload])
    sizes = matrix.Sizes(own["sessions"], own["turns"], timeout=FAULT_TIMEOUT if fault else None)
    if spec in matrix.STRATEGIES:
        return matrix.make(payload, (spec,), ("close",), (workload,), sizes).cells[0]
    return matrix.for_factory(payload, spec, (), (workload,), sizes).cells[0]


def judge(
    plan_: Plan,
    evidence: Sequence[Evidence],
    settings: Settings,
    baseline: Baseline | None = None,
    trouble: str = "",
    interrupted: bool = False,
) -> CheckReport:
    """A check with its verdict. baseline: an earlier run. trouble: why the run could not be made at all."""
    found = tuple(_allowed(row, settings.allow) for row in rows(evidence, settings.limits))
    notes = tuple(_unused(found, settings.allow))
    better: tuple[str, ...] = ()
    if baseline is not None:
        before = rows(baseline.comparable(plan_.cells), settings.limits)
        compared = baseline.compare(found, before, plan_.cells)
        found, better, notes = compared.rows, compared.better, (*notes, *compared.notes)
    verdict, exit_code = _verdict(settings.factory, found)
    if trouble:
        verdict, exit_code = f"could not measure {settings.factory}: {trouble}", COULD_NOT_MEASURE
    if interrupted:
        verdict, exit_code = f"interrupted: {verdict}", INTERRUPTED
    return CheckReport(
        spec=settings.factory,
        defined=_defined(settings.factory, evidence),
        stack=next((one.stack for one in evidence if one.stack), None),
        rows=found,
        settings=tuple(settings.sources()),
        better=better,
        notes=notes,
        verdict=verdict,
        exit_code=exit_code,
    )


def again(plan_: Plan, evidence: Sequence[Evidence]) -> CheckReport:
    """The check of a capture: without its limits and allowances, which are not in it."""
    return judge(plan_, evidence, Settings(factory=spec_of(plan_.cells[0])))


def _defined(spec: str, evidence: Sequence[Evidence]) -> Place | None:
    """Where the worker says that the factory is defined; if it came to no import, the file that the spec names."""
    said = next((place for one in evidence if (place := one.facts.get("defined"))), None)
    if said:
        return Place(**said)
    file, _, name = spec.rpartition(":")
    return Place(file, None) if file.endswith(".py") and name else None


# --- rows --------------------------------------------------------------------------------------------


def rows(evidence: Sequence[Evidence], limits: Mapping[str, int]) -> tuple[CheckRow, ...]:
    """A row for each promise, for each workload or each problem found in it, and for each limit."""
    parts = [one for one in evidence if one.cell.workload == AUDIT]
    loads = [one for one in evidence if one.cell.workload != AUDIT]
    audited = _promises(parts) if len(parts) == len(audit.PARTS) else ()
    return (*audited, *(row for one in loads for row in _workload(one)), *_limits(loads, limits))


def _promises(parts: Sequence[Evidence]) -> Iterable[CheckRow]:
    report = audit.judge(Plan(tuple(one.cell for one in parts), PayloadInfo("", "", "", 0)), parts)
    if not report.rows:
        yield CheckRow("promise", AUDIT, "", "the factory can be audited", UNKNOWN, report.verdict, "", "")
    contract = next(one for one in parts if one.cell.audit == "contract")
    if report.rows and (chain := contract.facts["first_turn"]):
        seen = f"it raised {' <- '.join(chain)}"
        yield CheckRow("promise", "first-turn", "", "a first turn is answered", FAILED, seen, "", "")
    for row in report.rows:
        status = _OF_PROMISES[row.status]
        yield CheckRow("promise", row.code, row.code, row.promise, status, row.seen, row.why, row.reference)


def _workload(evidence: Evidence) -> Iterable[CheckRow]:
    name, what = workload(evidence.cell), LEAVES_NOTHING if evidence.cell.fault else ENDS_WELL
    cell = judge_cell(evidence)
    problems = [one for one in cell.findings if one.severity == "problem"]
    if evidence.cell.fault:
        problems = [one for one in problems if one.code not in (_EXCUSED, _ENDLESS)]
    for one in problems:
        yield CheckRow(
            "workload", name, one.code, what, FAILED, _seen(cell, one), one.remedy, one.reference, one.numbers
        )
    if evidence.cell.fault and evidence.outcome.how == "hung":
        seen = f"{evidence.outcome.detail}: under this fault it may be the provider that comes to no end"
        yield CheckRow("workload", name, "", what, UNKNOWN, seen, "", "")
    elif cell.word in ("no result", "too short"):
        yield CheckRow("workload", name, "", what, UNKNOWN, cell.missing or "too few idle gaps to tell growth", "", "")
    elif not problems:
        yield CheckRow("workload", name, "", what, PASSED, _counts(cell), "", "")


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


def _limits(loads: Sequence[Evidence], limits: Mapping[str, int]) -> Iterable[CheckRow]:
    for name, most in limits.items():
        values = {workload(one.cell): _value(name, one) for one in loads}
        known = {cell: value for cell, value in values.items() if value is not None}
        what = f"{LIMITS[name]}: at most {most}"
        if not known:
            yield CheckRow("limit", name, "", what, UNKNOWN, "no look was taken at a workload", "", "")
            continue
        worst = max(known, key=lambda cell: known[cell])
        status = FAILED if known[worst] > most else UNKNOWN if len(known) < len(values) else PASSED
        seen = f"{known[worst]} in {worst}"
        yield CheckRow("limit", name, "", what, status, seen, "", "", {"value": known[worst]})


def _value(limit: str, evidence: Evidence) -> int | None:
    cell = judge_cell(evidence)
    if cell.word == "no result":
        return None
    if limit == "close_wait_left":
        return cell.close_wait_left
    if limit == "close_wait_peak":
        return cell.close_wait_peak
    gaps = evidence.idle()
    return gaps[-1].states.get(ESTABLISHED, 0) if gaps else None


# --- the verdict -------------------------------------------------------------------------------------


def _allowed(row: CheckRow, allow: Sequence[Allowance]) -> CheckRow:
    for one in allow:
        if row.status == FAILED and row.code == one.finding:
            return replace(row, status=ALLOWED, note=f"allowed until {one.expires}: {one.reason}")
    return row


def _unused(found: Sequence[CheckRow], allow: Sequence[Allowance]) -> Iterable[str]:
    met = {row.code for row in found if row.status == ALLOWED}
    for one in allow:
        if one.finding not in met:
            yield f"the allowance of {one.finding} met nothing: it can go"


def _verdict(spec: str, found: Sequence[CheckRow]) -> tuple[str, int]:
    """What failed is proof, whatever else could not be told."""
    failed, untold = _names(found, FAILED), _names(found, UNKNOWN)
    unknown = f"could not tell {', '.join(untold)}" if untold else ""
    if failed:
        number = "1 problem" if len(failed) == 1 else f"{len(failed)} problems"
        return "; ".join(filter(None, (f"{spec}: {number}: {', '.join(failed)}", unknown))), PROBLEM
    if untold:
        first = next(row for row in found if row.status == UNKNOWN)
        return f"{spec}: {unknown}: {first.seen}", COULD_NOT_MEASURE
    tried = {kind: len({row.name for row in found if row.kind == kind}) for kind in ("promise", "workload")}
    spared = [f"{len(names)} {status}" for status in (ALLOWED, KNOWN) if (names := _names(found, status))]
    counts = [f"{tried['promise']} promises", f"{tried['workload']} workloads", *spared]
    return f"{spec}: {'no more problems' if spared else 'no problem'}: {', '.join(counts)}", OK


def _names(found: Sequence[CheckRow], status: str) -> list[str]:
    return list(dict.fromkeys(row.code or row.name for row in found if row.status == status))
