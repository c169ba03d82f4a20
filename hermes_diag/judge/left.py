"""What a cell has more at one of its barriers than before its first turn. Pure."""

from __future__ import annotations

from collections.abc import Callable

from hermes_diag.core.evidence import Evidence, Sample
from hermes_diag.core.report import Left
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED


def of(evidence: Evidence, label: str) -> Left | None:
    """At the last barrier of that label; None when one of the two is missing."""
    labelled = {sample.label: sample for sample in evidence.barriers}  # the last of each
    if not {"start", label} <= labelled.keys():
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
