"""How many requests a turn cost, where some were sent again."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import retries
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "requests-per-turn", "note", ""
REMEDY = "Each counts for the quota: retry in one place, and only what a wait can mend."
REFERENCE = ""


def check(evidence: Evidence) -> Hit | None:
    turns = retries.sent(evidence).turns()
    # What asks the same several times by design has not been sent again.
    if not any(retries.failed(first) for requests in turns.values() for first, _ in retries.again(requests)):
        return None
    counts = {turn: len(requests) for turn, requests in turns.items()}
    most = max(counts, key=lambda turn: counts[turn])
    return Hit(
        f"{units.count(len(counts), 'turn')} cost {units.count(sum(counts.values()), 'request')}, {counts[most]} at "
        f"most (turn {most})",
        {"turns": len(counts), "requests": sum(counts.values()), "most": counts[most]},
    )
