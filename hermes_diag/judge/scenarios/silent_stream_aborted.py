"""A silent stream is given up from another thread: its reader stays, on a socket without an owner."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Conditions
from hermes_diag.core.sockets import ESTABLISHED

REFERENCE = "#11070"
BAD = {
    "workload": "aborted",
    "fault": "first-event-then-silence",
    "turns": 5,
    "timeout": 20.0,
    "conditions": Conditions(abort="close"),
}
GOOD = {**BAD, "conditions": Conditions(abort="shutdown")}


def shows(evidence: Evidence) -> str:
    idle = evidence.idle()
    ownerless = [sample.ownerless(ESTABLISHED) for sample in idle]
    threads = [sample.threads or 0 for sample in idle]
    if not ownerless or ownerless[-1] < len(ownerless) - 1:
        return ""
    return f"{ownerless[-1]} ESTABLISHED sockets without an owner, threads from {threads[0]} to {threads[-1]}"
