"""Rules: one file each, evidence of one cell in, a hit or nothing out. Pure.

A rule module has CODE (stable), SEVERITY ("problem" breaks turns or leaks, "cause" explains one that was seen,
"could not tell" says what was not judged, "note" informs: how a client differs from the SDK's own is a note), WORD
(what a cell with it is called, "" for nothing), REMEDY, REFERENCE and `check(evidence) -> Hit | None`. Rules are found
by listing this folder.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence, Sample
from hermes_diag.core.report import Finding
from hermes_diag.judge import growth

#: Verdict words, the worst first; a cell without any is ok.
WORDS = ("corrupts", "hangs", "fails", "starves", "leaks", "bypasses", "repeats", "waits", "too short")


@dataclass(frozen=True)
class Hit:
    """What a rule found: a sentence, its numbers, the turns (`session/turn/attempt`) it rests on; and remedy, reference
    and severity where they are not those of the rule."""

    summary: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    turns: tuple[str, ...] = ()
    remedy: str = ""
    reference: str = ""
    severity: str = ""


def state_grows(evidence: Evidence, state: str) -> Hit | None:
    """A hit when the sockets in that state grow from idle gap to idle gap."""
    return count_grows(evidence, state, lambda sample: sample.states.get(state, 0), held="sockets")


def count_grows(
    evidence: Evidence, name: str, count: Callable[[Sample], int | None], least: float = 0.0, held: str = ""
) -> Hit | None:
    """A hit when what `count` finds grows from idle gap to idle gap, by `least` a turn at least.

    What cannot be seen (None) does not grow. held: what is counted, as run/origins.py names it.
    """
    points = [(sample.turns, found) for sample in evidence.idle() if (found := count(sample)) is not None]
    if not growth.grows(points):
        return None
    first, last, per_turn = points[0][1], points[-1][1], growth.per_turn(points)
    if per_turn < least:
        return None
    return Hit(
        f"{name} grew from {first} to {last} over {len(points)} idle gaps, {per_turn:.2f} a turn{_or_fills(evidence)}"
        f"{_opened_at(evidence, held)}",
        {"first": first, "last": last, "gaps": len(points), "per_turn": per_turn},
    )


def _opened_at(evidence: Evidence, held: str) -> str:
    """Which line of the code on trial opened the most of them."""
    places: list[tuple[str, int]] = evidence.facts.get("opened", {}).get(held, [])
    if not places:
        return ""
    place, count = places[0]
    total = sum(number for _, number in places)
    if place:
        return f"; {count} of {total} were opened at {place}"
    if made := evidence.facts.get("defined"):
        return f"; {count} of {total} by requests of clients made at {made['file']}:{made['line']}"
    return ""


def _or_fills(evidence: Evidence) -> str:
    """Of what keeps its clients: how large a pool would have to be to look the same."""
    if not any(client.role == "pooled" for client in evidence.clients):
        return ""
    least = units.count(len(evidence.turns), "client")
    return f"; a pool of more than {least} does so, too (--set until-sure=TURNS takes more)"


@cache
def modules() -> tuple[ModuleType, ...]:
    """Every rule, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(importlib.import_module(f"{__name__}.{name}") for name in names)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """What all rules say of one cell, problems first."""
    found = []
    for rule in modules():
        hit = rule.check(evidence)
        if hit is not None:
            severity = hit.severity or rule.SEVERITY
            remedy, reference = hit.remedy or rule.REMEDY, hit.reference or rule.REFERENCE
            found.append(Finding(rule.CODE, severity, hit.summary, dict(hit.numbers), hit.turns, remedy, reference))
    return tuple(sorted(found, key=lambda one: one.rank))


def word(findings_: tuple[Finding, ...]) -> str:
    """What a cell with these findings is called."""
    by_code = {rule.CODE: rule.WORD for rule in modules()}
    earned = {by_code[finding.code] for finding in findings_}
    return next((word for word in WORDS if word in earned), "ok")
