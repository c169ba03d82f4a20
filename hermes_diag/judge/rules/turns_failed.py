"""Turns fail for a reason that no other rule explains."""

from collections import Counter

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import STARVED
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit
from hermes_diag.worker.contract import HERMES

CODE, SEVERITY, WORD = "turns-failed", "problem", "fails"
REMEDY = "Follow the cause chain of the turns named (`repro -v` shows each)."
REFERENCE = ""


def check(evidence: Evidence) -> Hit | None:
    cell = evidence.cell
    given_up = cell.hermes and cell.hermes.watchdog is not None and cell.workload != STARVED
    if cell.strategy == HERMES and (cell.fault or given_up):
        return None  # the provider made them fail; only what Hermes leaves behind is judged
    first = cell.turns if cell.workload == STARVED else 1  # those before were to fail
    turns = [
        turn
        for turn in evidence.turns
        if turn.turn >= first and turn.outcome == "error" and causes.of(turn) not in causes.OURS
    ]
    if causes.starved(evidence):
        return None
    if not turns:
        return None
    counts = Counter(causes.of(turn) for turn in turns)
    return Hit(
        f"{units.count(len(turns), 'attempt')} failed: "
        + ", ".join(f"{cause} x{count}" for cause, count in counts.most_common()),
        {"attempts": len(turns)},
        tuple(map(causes.name, turns)),
    )
