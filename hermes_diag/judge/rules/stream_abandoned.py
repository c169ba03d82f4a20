"""A stream is neither read to its end nor closed."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "stream-abandoned", "cause", ""
REMEDY = "Close the stream when a turn is interrupted; until then its connection is busy and cannot be reaped."
REFERENCE = "#11070"


def check(evidence: Evidence) -> Hit | None:
    served = {one.turn: one for one in evidence.served}
    closed_here = {one.serial for one in evidence.connections if one.closed_first == "client"}
    abandoned = []
    for turn in evidence.turns:
        seen = served.get(causes.name(turn))
        if turn.outcome == "interrupted" and seen and seen.finished and seen.connection not in closed_here:
            abandoned.append((turn, seen))
    if not abandoned:
        return None
    sent, read = sum(seen.events for _, seen in abandoned), sum(turn.events for turn, _ in abandoned)
    return Hit(
        f"{units.were(len(abandoned), 'stream')} left open and unread: the provider sent {units.count(sent, 'event')}, "
        f"the client read {read}",
        {"streams": len(abandoned), "events_sent": sent, "events_read": read},
        tuple(causes.name(turn) for turn, _ in abandoned),
    )
