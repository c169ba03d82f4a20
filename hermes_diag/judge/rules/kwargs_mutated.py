"""The factory changes the dict it is given."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "kwargs-mutated", "cause", ""
REMEDY = "Copy client_kwargs before adding to them, so that a caller's dict never holds a live client."
REFERENCE = "#11056"


def check(evidence: Evidence) -> Hit | None:
    guilty = [client for client in evidence.clients if client.mutated]
    if not guilty:
        return None
    keys = ", ".join(sorted({key for client in guilty for key in client.mutated}))
    return Hit(
        f"building {len(guilty)} of {len(evidence.clients)} clients changed `{keys}` in the caller's client_kwargs",
        {"mutating_builds": len(guilty), "builds": len(evidence.clients)},
    )
