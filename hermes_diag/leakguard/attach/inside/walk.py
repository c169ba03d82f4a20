"""The walk: look once, write what was found into one file, leave nothing."""

from __future__ import annotations

import gc
import posix
import sys
import time
from typing import Any

from hermes_diag.leakguard.attach.inside.climb import PASSES, KEEP, PARENTS, all_asked, down, forth, up, way
from hermes_diag.leakguard.attach.inside.cycles import is_garbage
from hermes_diag.leakguard.attach.inside.kinds import KIND, learn, wanted_types
from hermes_diag.leakguard.attach.inside.naming import written
from hermes_diag.leakguard.attach.inside.pools import pools
from hermes_diag.leakguard.attach.inside.reading import kin, peek, type_name
from hermes_diag.leakguard.attach.inside.roots import LIBRARY, ROOTED, ROOTS, of_contexts, of_modules, of_tasks, of_threads

#: Memory blocks of Python; two or three are one object of the collector. With more, listing all takes too long.
BLOCKS_LIMIT = 9_000_000
#: Sockets and other things with a descriptor that are followed.
MOST = 4000


def descriptor(value: Any) -> int:
    """The descriptor that an object has, -1 where it has none (any more)."""
    for kind in ("socket", "file", "epoll"):
        base = KIND[kind]
        if base is not None and kin(value, base):
            try:
                return int(base.fileno(value))
            except ValueError:
                return -1
    return -1


def pick(wanted: dict[int, Any]) -> tuple[int, list[Any]]:
    """How many objects there are, and those of the wanted types."""
    everything = gc.get_objects()
    tools = sys.modules.get("itertools")
    if tools is not None:
        compress: Any = tools.compress
        picked = list(compress(everything, map(wanted.__contains__, map(id, map(type, everything)))))
    else:
        picked = [one for one in everything if id(type(one)) in wanted]
    return len(everything), picked


def holders(picked: list[Any]) -> dict[int, int]:
    """id -> descriptor of each object that has one; kept. An epoll object is no object of the collector."""
    found: dict[int, int] = {}
    for one in picked:
        value = peek(one, "_selector") if type_name(type(one)) == "selectors.EpollSelector" else one
        number = descriptor(value)
        if number >= 0:
            found[id(value)] = number
            KEEP[id(value)] = value
    return dict(sorted(found.items(), key=fd_of)[:MOST])


def fd_of(pair: tuple[int, int]) -> int:
    """For sorting by descriptor."""
    return pair[1]


def told(number: int) -> tuple[str, list[str]]:
    """(kind of the root, the way as steps) of one object."""
    best, ids, above, looped = way(number)
    finished = all_asked(above)
    if best is not None and not (finished and looped and best[0] > LIBRARY):
        return best[1], written(best[2], [KEEP[one] for one in ids])
    if finished and not looped and is_garbage(list(above)):
        nearest = [*PARENTS.get(number, ())[:1], number]
        return "cycle", ["a cycle that only the collector can free", *written("", [KEEP[one] for one in nearest])]
    kind, said = ("loop", "the event loop, which waits for it") if looped else ("unseen", "nothing that Python shows")
    if not finished:
        kind, said = "unfinished", "not found in the time"
    return kind, [said, *written("", [KEEP[one] for one in ids])]


def walk(ours: Any, begun: float, limit: float) -> dict[str, Any]:
    """What has which descriptor, who holds it, what is in the pools. limit: seconds after which nothing is begun."""

    def spent() -> float:
        return time.perf_counter() - begun

    def late() -> bool:
        return spent() > limit

    learn()
    if not getattr(sys, "_is_gil_enabled", bool)():
        return {"refused": "free-threaded"}
    blocks = sys.getallocatedblocks()
    if blocks > BLOCKS_LIMIT:
        return {"refused": "large", "blocks": blocks}
    wanted = wanted_types()
    count, picked = pick(wanted)
    of_threads(ours)
    targets = holders(picked)
    counted = [(id(KEEP.setdefault(id(pool), pool)), kind, counts) for pool, kind, counts in pools(picked)]
    down(picked, late)
    of_tasks([one for one in picked if KIND["task"] is not None and kin(one, KIND["task"])], late)
    of_contexts([one for one in picked if type(one) is KIND["context"]])
    of_modules(late)
    sought = [*targets, *(number for number, _, _ in counted)]
    forth(sought, late)
    picked.clear()  # the references that are left to count are those in KEEP
    before = spent()
    own = set(map(id, (KEEP, PARENTS, ROOTS, ROOTED, ours, wanted)))
    why = "time" if late() else up(sought, own, spent, limit)
    after = spent()
    late_for_names = 1.2 * limit
    return {
        "objects": count,
        "why": why,
        "frozen": gc.get_freeze_count(),
        "times": [before, after],"passes":PASSES,
        "holders": [
            [fd, type_name(type(KEEP[number])), *told(number)]
            for number, fd in targets.items()
            if spent() < late_for_names
        ],
        "pools": [[kind, *told(number), *counts] for number, kind, counts in counted],
    }


def as_json(value: Any) -> str:
    """JSON, without the module for it, which the program may not have loaded."""
    if value is None:
        return "null"
    if type(value) is str:
        return '"' + "".join(map(escaped, value)) + '"'
    if type(value) is dict:
        return "{" + ",".join(f"{as_json(key)}:{as_json(one)}" for key, one in value.items()) + "}"
    if type(value) is list or type(value) is tuple:
        return "[" + ",".join(map(as_json, value)) + "]"
    return f"{value:.6f}" if type(value) is float else str(int(value))


def escaped(letter: str) -> str:
    """One character of a JSON string in ASCII."""
    if letter in '"\\':
        return "\\" + letter
    if " " <= letter <= "~":
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else "?"


def write(path: str, text: str, begun: float) -> None:
    """Write into a new file, then how long it took; the name is right once all is in it."""
    part = posix.open(path + ".part", posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o600)
    try:
        for piece in (text, None):
            data = (piece or f"\n{time.perf_counter() - begun:.6f}\n").encode()
            while data:
                data = data[posix.write(part, data) :]
    finally:
        posix.close(part)
    posix.rename(path + ".part", path)


def run(ours: Any, begun: float, path: str, limit: float) -> None:
    """All of it. The collector rests meanwhile: what it found would run code of the program."""
    collects = gc.isenabled()
    gc.disable()
    try:
        try:
            found = walk(ours, begun, limit)
        except Exception as exc:
            line = exc.__traceback__
            while line is not None and line.tb_next is not None:
                line = line.tb_next
            found = {"failed": type(exc).__name__, "line": line.tb_lineno if line is not None else 0}
        for one in (KEEP, PARENTS, ROOTS, ROOTED):
            one.clear()
        write(path, as_json(found), begun)
    finally:
        if collects:
            gc.enable()
