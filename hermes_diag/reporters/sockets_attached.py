"""What a process that was asked (`sockets --attach`) said, as lines of text and as a part of the JSON document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from hermes_diag.reporters.sockets_text import BOLD, END, MAGENTA, fitted, heading, marked
from hermes_diag.watch.attached import Attached, Holder, PoolSeen
from hermes_diag.watch.records import Look

#: Groups that are shown unless -v asks for all, and descriptors that are named of one.
FEW, NAMED = 12, 6
#: What differs from one of many alike to the next: a number in a list, a key, the name of a task or thread.
_ONE_OF_MANY = re.compile(r"\[[^\]]*\]|'[^']*'")
_SOCKETS = re.compile(r"(?i)socket")
_STOPPED = {
    "time": "the walk was stopped after the time that it may take; for what is not told here ask again",
    "large": "the process has too many objects to be walked in the time that it may stand still; nothing was looked at",
}


def text(found: Attached, seen: Look, width: int, verbose: bool) -> list[str]:
    """Who holds what, grouped by ways that are alike, then the pools."""
    lines = ["", heading("Who holds them, asked inside")]
    said = f"process {found.pid} stood still for {found.pause * 1000:.0f} ms at most; {found.blocks:,} blocks of memory"
    lines += fitted(said + (", all ways found" if found.complete else ""), width, 2)
    if not found.complete:
        lines += fitted(f"{MAGENTA}{_STOPPED.get(found.why, found.why)}{END}", width, 2)
    if found.frozen:
        lines += fitted(f"gc.freeze() hides {found.frozen:,} more: what only they hold has no holder here", width, 2)
    states = {row.fd: row.state for row in seen.rows if row.fd is not None and row.pid in (None, found.pid)}
    groups = sorted(_alike(found.holders), key=lambda group: (not _SOCKETS.search(group[0].kind), -len(group)))
    shown = groups if verbose else groups[:FEW]
    for group in shown:
        lines += _group(group, states, width)
    if len(groups) > len(shown):
        lines += fitted(f"and {len(groups) - len(shown):,} more groups (-v)", width, 2)
    if bare := unheld(found, seen):
        why = (
            "held by C code (uvloop, a database driver) or as a bare number" if found.complete else "not found in time"
        )
        lines += fitted(f"{_numbers(bare)}: {why}", width, 2)
    if found.pools:
        lines += ["", heading("Pools")]
        pools = sorted(found.pools, key=lambda pool: (-pool.lost, -pool.queued, -pool.used))
        for pool in pools if verbose else pools[:FEW]:
            lines += _pool(pool, width)
        if not verbose and len(pools) > FEW:
            lines += fitted(f"and {len(pools) - FEW:,} more pools (-v)", width, 2)
    return lines


def document(found: Attached, seen: Look) -> dict[str, Any]:
    """The part `attached` of the JSON document."""
    return {
        "pid": found.pid,
        "pause_seconds": found.pause,
        "blocks": found.blocks,
        "complete": found.complete,
        "why": found.why,
        "frozen": found.frozen,
        "holders": found.holders,
        "pools": found.pools,
        "unheld": unheld(found, seen),
    }


def unheld(found: Attached, seen: Look) -> list[int]:
    """Descriptors of TCP sockets that no object was found for."""
    if found.why == "large":
        return []
    held = {one.fd for one in found.holders}
    fds = {row.fd for row in seen.rows if row.fd is not None and row.pid in (None, found.pid)}
    fds |= {fd for pid, fd, _ in seen.closed or () if pid == found.pid}
    return sorted(fds - held)


def _alike(holders: Sequence[Holder]) -> list[list[Holder]]:
    groups: dict[tuple[str, ...], list[Holder]] = {}
    for one in holders:
        key = (one.kind, one.root, *(_alike_text(step) for step in one.chain))
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def _alike_text(step: str) -> str:
    return _ONE_OF_MANY.sub(lambda found: "[...]" if found[0][0] == "[" else "'...'", step)


def way(chains: Sequence[tuple[str, ...]]) -> str:
    """The way of several, with [...] where they differ."""
    steps = []
    for same in zip(*chains, strict=True):
        steps.append(same[0] if len(set(same)) == 1 else _alike_text(same[0]))
    return " -> ".join(steps)


def _numbers(fds: Sequence[int]) -> str:
    named = ", ".join(map(str, fds[:NAMED])) + (", ..." if len(fds) > NAMED else "")
    return f"fd{'' if len(fds) == 1 else 's'} {named}"


def _group(group: Sequence[Holder], states: dict[int, str], width: int) -> Iterator[str]:
    fds = [one.fd for one in group]
    counted = Counter(states[fd] for fd in fds if fd in states)
    told = ", ".join(marked(state) + (f" {count}" if len(fds) > 1 else "") for state, count in counted.most_common())
    head = f"{BOLD}{_numbers(fds)}{END}" + (f" ({len(fds):,})" if len(fds) > NAMED else "")
    yield from fitted(f"{head}  {group[0].kind}" + (f"  {told}" if told else ""), width, 2)
    yield from fitted(way([one.chain for one in group]), width, 6, 6)


def _pool(pool: PoolSeen, width: int) -> Iterator[str]:
    limit = "no limit" if pool.limit is None else f"limit {pool.limit:,}"
    lost = f"{pool.lost} taken by no socket"
    said = f"{limit}, {pool.used} in use, {pool.idle} idle, {pool.queued} queued, "
    yield from fitted(f"{BOLD}{pool.kind}{END}  {said}{MAGENTA + lost + END if pool.lost else lost}", width, 2)
    yield from fitted(" -> ".join(pool.chain), width, 6, 6)
