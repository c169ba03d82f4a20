"""Abandoned streams of a shared pool are garbage-collected inside it: the client hangs for good."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Conditions

REFERENCE = "#11070"
BAD = {
    "strategy": "buggy",
    "end": "forget",
    "workload": "interrupted",
    "turns": 95,
    "timeout": 1.0,
    "conditions": Conditions(gc=True),
}
GOOD = {**BAD, "strategy": "fixed"}
NOT_ON = "3"
WHY_NOT = "its pool does not take the lock again"


def shows(evidence: Evidence) -> str:
    if evidence.outcome.how != "hung":
        return ""
    innermost = next((frame for frame in evidence.outcome.frames if frame != "thread"), "no stack")
    return f"hung after {units.count(len(evidence.turns), 'turn')}, in {innermost}"
