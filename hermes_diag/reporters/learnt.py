"""What a reader could learn from a file, for whoever is about to pass it on."""

from __future__ import annotations

from hermes_diag.core.learnt import KINDS, NAMES, SECRETS, has_secrets
from hermes_diag.core.report import LearntReport
from hermes_diag.core.text import one_line
from hermes_diag.reporters.sockets_text import BOLD, END, RED, fitted


def lines(report: LearntReport, width: int) -> list[str]:
    """Each kind of thing with some examples, then what was not found; at the end what to do."""
    found = report.found
    text = fitted(f"{BOLD}What a reader of {one_line(report.subject)} could learn{END}", width)
    for one in found:
        more = f", and {one.count - len(one.examples):,} more" if one.count > len(one.examples) else ""
        mark = RED if one.what == SECRETS else BOLD
        examples = ", ".join(map(one_line, one.examples))
        text += fitted(f"{mark}{one.what}{END} ({one.count:,}): {examples}{more}", width, 2)
    if nothing := [kind for kind in KINDS if kind not in {one.what for one in found}]:
        text += fitted(f"found none: {', '.join(nothing)}", width, 2)
    if has_secrets(found):
        text += fitted(
            f"{RED}Do not pass it on{END}: look at these lines first, and change what was given away.", width
        )
    elif any(one.what in NAMES for one in found):
        text += fitted("hermes-diag report FILE --anonymise gives hosts, users and paths pseudonyms.", width)
    return [
        *text,
        *fitted("Found by shape: what looks like an ordinary word is not. Read it before you pass it on.", width),
    ]
