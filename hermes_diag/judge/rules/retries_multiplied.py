"""One turn costs more requests than the SDK's retries allow: those of a loop around it multiply them."""

import operator

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence, Served
from hermes_diag.judge import retries
from hermes_diag.judge.rules import Hit
from hermes_diag.worker.contract import HERMES

CODE, SEVERITY, WORD = "retries-multiplied", "problem", "repeats"
REMEDY = (
    "Retry in one place: max_retries=0 for a client around which the application retries, or no loop around the SDK."
)
REFERENCE = ""


def check(evidence: Evidence) -> Hit | None:
    if evidence.cell.strategy == HERMES:
        return None  # under a fault only what Hermes leaves behind is judged
    found, sent = [], retries.sent(evidence)
    for turn, requests in sent.turns().items():
        for series in retries.alike(requests):
            if calls := _repeated(series):
                found.append((sum(map(len, calls)), turn, len(calls), max(map(len, calls))))
    if not found:
        return None
    most, turn, made, each = max(found)
    turns = {name for _, name, _, _ in found}
    return Hit(
        f"in {units.count(len(found), 'turn')} a loop around the SDK repeated its retries: turn {turn} cost "
        f"{units.count(most, 'request')}, {units.count(made, 'call')} of {each} each at most",
        {"turns": len(found), "most": most, "calls": made, "requests_of_a_call": each},
        tuple(name for name in sent.attempts if name.rpartition("/")[0] in turns),
    )


def _repeated(series: tuple[Served, ...]) -> tuple[tuple[Served, ...], ...]:
    """The calls of a series if the SDK tried one again in vain, and the next one too; else none."""
    calls = retries.calls(series)
    in_vain = [len(call) > 1 and retries.failed(call[-1]) for call in calls]
    again = [len(call) > 1 for call in calls[1:]]
    return calls if any(map(operator.and_, in_vain, again)) else ()
