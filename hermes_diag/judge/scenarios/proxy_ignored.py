"""HTTPS_PROXY is set, and an injected transport goes past it."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Conditions

REFERENCE = "#12008"
BAD = {"strategy": "buggy", "turns": 1, "timeout": 5.0, "conditions": Conditions(proxy=True, tls=True)}
GOOD = {**BAD, "strategy": "plain"}


def shows(evidence: Evidence) -> str:
    connects = evidence.through_proxy or 0
    done = [turn for turn in evidence.turns if turn.outcome == "ok"]
    return (
        f"{units.count(len(done), 'turn')} went out, the proxy saw {units.count(connects, 'connection')}"
        if done and not connects
        else ""
    )
