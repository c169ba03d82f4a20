"""How many requests a turn cost, where some were sent again."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import retries
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "requests-per-turn", "note", ""
REMEDY = "Each counts for the quota; where a turn cannot be told, `replay --sessions 1` makes one at a time."
REFERENCE = ""


def check(evidence: Evidence) -> Hit | None:
    sent = retries.sent(evidence)
    turns = sent.turns()
    # What asks the same several times by design has not been sent again.
    repeated = any(retries.failed(first) for requests in turns.values() for first, _ in retries.again(requests))
    untold = sent.untold if any(retries.failed(one) for one in evidence.served if one.api) else 0
    if not repeated and not untold:
        return None
    counts = {turn: len(requests) for turn, requests in turns.items()}
    said = []
    if counts:
        most = max(counts, key=lambda turn: counts[turn])
        said.append(f"{len(counts)} turns cost {sum(counts.values())} requests, {counts[most]} at most (turn {most})")
    if untold:
        said.append(
            f"could not tell the turn of {untold} requests, nor whether they were retries: they carry no name, and "
            "several turns were made between two looks"
        )
    numbers = {"turns": len(counts), "requests": sum(counts.values()), "most": max(counts.values(), default=0)}
    return Hit("; ".join(said), {**numbers, "untold": untold})
