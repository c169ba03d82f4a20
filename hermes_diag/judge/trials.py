"""Evidence of one workload on one target to a trial, and trials to the report of `matrix`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.report import Finding, Left, Row
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.core.trials import MatrixReport, Trial, Tried
from hermes_diag.judge import left, verdicts

#: What is counted, by its name in output.
COUNTED = {
    "posts": "POSTs beyond those wanted",
    "established": "ESTABLISHED",
    "close_wait": "CLOSE_WAIT",
    "threads": "threads",
    "fds": "descriptors",
}
#: What a trial's word comes to; any other is a problem. Of too few turns growth cannot be told, as in a check.
_STATUS = {"ok": RowStatus.PASSED, "too short": RowStatus.COULD_NOT_TELL}


def of(evidence: Evidence, seconds: float) -> Trial:
    """The trial that a cell was."""
    cell = verdicts.cell(evidence)
    problems = [one for one in cell.findings if one.severity == "problem"]
    turns = len({(turn.session, turn.turn) for turn in evidence.turns})
    return Trial(
        evidence.cell.workload,
        cell.word,
        tuple(one.code for one in problems),
        tuple(one.summary for one in problems),
        turns,
        _per_turn(left.of(evidence, "idle"), len(evidence.turns), turns),
        round(seconds, 2),
        cell.missing,
    )


def _per_turn(found: Left | None, attempts: int, turns: int) -> dict[str, float | None]:
    if found is None or not turns:
        return dict.fromkeys(COUNTED)
    posts = None if found.posts is None else found.posts - attempts
    counts = (posts, found.established, found.close_wait, found.threads, found.fds)
    return {
        name: None if count is None else round(count / turns, 2) for name, count in zip(COUNTED, counts, strict=True)
    }


def report(tried: Sequence[Tried], subject: str, interrupted: bool = False) -> MatrixReport:
    """The report of a matrix."""
    rows = tuple(row for one in tried for row in _rows(one))
    verdict, status = _verdict(rows)
    return MatrixReport(
        command="matrix",
        subject=subject,
        status=status,
        verdict=verdict,
        stack=None,  # each target has its own
        rows=rows,
        findings=tuple(_findings(tried)),
        interrupted=interrupted,
        targets=tuple(tried),
    )


def _rows(tried: Tried) -> Iterator[Row]:
    if tried.missing or not tried.trials:
        what = "a workload can be run on it"
        yield Row("target", tried.name, "", what, RowStatus.COULD_NOT_TELL, tried.missing or "not begun")
    for one in tried.trials:
        what = f"the workload {one.workload} leaves nothing behind"
        if one.missing:
            yield Row("target", tried.name, "", what, RowStatus.COULD_NOT_TELL, one.missing)
            continue
        status = _STATUS.get(one.word, RowStatus.FAILED)
        numbers = {name: value for name, value in one.left.items() if value is not None}
        code = one.codes[0] if one.codes and status == RowStatus.FAILED else ""
        yield Row("target", tried.name, code, what, status, f"{one.word}: {counts(one)}", numbers=numbers)


def counts(trial: Trial) -> str:
    """What was left, in words: `1.00 ESTABLISHED, 1.00 threads a turn`."""
    said = [_count(name, value) for name, value in trial.left.items() if value]
    return f"{', '.join(said)} a turn" if said else "nothing left"


def _count(name: str, value: float) -> str:
    if value > 0:
        return f"{value:.2f} {COUNTED[name]}"
    fewer = "POSTs fewer than wanted" if name == "posts" else f"{COUNTED[name]} fewer than at the start"
    return f"{-value:.2f} {fewer}"


def _findings(tried: Sequence[Tried]) -> Iterator[Finding]:
    for one in tried:
        for trial in one.trials:
            for code, summary in zip(trial.codes, trial.summaries, strict=True):
                where = f"{one.name}, {trial.workload}"
                yield Finding(code, "problem", summary, {}, (), "", "", where)


def _verdict(rows: Sequence[Row]) -> tuple[str, Status]:
    """A failure is a result, whatever else could not be told: as in a check."""
    by = {
        status: list(dict.fromkeys(row.name for row in rows if row.status == status))
        for status in (RowStatus.FAILED, RowStatus.COULD_NOT_TELL)
    }
    bad, untold = by[RowStatus.FAILED], by[RowStatus.COULD_NOT_TELL]
    count = len({row.name for row in rows})
    unknown = f"could not tell {', '.join(untold)}" if untold else ""
    if bad:
        said = f"{len(bad)} of {count} targets leave something behind or fail: {', '.join(bad)}"
        if count == 1:
            said = f"the target leaves something behind or fails: {bad[0]}"
        return "; ".join(filter(None, (said, unknown))), Status.FAILING
    if untold:
        whys = list(dict.fromkeys(row.seen for row in rows if row.status == RowStatus.COULD_NOT_TELL))
        why = f": {whys[0]}" if len(whys) == 1 else ""
        more = count - len(untold)
        others = f"; the other {'one leaves' if more == 1 else f'{more} leave'} nothing behind"
        return f"{unknown}{others if more else why}", Status.COULD_NOT_TELL
    return f"{'the target leaves' if count == 1 else f'all {count} targets leave'} nothing behind", Status.CLEAN
