"""Finds the ways from sockets up to what can be named.

`KEEP` holds the objects that the walk knows, `PARENTS` which of them hold which, by id. What the libraries hold is
followed downwards once; from there it goes upwards with `gc.get_referrers`, for many objects at once, since each call
passes the whole heap.
"""

from __future__ import annotations

import gc
from typing import Any

from hermes_diag.leakguard.attach.inside.kinds import KIND, of_loop
from hermes_diag.leakguard.attach.inside.naming import is_container
from hermes_diag.leakguard.attach.inside.reading import MODULE_TYPE, is_type
from hermes_diag.leakguard.attach.inside.roots import LIBRARY, OWN, ROOTS, weak_root

KEEP: dict[int, Any] = {}
PARENTS: dict[int, list[int]] = {}
#: Objects of whom all holders were asked for.
ASKED: set[int] = set()
#: Objects of the event loop, by class id: whether it is of that kind.
LOOPS: dict[int, bool] = {}
#: Objects that are asked about in one pass, holders of one object that are followed, objects above one.
BATCH, HOLDERS, ABOVE = 24, 40, 400


def link(owner: Any, child: Any) -> None:
    """Note that one holds the other."""
    number = id(child)
    above = PARENTS.get(number)
    if above is None:
        PARENTS[number] = [id(owner)]
    elif len(above) < HOLDERS and id(owner) not in above:
        above.append(id(owner))
    KEEP[number] = child
    KEEP[id(owner)] = owner


def follows(value: Any) -> bool:
    """Whether an object is one to look into: a small container, a cell or a bound method."""
    kind = type(value)
    if kind in (KIND["cell"], KIND["method"]):
        return True
    return is_container(value) and (not kind_has_length(value) or length(value) <= 2000)


def kind_has_length(value: Any) -> bool:
    """Whether the length of a container can be asked for without running code of the program."""
    return type(value) in (dict, list, tuple, set, frozenset, KIND["deque"])


def length(value: Any) -> int:
    """Of a container of a built-in type."""
    return len(value)


def down(picked: list[Any], late: Any) -> None:
    """Follow what the objects of the libraries hold, through containers of theirs."""
    known = set(map(id, picked))
    for number, one in enumerate(picked):
        if number % 128 == 0 and late():
            return
        open_ = [(one, 0)]
        while open_:
            owner, depth = open_.pop()
            for child in gc.get_referents(owner):
                if not gc.is_tracked(child) and type(child) is not KIND["epoll"]:
                    continue
                if id(child) in known:
                    link(owner, child)
                elif depth < 2 and type(child) is not MODULE_TYPE and not is_type(child) and follows(child):
                    link(owner, child)
                    open_.append((child, depth + 1))


def of_the_loop(value: Any) -> bool:
    """Whether an object is the event loop's, remembered by class."""
    cls = type(value)
    known = LOOPS.get(id(cls))
    if known is None:
        known = LOOPS[id(cls)] = of_loop(cls)
    return known


def way(number: int) -> tuple[Any, list[int], dict[int, int], bool]:
    """(the best root, ids from it down to the object, what is above it: id -> the next below, whether a loop holds it)."""
    below: dict[int, int] = {number: 0}
    best: Any = ROOTS.get(number)
    top = number
    looped = False
    row = [number]
    while row and not (best and best[0] == OWN) and len(below) < ABOVE:
        above: list[int] = []
        for child in row:
            for parent in PARENTS.get(child, ()):
                if parent in below:
                    continue
                owner = KEEP[parent]
                if of_the_loop(owner):
                    looped = True
                    continue
                below[parent] = child
                found = ROOTS.get(parent) or weak_root(owner)
                if found is not None and (best is None or found[0] < best[0]):
                    best, top = found, parent
                above.append(parent)
        row = above
    ids = [top]
    while below.get(ids[-1]):
        ids.append(below[ids[-1]])
    return best, ids, below, looped


def up(targets: list[int], own: set[int], spent: Any, limit: float) -> str:
    """Ask for holders until each target has a name, all have been asked about, or time is over; why it stopped early."""
    last = 0.0
    unresolved = targets
    while True:
        unresolved, open_ = unfinished(unresolved)
        if not open_:
            return ""
        if spent() + 1.3 * last > limit:
            return "time"
        batch = choose(open_)
        begun = spent()
        ask(batch, own)
        last = spent() - begun


def unfinished(targets: list[int]) -> tuple[list[int], list[int]]:
    """Targets without a good name, and the objects above them whose holders were not asked for, tops first."""
    unresolved: list[int] = []
    tops: dict[int, None] = {}
    others: dict[int, None] = {}
    for number in targets:
        best, _, above, _ = way(number)
        if best is not None and best[0] < LIBRARY:
            continue
        unresolved.append(number)
        for one in above:
            if one not in ASKED and not is_end(KEEP[one]):
                (others if PARENTS.get(one) else tops)[one] = None
    return unresolved, [*tops, *others]


def is_end(value: Any) -> bool:
    """Whether the way ends here in any case: nobody asks who holds a class or a module."""
    return type(value) is MODULE_TYPE or is_type(value)


def choose(open_: list[int]) -> list[int]:
    """A batch: the first of each type, since what holds one of a hundred alike mostly holds them all."""
    taken: dict[int, int] = {}
    chosen: list[int] = []
    for number in open_:
        kind = id(type(KEEP[number]))
        if taken.get(kind, 0) < 4:
            taken[kind] = taken.get(kind, 0) + 1
            chosen.append(number)
            if len(chosen) == BATCH:
                break
    return chosen


def ask(batch: list[int], own: set[int]) -> None:
    """Find all holders of some objects, and link them with everything known that they hold."""
    # A tuple is passed on as it is, while a list would become one more holder.
    objects = tuple([KEEP[number] for number in batch])
    ASKED.update(batch)
    own = own | {id(objects)}
    holders = gc.get_referrers(*objects)
    seen: dict[int, int] = {}
    del objects
    for owner in holders:
        if id(owner) in own:
            continue
        kind = id(type(owner))
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > 4 * HOLDERS:
            continue
        if is_type(owner):
            ROOTS.setdefault(id(owner), (OWN, "class", ""))
        for child in gc.get_referents(owner):
            if id(child) in KEEP and child is not owner:
                link(owner, child)
