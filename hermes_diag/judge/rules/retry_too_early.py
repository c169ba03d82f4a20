"""A request is sent again before the wait is over that the provider asked for."""

from hermes_diag.core.evidence import Evidence, Served
from hermes_diag.judge import retries
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "retry-too-early", "problem", "repeats"
REMEDY = "Wait as long as Retry-After or retry-after-ms says before the next try; the SDK's own retries do, up to 60 s."
REFERENCE = ""

#: What a client may be too early by: a tenth of the wait, but no more and no less than so many seconds (clocks differ).
MOST, LEAST = 0.1, 0.005


def check(evidence: Evidence) -> Hit | None:
    told, early = 0, []
    for name, requests in retries.sent(evidence).attempts.items():
        for first, then in retries.again(requests):
            told += first.wait is not None
            if (missing := _missing(first, then)) > 0:
                early.append((missing, name, first, then))
    if not early:
        return None
    _, name, first, then = max(early, key=lambda one: one[0])
    return Hit(
        f"{len(early)} of {told} retries came before the wait was over that the provider had told: in turn {name} "
        f"after {_waited(first, then):.2f} s instead of {first.wait:g} s",
        {"early": len(early), "retries": told, "waited": round(_waited(first, then), 3), "told": first.wait or 0.0},
        tuple(dict.fromkeys(one[1] for one in early)),
    )


def _waited(first: Served, then: Served) -> float:
    assert first.over is not None
    assert then.at is not None
    return max(0.0, then.at - first.over)


def _missing(first: Served, then: Served) -> float:
    """Seconds by which a retry came too early, 0 when it did not."""
    if first.wait is None:
        return 0.0
    tolerance = min(MOST, max(LEAST, first.wait / 10))
    return max(0.0, first.wait - tolerance - _waited(first, then))
