"""The pool has smaller limits than the SDK's own client would have."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "limits-shrunk", "note", ""
REMEDY = "Pass the SDK's DEFAULT_CONNECTION_LIMITS to the transport that you inject."
REFERENCE = "#11072"


def check(evidence: Evidence) -> Hit | None:
    stack = evidence.stack
    if stack is None:
        return None
    small = [c for c in evidence.clients if c.max_connections and c.max_connections < stack.max_connections]
    if not small:
        return None
    least = small[0]
    return Hit(
        f"{len(small)} of {len(evidence.clients)} clients have pool limits "
        f"{least.max_connections}/{least.max_keepalive} instead of the SDK's "
        f"{stack.max_connections}/{stack.max_keepalive}",
        {
            "clients": len(small),
            "max_connections": least.max_connections or 0,
            "max_keepalive": least.max_keepalive or 0,
            "sdk_max_connections": stack.max_connections,
            "sdk_max_keepalive": stack.max_keepalive,
        },
        # The pool of the SDK's size is full later: there this is why.
        severity="cause" if causes.by_cause(evidence.turns, causes.POOL_TIMEOUT) else "",
    )
