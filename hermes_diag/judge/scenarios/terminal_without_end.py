"""The stream is not ended after its terminal event: a client that reads to the end waits for nothing."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Conditions
from hermes_diag.judge import causes

REFERENCE = "#11070"
BAD = {"fault": "terminal-without-end", "turns": 2, "timeout": 0.5}
GOOD = {**BAD, "conditions": Conditions(reader="terminal")}


def shows(evidence: Evidence) -> str:
    waited = causes.by_cause(evidence.turns, "read timeout")
    return f"{len(waited)} whole replies ended in a read timeout" if waited else ""
