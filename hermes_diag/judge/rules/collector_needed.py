"""Connections are closed only when garbage is collected: until then they pile up."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "collector-needed", "note", ""
REMEDY = "Close each client, or use it in a with-block: one that is dropped goes when the collector happens to run."
REFERENCE = ""


def check(evidence: Evidence) -> Hit | None:
    """In each idle gap of a replay garbage is collected; what it freed is no growth, and told here."""
    freed = evidence.facts.get("freed", 0)
    if not freed:
        return None
    turns = len(evidence.turns)
    return Hit(
        f"in {units.count(turns, 'turn')} {units.were(freed, 'connection')} held until garbage was collected, which "
        "closed what nobody had closed",
        {"connections": freed, "turns": turns},
    )
