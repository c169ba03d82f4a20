"""Evidence of a plan's cells to a Report: words, findings, claims, verdict, exit code. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from hermes_diag.core import matrix
from hermes_diag.core.errors import COULD_NOT_MEASURE, OK, PROBLEM
from hermes_diag.core.evidence import Evidence, Sample
from hermes_diag.core.plan import FACTORY, FRESH, MEASURE, Plan
from hermes_diag.core.report import CellReport, Finding, Left, Report
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED
from hermes_diag.judge import causes, claims, rules
from hermes_diag.worker.contract import HERMES


def report(plan_: Plan, evidence: Sequence[Evidence]) -> Report:
    """Judge a run. Half the evidence gives no verdict: such a run could not be measured."""
    cells = tuple(map(cell, evidence))
    stack = next((one.stack for one in evidence if one.stack), None)
    verdict, exit_code = _verdict(cells, stack.hermes if stack else "")
    return Report(plan_, stack, cells, claims.weigh(evidence), verdict, exit_code, tuple(evidence))


def cell(evidence: Evidence) -> CellReport:
    """Judge one cell."""
    findings = rules.findings(evidence)
    missing = missing_from(evidence)
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
        left=_left(evidence, "idle"),
        left_at_end=_left(evidence, "end"),
    )


def missing_from(evidence: Evidence) -> str:
    """Why this evidence is not whole, "" when it is: what was planned and not seen gives no verdict.

    A client that hung is whole evidence of a hang.
    """
    cell, how = evidence.cell, evidence.outcome.how
    if how == "hung":
        return ""
    if how != "done":
        return evidence.outcome.detail
    if cell.workload == MEASURE:
        return "" if evidence.measured else "nothing was measured"
    if cell.scenario:  # judges its own evidence: it may well be that turns are lost
        return ""
    planned = cell.sessions * cell.turns
    begun = len({(turn.session, turn.turn) for turn in evidence.turns})
    if begun != planned:
        return f"{begun} of {planned} turns were made"
    gaps = evidence.idle()
    if not gaps or max(sample.turns for sample in gaps) != (1 if cell.workload == FRESH else planned):
        return "no look was taken after the last turn"
    if cell.endpoint:
        return _beyond(evidence)
    if cell.fault or (cell.hermes and cell.hermes.fault):  # the two sides are meant to disagree
        return ""
    served = {one.turn: one for one in evidence.served}
    for turn in evidence.turns:
        seen = served.get(causes.name(turn))
        sent = seen.events if seen else 0
        if turn.events > sent or (turn.outcome == "ok" and turn.events != sent):
            return f"turn {causes.name(turn)}: the client read {turn.events} events, the provider sent {sent}"
    return ""


def _beyond(evidence: Evidence) -> str:
    """How an endpoint that is not ours failed turns, "" when it did not: that says nothing of the client."""
    failed = [causes.of(turn) for turn in evidence.turns if turn.outcome == "error"]
    counts = Counter(cause for cause in failed if cause not in (*causes.OURS, causes.OTHER))
    named = ", ".join(f"{cause} x{count}" for cause, count in counts.most_common())
    return f"of {len(evidence.turns)} attempts the endpoint failed {counts.total()}: {named}" if named else ""


def _flaws(evidence: Evidence, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Causes found in a cell that is to be clean: the fix has to keep everything it promises."""
    if evidence.cell.strategy != "fixed" or evidence.cell.end != "close" or evidence.cell.fault:
        return ()
    return tuple(finding.code for finding in findings if finding.severity == "cause")


def _left(evidence: Evidence, label: str) -> Left | None:
    """What a Hermes cell has more at its last barrier of that label than before its first turn; None for
    other cells."""
    labelled = {sample.label: sample for sample in evidence.barriers}  # the last of each
    if evidence.cell.strategy != HERMES or not {"start", label} <= labelled.keys():
        return None
    start, last = labelled["start"], labelled[label]

    def more(count: Callable[[Sample], int | None]) -> int | None:
        before, after = count(start), count(last)
        return None if before is None or after is None else after - before

    return Left(
        posts=more(lambda sample: sample.posts),
        close_wait=more(lambda sample: sample.states.get(CLOSE_WAIT, 0)),
        established=more(lambda sample: sample.states.get(ESTABLISHED, 0)),
        ownerless=more(lambda sample: sample.ownerless(ESTABLISHED)),
        reset=more(lambda sample: sample.unlisted),
        threads=more(lambda sample: sample.threads),
        fds=more(lambda sample: sample.fds),
    )


def _verdict(cells: Sequence[CellReport], hermes: str) -> tuple[str, int]:
    unmeasured = [one for one in cells if one.word == "no result"]
    if unmeasured:
        # A worker that died comes before cells that were merely not reached.
        first = min(unmeasured, key=lambda one: one.outcome.how == "cut")
        return f"could not measure {first.cell.name}: {first.missing}", COULD_NOT_MEASURE
    broken = [one for one in cells if not one.as_expected]
    if broken:
        named = ", ".join(
            f"{one.cell.name} {' and '.join((one.word, *one.flaws))} (expected: {one.expected})" for one in broken
        )
        return f"not as the bug report predicts: {named}", PROBLEM
    free = [one for one in cells if one.cell.strategy == HERMES and not one.expected]
    left = [f"{one.cell.name} {one.word}" for one in free if one.word not in ("ok", "too short")]
    if left:
        return f"Hermes Agent {hermes} leaves something behind: {', '.join(left)}", PROBLEM
    bad = [one for one in cells if not one.expected and one.word not in ("ok", "too short")]
    faulty = [one for one in bad if one.cell.fault]
    if faulty:
        return "with a fault: " + ", ".join(f"{one.cell.name} {one.word}" for one in faulty), PROBLEM
    if bad and bad[0].cell.strategy == FACTORY:
        named = ", ".join(f"{one.word} in {one.cell.name.removeprefix('factory/')}" for one in bad)
        return f"{_spec(cells)}: {named}", PROBLEM
    if bad:
        return ", ".join(f"{one.cell.name} {one.word}" for one in bad), PROBLEM
    short = [one.cell.name for one in cells if one.word == "too short" and one.cell.workload != FRESH]
    note = f"; too few idle gaps to tell growth in {', '.join(short)}" if short else ""
    if len(free) == len(cells):
        return f"Hermes Agent {hermes} leaves nothing behind{note}", OK
    if cells and cells[0].cell.strategy == FACTORY:
        return f"{_spec(cells)}: every turn ended well and nothing grew{note}", OK
    predicted = [one for one in cells if one.cell.workload not in (FRESH, MEASURE)]
    if predicted and not any(one.expected for one in predicted):
        return f"every turn ended well and nothing grew{note}", OK
    return f"as the bug report predicts{note}", OK


def _spec(cells: Sequence[CellReport]) -> str:
    """The factory that was put to the test, as the user named it."""
    return cells[0].cell.factory
