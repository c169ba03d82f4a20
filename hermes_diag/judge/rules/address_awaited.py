"""Every turn waits for an address that does not answer, before it tries the next one."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "address-awaited", "problem", "waits"
REMEDY = "Try the next address after a quarter of a second (RFC 8305), or give a short connect timeout."
REFERENCE = "#13834, #94388"

#: Seconds. A client that tries the next address soon waits for none of them as long.
LEAST = 1.0


def check(evidence: Evidence) -> Hit | None:
    awaited: list[float] = evidence.facts.get("awaited", [])
    if len(awaited) < len(evidence.turns) or not awaited or min(awaited) < LEAST:
        return None
    return Hit(
        f"the first of the provider's two addresses does not answer: each of {len(awaited)} turns would wait "
        f"{min(awaited):g} s for it, or until the kernel (about two minutes) or a watchdog gives up",
        {"turns": len(awaited), "least_seconds": min(awaited)},
    )
