"""Tunnels through a proxy whose TLS failed keep their places in the pool for ever."""

from itertools import pairwise

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "tunnels-kept", "problem", "starves"
REMEDY = (
    "Close the client when TLS has failed behind a proxy, and build a new one: only closing its pool frees the places."
)
REFERENCE = ""


def check(evidence: Evidence) -> Hit | None:
    kept = [one.failed_tunnels for one in evidence.pools]
    rose = sum(later > earlier for earlier, later in pairwise(kept))
    # One may be on its way out. What is there at the end, and came in more than one step, has come to stay.
    if not kept or kept[-1] < max(2, *kept) or rose < 2:
        return None
    last = evidence.pools[-1]
    turns = causes.by_cause(evidence.turns, causes.POOL_TIMEOUT)
    starved = f"; {len(turns)} of {len(evidence.turns)} attempts got no connection" if turns else ""
    of = "" if last.limit is None else f" of {last.limit:,}"
    return Hit(
        f"{last.failed_tunnels}{of} places of a pool are kept by tunnels of which no socket is left: the proxy opened "
        f"each, its TLS failed, and the pool does not give its place back{starved}",
        {"tunnels": last.failed_tunnels, "limit": last.limit or 0, "starved": len(turns)},
        tuple(map(causes.name, turns)),
    )
