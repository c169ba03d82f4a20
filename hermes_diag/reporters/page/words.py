"""The sentence on top, for a reader who knows nothing of sockets, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hermes_diag.core import units
from hermes_diag.core.report import (
    AuditReport,
    CellReport,
    CheckReport,
    Finding,
    Report,
    RunReport,
    ScenariosReport,
)
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.judge.rules import WORDS
from hermes_diag.reporters.page.view import Step

#: Steps that are named.
MOST = 6

_SENTENCES = {
    "hangs": "The program can stop for good: a call to its client did not come back.",
    "fails": "Requests fail: {failed} of {attempts} attempts ended in an error.",
    "starves": "The program runs out of connections: what interrupted answers hold is never given back.",
    "leaks": "The program leaks: every turn leaves something open, until nothing more can be opened.",
    "corrupts": "Bytes of a connection get into files or streams of others.",
    "bypasses": "Requests go past the proxy that was set for them.",
    "repeats": "Requests are sent again that nobody asked for.",
    "waits": "Every turn waits for an address that does not answer.",
}
_WELL = ("ok", "too short")


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    said = _headline(report)
    return f"Only a part was seen, because the run was interrupted. {said}" if report.interrupted else said


def _headline(report: Report) -> str:
    if report.status == Status.COULD_NOT_TELL:
        return "There is no verdict: not everything could be measured."
    clean = report.status == Status.CLEAN
    failed = [row for row in report.rows if row.status == RowStatus.FAILED]
    if isinstance(report, RunReport):
        return _clean_run(report.cells) if clean else _failing_run(report.cells)
    if isinstance(report, AuditReport):
        kept = "The client keeps every promise that was tried."
        return kept if clean else _broken(len(failed), len(report.rows))
    if isinstance(report, ScenariosReport):
        count = len(report.scenarios)
        if clean and count == 1:
            return "The report from another project behaves as it is described."
        if clean:
            return f"All {count:,} reports from other projects behave as they are described."
        does = "does" if len(failed) == 1 else "do"
        return f"Of {units.count(count, 'report')} from other projects {len(failed):,} {does} not behave as described."
    if clean:
        spared = sum(row.status in (RowStatus.KNOWN, RowStatus.ALLOWED) for row in report.rows)
        told = f"No new problem was found; {spared:,} {'is' if spared == 1 else 'are'} known or allowed."
        return told if spared else "No problem was found."
    if isinstance(report, CheckReport):
        return f"This client is not fit for a long-running program: {units.count(len(failed), 'problem')} found."
    return "A problem was found."


def _broken(failed: int, tried: int) -> str:
    if not tried:
        return "The client cannot be used: a call to it did not come back."
    return f"The client breaks {failed:,} of the {units.count(tried, 'promise')} that a long-running program relies on."


def _clean_run(cells: Sequence[CellReport]) -> str:
    fix = any(one.cell.strategy == "fixed" for one in cells if one.expected)
    if _shows_bug(cells):
        return "The reported bug is real, and its fix works." if fix else "The reported bug is real."
    return "The fix works." if fix else "No problem was found: turns ended well, and nothing was left open."


def _shows_bug(cells: Sequence[CellReport]) -> bool:
    """Whether a bug was to show, as the bug report predicts it."""
    return any(one.expected and one.expected not in _WELL and one.cell.strategy != "fixed" for one in cells)


def _failing_run(cells: Sequence[CellReport]) -> str:
    wrong = [one for one in cells if not one.as_expected] or [one for one in cells if not one.expected]
    worst = min(wrong, key=lambda one: WORDS.index(one.word) if one.word in WORDS else len(WORDS), default=None)
    if worst is None or worst.word not in _SENTENCES:
        return "The run did not go as the bug report predicts."
    failed = sum(worst.errors.values())
    said = _SENTENCES[worst.word].format(failed=f"{failed:,}", attempts=f"{worst.attempts:,}")
    return f"Not as the bug report predicts. {said}" if worst.expected else said


def steps(report: Report) -> tuple[Step, ...]:
    """What to do next, the most urgent first."""
    if report.status == Status.COULD_NOT_TELL:
        return (Step("Put right what stands in the way, and run it again.", report.verdict),)
    found = tuple(_remedies(report))
    if found and report.status == Status.CLEAN:
        use = Step("Use the client with the fix. In code of your own, heed what follows.")
        return (use, *found[: MOST - 1])
    if found:
        return found[:MOST]
    if report.status == Status.CLEAN:
        keep = " To keep it so, run hermes-diag check in your CI." if report.command in ("replay", "audit") else ""
        return (Step(f"Nothing has to be put right.{keep}"),)
    return (Step("Read the findings below.", report.verdict),)


def _remedies(report: Report) -> Iterator[Step]:
    """Each remedy once: of problems first, of their causes then."""
    told: set[str] = set()
    findings: list[Finding] = [one for one in report.findings if one.severity in ("problem", "cause")]
    if report.status == Status.CLEAN and not (isinstance(report, RunReport) and _shows_bug(report.cells)):
        return
    for one in sorted(findings, key=lambda one: one.severity != "problem"):
        if one.remedy and one.remedy not in told:
            told.add(one.remedy)
            because = f"{one.code}: {one.summary}" if one.summary else one.code
            yield Step(_begun(one.remedy), because)
    for row in report.rows:
        if row.status == RowStatus.FAILED and row.remedy and row.remedy not in told:
            told.add(row.remedy)
            yield Step(_begun(row.remedy), f"{row.name}: {row.seen}")


def _begun(sentence: str) -> str:
    """With a capital letter."""
    return sentence[:1].upper() + sentence[1:]
