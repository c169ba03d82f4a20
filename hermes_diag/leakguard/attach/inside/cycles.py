"""Whether a set of objects is held by nothing but each other."""

from __future__ import annotations

import gc
import sys

from hermes_diag.leakguard.attach.inside.climb import ASKED, KEEP, OURS


def is_garbage(ids: list[int]) -> bool:
    """Whether only the collector can free them: each reference to one comes from another of them, or is ours."""
    if not ids or any(number not in ASKED for number in ids):
        return False
    inner = dict.fromkeys(ids, 0)
    for number in ids:
        for child in map(id, gc.get_referents(KEEP[number])):
            if child in inner:
                inner[child] += 1
    return all(sys.getrefcount(KEEP[number]) - inner[number] <= OURS for number in ids)
