"""Retrying with a rebuilt shared client never helps."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit
from hermes_diag.worker.contract import HERMES

CODE, SEVERITY, WORD = "retries-useless", "cause", ""
REMEDY = "Rebuild from kwargs without the old http_client: the same dict brings the same closed client back."
REFERENCE = "#11070"


def check(evidence: Evidence) -> Hit | None:
    if evidence.cell.strategy == HERMES and evidence.cell.fault:
        return None  # a provider that always fails is not the client's doing
    retries = [turn for turn in evidence.turns if turn.attempt > 1]
    if not retries or any(turn.outcome != "error" for turn in retries):
        return None
    return Hit(
        f"retries made: {len(retries)}, each with a shared client rebuilt from the same client_kwargs: none helped",
        {"retries": len(retries), "helped": 0},
        tuple(map(causes.name, retries)),
    )
