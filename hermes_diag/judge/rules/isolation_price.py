"""What a pool per request client costs, and what a shared SSLContext saves."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "isolation-price", "note", ""
REMEDY = "Hand one ssl.SSLContext to every fresh http_client (verify=context): the pool must be fresh, it need not."
REFERENCE = "#11072"


def check(evidence: Evidence) -> Hit | None:
    measured = {one.name: one.value for one in evidence.measured}
    try:
        own, shared = measured["client_own_context"], measured["client_shared_context"]
        connection = measured["turn_new_connection"] - measured["turn_reused_connection"]
    except KeyError:
        return None
    return Hit(
        f"a fresh http_client costs {own:.1f} ms, with a shared SSLContext {shared:.2f} ms; "
        f"a new connection costs {max(0.0, connection):.1f} ms a turn on loopback",
        {"client_ms": own, "client_shared_context_ms": shared, "connection_ms": connection},
    )
