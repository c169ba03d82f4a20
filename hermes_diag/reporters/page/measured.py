"""What was measured in a cell beside its turns, in the words of claims and findings."""

from __future__ import annotations

from collections.abc import Iterator

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import claims
from hermes_diag.judge.rules import isolation_price

_COUNTS = {
    "proxy_connects": "connections through the proxy",
    "requests": "requests attempted",
    "fault_acted": "times that the fault acted",
}


def facts(seen: Evidence) -> Iterator[str]:
    """A sentence for each; what was measured in part only is left out."""
    if price := isolation_price.check(seen):
        yield price.summary
    numbers = {one.name: one.value for one in seen.measured}
    if late := claims.timeout(numbers):
        yield late[-1]
    if limits := claims.limits(numbers):
        yield f"connections at most / kept idle of an injected httpx.Client(): {limits[-1]}"
    for one in seen.measured:
        if one.name in _COUNTS:
            yield f"{_COUNTS[one.name]}: {one.value:,.0f}"
        elif one.name.startswith("refused_") and one.value:
            yield f"refused to Hermes: {one.value:,.0f} {one.unit}"
