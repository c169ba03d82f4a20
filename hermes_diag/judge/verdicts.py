"""Evidence of a matrix of cells to a RunReport: words, findings, claims, verdict. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hermes_diag.core import matrix
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import FACTORY, FRESH, MEASURE, Plan
from hermes_diag.core.report import CellReport, Finding, Row, RunReport
from hermes_diag.core.sockets import CLOSE_WAIT
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.core.text import release
from hermes_diag.judge import causes, claims, left, rules
from hermes_diag.judge.baseline import spec_of
from hermes_diag.worker.contract import HERMES


def report(plan_: Plan, evidence: Sequence[Evidence], interrupted: bool = False) -> RunReport:
    """Judge a run. With a part of the evidence missing there is no verdict: the run could not be measured."""
    cells = tuple(map(cell, evidence))
    stack = next((one.stack for one in evidence if one.stack), None)
    subject = subject_of(plan_)
    verdict, status = _verdict(cells, subject, release(stack.hermes) if stack else "")
    return RunReport(
        command=command_of(plan_),
        subject=subject,
        status=status,
        verdict=verdict,
        stack=stack,
        rows=tuple(_row(one) for one in cells if one.cell.workload != MEASURE),
        findings=tuple(replace(finding, where=one.cell.name) for one in cells for finding in one.findings),
        interrupted=interrupted,
        plan=plan_,
        cells=cells,
        claims=claims.weigh(evidence),
        evidence=tuple(evidence),
    )


def command_of(plan_: Plan) -> str:
    """The command that makes such a plan: `report` judges a capture as that command did."""
    first = plan_.cells[0]
    if first.endpoint:
        return "live"
    return {FACTORY: "replay", HERMES: "hermes"}.get(first.strategy, "repro")


def subject_of(plan_: Plan) -> str:
    """What a plan puts to the test, as the user named it."""
    return (
        spec_of(plan_.cells[0])
        if command_of(plan_) == "replay"
        else " and ".join(dict.fromkeys(one.strategy for one in plan_.cells if one.workload not in (FRESH, MEASURE)))
    )


def is_well(report_: CellReport) -> bool:
    """Whether a cell is as expected; where nothing is expected, whether all went well."""
    return report_.as_expected if report_.expected else report_.word in _WELL


def untold(report_: CellReport) -> str:
    """Why a cell has no result, and what was seen of it until then; "" for one that has one."""
    made = f"; {report_.ok + report_.interrupted} of {report_.attempts} turns were ok until then"
    return report_.missing + (made if report_.missing and report_.attempts else "")


def _row(report_: CellReport) -> Row:
    """A cell as a row: passed when it is well."""
    well = is_well(report_)
    status = RowStatus.PASSED if well else RowStatus.FAILED
    if report_.word in ("no result", "too short"):
        status = RowStatus.COULD_NOT_TELL
    expected = f", expected: {report_.expected}" if report_.expected else ""
    problem = next((one for one in report_.findings if one.severity == "problem"), None)
    return Row(
        kind="cell",
        name=report_.cell.name,
        code=problem.code if problem and not well else "",
        what=f"the workload {report_.cell.workload}{expected}",
        status=status,
        seen=untold(report_) or (f"{report_.word}: {problem.summary}" if problem else report_.word),
        remedy=problem.remedy if problem and not well else "",
        reference=problem.reference if problem and not well else "",
        numbers=dict(problem.numbers) if problem else {},
    )


def cell(evidence: Evidence) -> CellReport:
    """Judge one cell."""
    findings = rules.findings(evidence)
    missing = missing_from(evidence)
    if not any(one.severity == "problem" for one in findings):
        missing = missing or causes.untested(evidence)
    word = "no result" if missing else rules.word(findings)
    expected = matrix.expected(evidence.cell)
    flaws = _flaws(evidence, findings)
    outcomes = Counter(turn.outcome for turn in evidence.turns)
    errors = Counter(causes.surface(turn) for turn in evidence.turns if turn.outcome == "error")
    close_wait = [sample.states.get(CLOSE_WAIT, 0) for sample in evidence.barriers]
    retries = [turn for turn in evidence.turns if turn.attempt > 1]
    return CellReport(
        cell=evidence.cell,
        word=word,
        expected=expected[0] if expected else "",
        as_expected=(not expected or word in expected) and not flaws,
        flaws=flaws,
        ok=outcomes["ok"],
        interrupted=outcomes["interrupted"],
        errors=dict(errors),
        close_wait_peak=max(close_wait, default=None),
        close_wait_left=close_wait[-1] if close_wait else None,
        retries_made=len(retries),
        retries_helped=sum(turn.outcome != "error" for turn in retries),
        findings=findings,
        outcome=evidence.outcome,
        missing=missing,
        left=left.of(evidence, "idle") if evidence.cell.strategy == HERMES else None,
        left_at_end=left.of(evidence, "end") if evidence.cell.strategy == HERMES else None,
        missed=outcomes["missed"],
        compared=causes.compared(evidence),
    )


def missing_from(evidence: Evidence) -> str:
    """Why this evidence is not complete, "" when it is: without it there is no verdict.

    A client that hung is complete evidence of a hang.
    """
    cell, how = evidence.cell, evidence.outcome.how
    if how == "hung":
        return ""
    if how != "done":
        return evidence.outcome.detail
    if lacks := causes.out_of_reach(evidence) or causes.short_of(evidence):
        return lacks
    if cell.workload == MEASURE:
        return "" if evidence.measured else "nothing was measured"
    if cell.scenario:  # these judge their own evidence, in which turns may be missing
        return ""
    planned = cell.sessions * cell.turns
    begun = len({(turn.session, turn.turn) for turn in evidence.turns})
    if begun < planned:
        return f"{begun} of {planned} turns were made"
    if evidence.turns and all(turn.outcome == "missed" for turn in evidence.turns):
        return "every turn was over before it could be given up"
    gaps = evidence.idle()
    if not gaps or max(sample.turns for sample in gaps) < (1 if cell.workload == FRESH else begun):
        return "no look was taken after the last turn"
    if cell.endpoint:
        return _beyond(evidence)
    if cell.fault or (cell.hermes and cell.hermes.fault):  # the two sides are meant to disagree
        return ""
    if not evidence.clients:  # a turn of the user's own: its requests carry no name of ours
        return ""
    served = {one.turn: one for one in evidence.served}
    for turn in evidence.turns:
        seen = served.get(causes.name(turn))
        sent = seen.events if seen else 0
        # The SDK of Anthropic keeps pings to itself.
        fewer = turn.outcome == "ok" and turn.events < sent and not (cell.hermes and cell.hermes.api == "anthropic")
        if turn.events > sent or fewer:
            return f"turn {causes.name(turn)}: the client read {turn.events} events, the provider sent {sent}"
    return ""


def _beyond(evidence: Evidence) -> str:
    """How a real endpoint failed turns, "" when it did not: such failures say nothing of the client."""
    failed = [causes.of(turn) for turn in evidence.turns if turn.outcome == "error"]
    counts = Counter(cause for cause in failed if cause not in (*causes.OURS, causes.OTHER))
    named = ", ".join(f"{cause} x{count}" for cause, count in counts.most_common())
    return f"of {len(evidence.turns)} attempts the endpoint failed {counts.total()}: {named}" if named else ""


def _flaws(evidence: Evidence, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Causes found in a cell that is to be clean, and what the fix has to keep and did not."""
    if evidence.cell.strategy != "fixed" or evidence.cell.end != "close" or evidence.cell.fault:
        return ()
    return tuple(one.code for one in findings if one.severity == "cause" or one.code in _KEPT)


#: What the SDK's own client has: the fix promises it, too.
_KEPT = ("keepalive-lost", "limits-shrunk", "timeout-changed")
#: Words of a cell with nothing wrong; from too few idle gaps growth cannot be told.
_WELL = ("ok", "too short")
#: Whose issue it is: a reader may have a #11070 of their own.
REPORT = "hermes-agent #11070"


def _verdict(cells: Sequence[CellReport], subject: str, hermes: str) -> tuple[str, Status]:
    unmeasured = [one for one in cells if one.word == "no result"]
    if unmeasured:
        # A worker that died comes before cells that were merely not reached.
        first = min(unmeasured, key=lambda one: one.outcome.how == "cut")
        return f"could not measure {first.cell.name}: {first.missing}", Status.COULD_NOT_TELL
    problem = _unexpected(cells) or _left_behind(cells, hermes) or _faulty(cells) or _of_factory(cells, subject)
    if problem:
        return problem, Status.FAILING
    if untold := _keeping(one for one in cells if one.word == "too short"):
        why = "too few idle gaps to tell whether it grows: ask for more --turns"
        return f"Hermes Agent {hermes}: something is kept in {untold}; {why}", Status.COULD_NOT_TELL
    short = [one.cell.name for one in cells if one.word == "too short" and one.cell.workload != FRESH]
    note = f"; too few idle gaps to tell growth in {', '.join(short)}" if short else ""
    return _well(cells, subject, hermes) + note, Status.CLEAN


def _keeping(cells: Iterable[CellReport]) -> str:
    """The names of cells of Hermes that have more of something than before, "" for none."""
    return ", ".join(one.cell.name for one in cells if one.left is not None and one.left.anything)


def _unexpected(cells: Sequence[CellReport]) -> str:
    """Cells that are not as the bug report predicts, "" for none."""
    named = ", ".join(
        f"{one.cell.name} {' and '.join((one.word, *one.flaws))} (expected: {one.expected})"
        for one in cells
        if not one.as_expected
    )
    return f"not as {REPORT} predicts: {named}" if named else ""


def _left_behind(cells: Sequence[CellReport], hermes: str) -> str:
    """What a Hermes of which nothing is predicted leaves behind, "" for nothing."""
    left = [f"{one.cell.name} {one.word}" for one in cells if _is_free_hermes(one) and one.word not in _WELL]
    stays = all(one.word in ("leaks", "repeats") for one in cells if _is_free_hermes(one) and one.word not in _WELL)
    what = "leaves something behind" if stays else "has problems"
    return f"Hermes Agent {hermes} {what}: {', '.join(left)}" if left else ""


def _is_free_hermes(report_: CellReport) -> bool:
    return report_.cell.strategy == HERMES and not report_.expected


def _faulty(cells: Sequence[CellReport]) -> str:
    faulty = [f"{one.cell.name} {one.word}" for one in cells if one.cell.fault and one.word not in _WELL]
    return f"with a fault: {', '.join(faulty)}" if faulty else ""


def _of_factory(cells: Sequence[CellReport], subject: str) -> str:
    """What is wrong with cells of which nothing is predicted: of a factory, of a strategy without predictions."""
    bad = [one for one in cells if not one.expected and one.word not in _WELL]
    named = ", ".join(f"{one.word} in {one.cell.name.removeprefix(FACTORY + '/')}" for one in bad)
    return f"{subject}: {named}" if named else ""


def _well(cells: Sequence[CellReport], subject: str, hermes: str) -> str:
    """The sentence for a run in which nothing is wrong."""
    loops = [one for one in cells if one.cell.workload not in (FRESH, MEASURE)]
    if loops and all(map(_is_free_hermes, loops)):
        kept = _keeping(loops)
        if not kept:
            return f"Hermes Agent {hermes} leaves nothing behind"
        return f"Hermes Agent {hermes}: nothing is seen to grow; something is kept in {kept}"
    strategies = {one.cell.strategy for one in loops if one.expected}
    if not strategies:
        memory = any(one.code == "memory-grows" for cell in cells for one in cell.findings)
        grew = "no socket, descriptor or thread was left, but memory grows (-v)" if memory else "nothing grew"
        return f"{subject}: every turn ended well and {grew}"
    bug = f"the bug shows as {REPORT} reports it" if strategies != {"fixed"} else ""
    fix = "the fix holds" if "fixed" in strategies else ""
    return ", and ".join(filter(None, (bug, fix)))
