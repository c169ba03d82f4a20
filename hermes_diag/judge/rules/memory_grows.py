"""Resident memory grows from turn to turn, and goes on to."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import growth
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "memory-grows", "note", ""
REMEDY = "Keep no clients, and hand one ssl.SSLContext to those of each turn: a context of its own costs 0.6 MiB."
REFERENCE = ""

#: Idle gaps in which a process that merely warms up has stopped to grow.
ENOUGH = 8
#: MiB a turn: what one more SSLContext takes is twice as much.
LEAST = 0.3


def check(evidence: Evidence) -> Hit | None:
    """Judged by the later half: the first turns of a process take memory once."""
    points = [(sample.turns, round(sample.rss / 2**20)) for sample in evidence.idle() if sample.rss is not None]
    if len(points) < ENOUGH or not growth.grows(points):
        return None
    later = points[len(points) // 2 :]
    pace = growth.per_turn(later)
    if pace < LEAST:
        return None
    return Hit(
        f"resident memory grew from {later[0][1]} to {later[-1][1]} MiB over the later {len(later)} idle gaps, "
        f"{pace:.1f} MiB a turn",
        {"first": later[0][1], "last": later[-1][1], "gaps": len(later), "per_turn": pace},
    )
