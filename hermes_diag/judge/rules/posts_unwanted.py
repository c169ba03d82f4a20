"""The provider got requests that nobody waits for: the same turn is sent again, and paid for again."""

from collections import Counter

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit
from hermes_diag.worker.contract import TurnDone

CODE, SEVERITY, WORD = "posts-unwanted", "problem", "repeats"
REMEDY = "Tell the thread of a request that it was given up, so that it does not take the cut for a fault and retry."
REFERENCE = "#6600"


def check(evidence: Evidence) -> Hit | None:
    sent = Counter(one.turn for one in evidence.served if one.api)
    attempts = [turn for turn in evidence.turns if not evidence.cell.fault or _given_up(turn)]
    again = {name: sent[name] - 1 for name in map(causes.name, attempts) if sent[name] > 1}
    if not again:
        return None
    return Hit(
        f"{units.were(sum(again.values()), 'request')} sent again although nobody waited for an answer any more",
        {"attempts": len(evidence.turns), "unwanted": sum(again.values())},
        tuple(again),
    )


def _given_up(turn: TurnDone) -> bool:
    """A stream that the provider cut may be asked for again; a turn that was given up on purpose may not."""
    return turn.outcome == "error" and causes.of(turn) == causes.GIVEN_UP
