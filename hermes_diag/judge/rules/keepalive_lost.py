"""Connections without SO_KEEPALIVE: a peer that vanishes silently is never noticed."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import FACTORY
from hermes_diag.core.sockets import ESTABLISHED
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "keepalive-lost", "cause", ""
REMEDY = "Keep the keepalive socket options when you give each client a transport of its own."
REFERENCE = "#10933"


def check(evidence: Evidence) -> Hit | None:
    if evidence.cell.strategy == FACTORY:  # a user's factory did not promise keepalive; `audit` asks for it
        return None
    # Seen on the wire, where streams are held open; only sock_diag tells timers.
    held = [sample for sample in evidence.samples if sample.label == "held" and sample.keepalive is not None]
    sockets = sum(sample.owned.get(ESTABLISHED, 0) for sample in held)
    alive = sum(sample.keepalive or 0 for sample in held)
    if alive >= sockets:
        return None
    return Hit(
        f"{sockets - alive} of {sockets} streams had no keepalive timer while they waited for the provider",
        {"streams": sockets, "without_keepalive": sockets - alive},
    )
