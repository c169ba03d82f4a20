"""Connections without SO_KEEPALIVE: a peer that vanishes silently is never noticed."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import FACTORY
from hermes_diag.core.sockets import ESTABLISHED
from hermes_diag.judge.rules import Hit
from hermes_diag.worker.contract import HERMES

CODE, SEVERITY, WORD = "keepalive-lost", "note", ""
REMEDY = "Keep the keepalive socket options when you give each client a transport of its own."
REFERENCE = "#10933"
#: Newer releases of Hermes Agent; up to 0.18.0 they set them, and this rule finds nothing.
_ON_PURPOSE = (
    "Nothing to mend: this release sets no socket options on purpose. A provider that vanishes is noticed by the "
    "watchdogs of Hermes."
)


def check(evidence: Evidence) -> Hit | None:
    if evidence.cell.strategy == FACTORY:  # a user's factory did not promise keepalive; `audit` asks for it
        return None
    # Seen on the wire, where streams are held open; only sock_diag tells timers.
    held = [sample for sample in evidence.samples if sample.label == "held" and sample.keepalive is not None]
    sockets = sum(sample.owned.get(ESTABLISHED, 0) for sample in held)
    alive = sum(sample.keepalive or 0 for sample in held)
    if alive >= sockets:
        return None
    hermes = evidence.cell.strategy == HERMES
    return Hit(
        f"{sockets - alive} of {sockets} streams had no keepalive timer while they waited for the provider",
        {"streams": sockets, "without_keepalive": sockets - alive},
        remedy=_ON_PURPOSE if hermes else "",
        reference="#54049" if hermes else "",
    )
