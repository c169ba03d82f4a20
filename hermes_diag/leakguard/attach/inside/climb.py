"""Finds the ways from sockets up to what can be named.

`KEEP` holds the objects that the walk knows, `PARENTS` which of them hold which, by id. What the libraries hold is
followed downwards once; from there it goes upwards with `gc.get_referrers`, for many objects at once, since each call
passes the whole heap.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from hermes_diag.leakguard.attach.inside.kinds import CONTAINERS, KIND, NAMED, named, of_library, of_loop
from hermes_diag.leakguard.attach.inside.naming import is_container
from hermes_diag.leakguard.attach.inside.reading import MODULE_TYPE, is_type
from hermes_diag.leakguard.attach.inside.roots import LIBRARY, OWN, ROOTED, ROOTS, weak_root

KEEP: dict[int, Any] = {}
PARENTS: dict[int, list[int]] = {}
#: Objects of whom all holders are known.
ASKED: set[int] = set()
#: Objects of the event loop, by class id: whether it is of that kind.
LOOPS: dict[int, bool] = {}
#: References of ours to an object while they are counted: in KEEP, and as an argument.
OURS = 2
#: What was gone forth from.
WENT: set[int] = set()
#: Objects that are asked about in one pass, and of these how many of one type; holders of one object that are followed;
#: objects above one. A pass costs as much as the heap is large, and half as much again for each twelve objects.
BATCH, ALIKE, HOLDERS, ABOVE = 48, 24, 40, 400
#: Targets that are looked at together.
TOGETHER = 200
#: How many steps to go on without a find from what can be named; how many steps to go down from a pool; how many
#: objects around new holders are looked at in one pass.
VAIN, DOWN, AROUND = 4, 14, 1500


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
    """Whether an object only hands on what it has: a container, a variable of a function, a bound method."""
    kind = type(value)
    return kind is KIND["cell"] or kind is KIND["method"] or is_container(value)


def down(picked: list[Any], late: Any) -> None:
    """Follow what pools and clients hold, one after the other, through objects of the libraries and containers."""
    seen: set[int] = set()
    for one in picked:
        if late():
            return
        open_ = [(one, 0)] if named(one) not in ("socket", "file", "task") else []
        while open_:
            owner, depth = open_.pop()
            if id(owner) in seen:
                continue
            seen.add(id(owner))
            for child in gc.get_referents(owner):
                if id(child) in KEEP or (
                    depth < DOWN and gc.is_tracked(child) and passable(child) and (of_library(child) or follows(child))
                ):
                    link(owner, child)
                    if id(child) not in seen and not of_the_loop(child):
                        open_.append((child, depth + 1))


def forth(rank: int, most: int, late: Any) -> None:
    """Go from what can be named, up to that rank, towards what is looked for: most that the program has is found so.

    most: objects that are passed.
    """
    row = []
    for one in ROOTED:
        if ROOTS[id(one)][0] <= rank and id(one) not in WENT:
            WENT.add(id(one))
            if id(type(one)) in NAMED:
                KEEP[id(one)] = one
            if passable(one) or type(one) is KIND["function"]:
                row.append(one)
    visited: dict[int, tuple[Any, int]] = {id(one): (one, 0) for one in row}
    limit = len(visited) + most
    vain = 0
    while row and vain < VAIN:
        vain += 1
        below: list[Any] = []
        for at, owner in enumerate(row):
            if len(visited) > limit or (at % 64 == 0 and late()):
                return
            if id(owner) in KEEP and PARENTS.get(id(owner)) and named(owner):
                continue  # what a pool holds has been followed
            for child in gc.get_referents(owner):
                number = id(child)
                if number in KEEP or id(type(child)) in NAMED:
                    link_way(visited, owner, child)
                    vain = 0
                if number in visited or number in WENT or not gc.is_tracked(child) or not passable(child):
                    continue
                visited[number] = (child, id(owner))
                below.append(child)
        row = below


def passable(value: Any) -> bool:
    """Whether the way may lead through an object: no class, module or large container."""
    cls = type(value)
    if cls is MODULE_TYPE or cls is type or (cls is KIND["function"] and not value.__closure__) or is_type(value):
        return False
    return id(cls) not in CONTAINERS or len(value) <= 5000


def link_way(visited: dict[int, tuple[Any, int]], owner: Any, child: Any) -> None:
    """Note the way by which a known object was reached."""
    while True:
        link(owner, child)
        child, number = owner, visited[id(owner)][1]
        if not number or id(child) not in visited:
            return
        owner = visited[number][0]


def of_the_loop(value: Any) -> bool:
    """Whether an object is the event loop's, remembered by class."""
    cls = type(value)
    known = LOOPS.get(id(cls))
    if known is None:
        known = LOOPS[id(cls)] = of_loop(cls)
    return known


def way(number: int) -> tuple[Any, list[int], dict[int, int], bool]:
    """(the best root, ids from it down to the object, what is above it: id -> the next below, whether a loop holds it).

    Without a root the ids begin with what is farthest up.
    """
    below: dict[int, int] = {number: 0}
    best: Any = ROOTS.get(number)
    top = farthest = number
    looped = False
    row = [number]
    while row and not (best and best[0] == OWN) and len(below) < ABOVE:
        farthest = row[-1]
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
    ids = [top if best else farthest]
    while below.get(ids[-1]):
        ids.append(below[ids[-1]])
    return best, ids, below, looped


def all_asked(above: dict[int, int]) -> bool:
    """Whether nobody is left above an object whose holders were not asked for."""
    return all(one in ASKED or is_end(KEEP[one]) for one in above)


def up(targets: list[int], own: set[int], spent: Any, limit: float, last: float) -> str:
    """Ask for holders until each target has a name, all have been asked about, or time is over; why it stopped early.

    last: seconds that a pass may take, as far as is known before the first.
    """

    def late() -> bool:
        return bool(spent() > limit)

    for start in range(0, len(targets), TOGETHER):
        unresolved = targets[start : start + TOGETHER]
        while True:
            if late():
                return "time"
            unresolved, open_ = unfinished(unresolved)
            if not open_:
                break
            if spent() + 1.3 * last > limit:
                return "time"
            batch = choose(open_)
            begun = spent()
            ask(batch, own, late)
            last = spent() - begun
    return ""


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
            if one in ASKED or is_end(KEEP[one]):
                continue
            if is_settled(one):
                ASKED.add(one)
            else:
                (others if PARENTS.get(one) else tops)[one] = None
    return unresolved, [*tops, *others]


def is_settled(number: int) -> bool:
    """Whether all that holds an object is known: its references are counted, so that no pass of the heap is needed."""
    known = 0
    for parent in PARENTS.get(number, ()):
        holder = KEEP[parent]
        if not passable(holder) or (id(type(holder)) in CONTAINERS and len(holder) > 300):
            return False
        known += list(map(id, gc.get_referents(holder))).count(number)
    return known > 0 and sys.getrefcount(KEEP[number]) - known <= OURS


def is_end(value: Any) -> bool:
    """Whether the way ends here in any case: nobody asks who holds a class or a module."""
    return type(value) is MODULE_TYPE or is_type(value)


def choose(open_: list[int]) -> list[int]:
    """A batch: the first of each type, since what holds one of a hundred alike mostly holds them all."""
    taken: dict[int, int] = {}
    chosen: list[int] = []
    for number in open_:
        kind = id(type(KEEP[number]))
        if taken.get(kind, 0) < ALIKE:
            taken[kind] = taken.get(kind, 0) + 1
            chosen.append(number)
            if len(chosen) == BATCH:
                break
    return chosen


def ask(batch: list[int], own: set[int], late: Any) -> None:
    """Find all holders of some objects, and link them with everything known that they hold."""
    # A tuple is passed on as it is, while a list would become one more holder.
    objects = tuple([KEEP[number] for number in batch])
    own = own | {id(objects)}
    holders = gc.get_referrers(*objects)
    seen: dict[int, int] = {}
    del objects
    room = AROUND
    for owner in holders:
        if late():
            return
        if id(owner) in own:
            continue
        kind = id(type(owner))
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > 4 * HOLDERS:
            continue
        if is_type(owner):
            ROOTS.setdefault(id(owner), (OWN, "class", ""))
        for child in gc.get_referents(owner):
            if id(child) in KEEP:
                link(owner, child)
        if room > 0 and passable(owner) and ROOTS.get(id(owner)) is None:
            room -= around(owner)
    ASKED.update(batch)


def around(holder: Any) -> int:
    """Look a little downwards from a new holder: in a cycle its own holders are found there, without one more pass.

    The number of objects that were looked at.
    """
    visited: dict[int, tuple[Any, int]] = {id(holder): (holder, 0)}
    row = [holder]
    for owner in row:  # which grows
        for child in gc.get_referents(owner):
            number = id(child)
            if number in KEEP:
                link_way(visited, owner, child)
            if number in visited or number in ROOTS or not gc.is_tracked(child) or not passable(child):
                continue
            if len(visited) < AROUND // 10:
                visited[number] = (child, id(owner))
                row.append(child)
    return len(visited)
