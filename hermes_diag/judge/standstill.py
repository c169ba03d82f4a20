"""Whether a cell that stood still says anything: what took too long meanwhile is nobody's fault. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hermes_diag.core.evidence import Evidence, Standstill
from hermes_diag.core.plan import AUDIT, MEASURE
from hermes_diag.judge import verdicts

_WHO = {"run": "the run stood still for", "worker": "the worker was stopped for", "clock": "the clock was set by"}


def spoilt(evidence: Evidence) -> str:
    """Why this evidence counts for nothing, "" when it counts: it did not stand still, or all is well all the same."""
    if not evidence.standstills:
        return ""
    cell = evidence.cell
    if not cell.scenario and cell.workload not in (AUDIT, MEASURE) and verdicts.is_well(verdicts.cell(evidence)):
        return ""
    return text(evidence.standstills)


def text(standstills: Sequence[Standstill]) -> str:
    """In words: `the run stood still for 11.8 s`."""
    seconds = {who: sum(one.seconds for one in standstills if one.who == who) for who in _WHO}
    return " and ".join(f"{_WHO[who]} {total:,.1f} s" for who, total in seconds.items() if total)
