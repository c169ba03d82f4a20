"""Request clients that should be fresh share one http_client."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit
from hermes_diag.worker.contract import HERMES

CODE, SEVERITY, WORD = "transport-shared", "cause", ""
REMEDY = "Give every request client an http_client of its own; share the SSLContext, not the pool."
REFERENCE = "#11070, #11072"


def check(evidence: Evidence) -> Hit | None:
    requests = [client for client in evidence.clients if client.role == "request"]
    # Newer releases of Hermes share transports on purpose: what counts is whether that broke a turn.
    if evidence.cell.strategy == HERMES and not causes.by_cause(evidence.turns, causes.CLIENT_CLOSED):
        return None
    transports = {client.http_client for client in requests}
    if len(transports) >= len(requests):
        return None
    return Hit(
        f"{len(requests)} request clients have {len(transports)} http_client between them",
        {"request_clients": len(requests), "http_clients": len(transports)},
    )
