"""What the page of compared captures says: a row for each thing that changed, a column for each capture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hermes_diag.core import units
from hermes_diag.core.report import Change, ComparedReport
from hermes_diag.reporters.page.view import ROWS, Folded, Link, Matrix, Square, Step, badge

#: Rows of the table.
MOST = 200
_REMARKS = {"worse": "worse", "fixed": "fixed", "not told": "cannot be told", "only in some": "not in all"}


def headline(report: ComparedReport) -> str:
    """What changed, in one sentence, and how much was not right before and is not now."""
    still = sum(one.still_failing for one in report.changes)
    said = f" {units.count(still, 'thing')} that failed before still fail{'s' if still == 1 else ''}." if still else ""
    return _changed(report) + said


def _changed(report: ComparedReport) -> str:
    counts = Counter(one.word for one in report.changes)
    worse, fixed = units.count(counts["worse"], "thing"), units.count(counts["fixed"], "problem")
    if counts["worse"]:
        also = f" {fixed} {'is' if counts['fixed'] == 1 else 'are'} fixed." if counts["fixed"] else ""
        return f"{worse} got worse.{also}"
    if counts["not told"]:
        return "Whether something got worse cannot be told: not everything could be measured."
    if counts["fixed"]:
        return f"{fixed} {'is' if counts['fixed'] == 1 else 'are'} fixed, and nothing got worse."
    if counts["differs"]:
        return f"{units.count(counts['differs'], 'thing')} changed, and nothing is known to be worse."
    return "Nothing got better or worse."


def steps(report: ComparedReport) -> tuple[Step, ...]:
    """What got worse, to be looked into."""
    found = tuple(
        Step(f"Find out why {one.name} got worse.", one.seen[-1].text if one.seen and one.seen[-1] else "")
        for one in report.changes
        if one.word == "worse"
    )
    if found:
        return found[:6]
    failing = [one.name for one in report.changes if one.still_failing]
    if failing:
        return (Step(f"Put right what failed before, too: {', '.join(failing[:6])}{', ...' if failing[6:] else ''}."),)
    return (Step("Nothing has to be put right that was right before."),)


def matrix(report: ComparedReport) -> Matrix:
    """What is the same is not in it."""
    shown = [one for one in report.changes if one.word != "same"][:MOST]
    rows = [(one.name, [_square(one, number) for number in range(len(report.names))]) for one in shown]
    return Matrix(report.names, rows, (), "What changed", "Of the last capture against the first.")


def _square(change: Change, number: int) -> Square | None:
    seen = change.seen[number]
    if seen is None:
        return None
    last = number == len(change.seen) - 1
    remark = _REMARKS.get(change.word, "") if last else ""
    return Square(Link(""), badge(seen.status, ROWS[seen.status]), remark, [seen.text])


def folded(report: ComparedReport) -> Iterator[Folded]:
    """The verdict of each capture, what else differs, and what is the same."""
    verdicts = [f"{name}: {verdict}" for name, verdict in zip(report.names, report.verdicts, strict=True)]
    yield Folded("Verdicts", [*verdicts, *(f"differs: {one}" for one in report.others)])
    if same := [one.name for one in report.changes if one.word == "same"]:
        yield Folded("The same in all", [", ".join(same)])
