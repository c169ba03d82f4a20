"""The walk: look once, write what was found into one file, leave nothing."""

from __future__ import annotations

import gc
import posix
import sys
import time
from typing import Any

from hermes_diag.leakguard.attach.inside.climb import KEEP, PARENTS, all_asked, down, forth, up, way
from hermes_diag.leakguard.attach.inside.cycles import is_garbage
from hermes_diag.leakguard.attach.inside.kinds import CLASSES, KIND, NAMED, learn, named
from hermes_diag.leakguard.attach.inside.naming import written
from hermes_diag.leakguard.attach.inside.pools import FEW, pools
from hermes_diag.leakguard.attach.inside.reading import kin, peek, type_name
from hermes_diag.leakguard.attach.inside.roots import (
    LIBRARY,
    MODULES,
    OWN,
    ROOTED,
    ROOTS,
    WEAK,
    of_contexts,
    of_modules,
    of_tasks,
    of_threads,
)

#: Memory blocks of Python; two or three are one object of the collector. With more, listing all takes too long.
BLOCKS_LIMIT = 6_000_000
#: Seconds that passing the heap takes for each of them on a machine that is not quick, and that a pass may end late.
PER_BLOCK, SPARE = 80e-9, 0.01
#: Seconds that it takes to write down one way.
TELLING = 80e-6


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


def pick() -> list[Any]:
    """All objects of the classes that are looked for, found by their references to their classes.

    `gc.get_objects` would take longer, and write to every object: memory that is shared with a forked process would
    have to be copied.
    """
    return [one for one in gc.get_referrers(*tuple(CLASSES)) if id(type(one)) in NAMED]


def holders(picked: list[Any]) -> dict[int, int]:
    """id -> descriptor of each object that has one; kept. An epoll object is no object of the collector."""
    found: dict[int, int] = {}
    for one in picked:
        value = peek(one, "_selector") if named(one) == "selector" else one
        number = descriptor(value)
        if number >= 0:
            found[id(value)] = number
            KEEP[id(value)] = value
    return dict(sorted(found.items(), key=fd_of))


def fd_of(pair: tuple[int, int]) -> int:
    """For sorting by descriptor."""
    return pair[1]


def told(number: int, late: bool) -> tuple[str, list[str]]:
    """(kind of the root, the way as steps) of one object."""
    if late:
        return "unfinished", ["not found in time"]
    best, ids, above, looped = way(number)
    finished = all_asked(above)
    weak = best is None or (best[0] == WEAK and best[1] != "task")
    if weak and finished and not looped and is_garbage(list(above)):
        # From the client that is farthest up, if there is one, else from what has the object.
        clients = [one for one in above if named(KEEP[one]) == "client"]
        ids = [(clients or PARENTS.get(number) or [number])[-1 if clients else 0]]
        while above.get(ids[-1]):
            ids.append(above[ids[-1]])
        return "cycle", ["a cycle that only the collector can free", *written("", [KEEP[one] for one in ids])]
    if best is not None and not (finished and looped and best[0] > LIBRARY):
        return best[1], written(best[2], [KEEP[one] for one in ids])
    kind, said = ("loop", "the event loop, which waits for it") if looped else ("unseen", "nothing that Python shows")
    if not finished:
        kind, said = "unfinished", "not found in time"
    return kind, [said, *written("", [KEEP[one] for one in ids])]


def selector(number: int, kind: str, steps: list[str]) -> tuple[str, list[str]]:
    """The way, but of an epoll object without one, whose holders are not asked for: event loops alone have such."""
    if kind == "unfinished" and type(KEEP[number]) is KIND["epoll"]:
        return kind, ["the selector of an event loop"]
    return kind, steps


def walk(ours: Any, begun: float, limit: float) -> dict[str, Any]:
    """What has which descriptor, who holds it, what is in the pools. limit: seconds after which nothing is begun."""

    def spent() -> float:
        return time.perf_counter() - begun

    def late() -> bool:
        return bool(spent() > limit)

    def half() -> bool:  # after following thousands of clients there must be time for the rest
        return bool(spent() > limit / 2)

    begun_cpu = time.thread_time()
    learn()
    if not getattr(sys, "_is_gil_enabled", bool)():
        return {"refused": "free-threaded"}
    blocks = sys.getallocatedblocks()
    if blocks > BLOCKS_LIMIT:
        return {"refused": "large", "blocks": blocks}
    of_threads(ours)
    of_modules(0, late)
    forth(OWN, 6_000, late)
    add([], half)
    # As much longer as the machine lets us wait for a processor; a few milliseconds tell that badly.
    passed = blocks * PER_BLOCK * min(2.0, max(1.0, spent() / max(time.thread_time() - begun_cpu, 1e-6)))
    in_time = spent() + passed < limit + SPARE
    if in_time:
        passed = spent()
        add(pick(), half)
        passed = spent() - passed
    of_modules(1, late)
    forth(OWN, 3_000, late)
    forth(WEAK, 3_000, late)
    found = all_found(ours, spent, limit, passed, not in_time or late())
    return {"blocks": blocks, "frozen": gc.get_freeze_count(), **found}


def all_found(ours: Any, spent: Any, limit: float, passed: float, stop: bool) -> dict[str, Any]:
    """What has descriptors and what is in the pools, with who holds it. stop: no pass of the heap more."""

    def late() -> bool:
        return bool(spent() > limit)

    picked = [one for one in KEEP.values() if id(type(one)) in NAMED]
    targets = holders(picked)
    counted = [(id(KEEP.setdefault(id(pool), pool)), kind, counts) for pool, kind, counts in pools(picked, late)]
    picked.clear()  # the references that are left to count are those in KEEP
    sought = [*(one for one in targets if type(KEEP[one]) is not KIND["epoll"]), *(number for number, _, _ in counted)]
    own = set(map(id, (KEEP, PARENTS, ROOTS, ROOTED, CLASSES, MODULES, ours)))
    before = limit - min(len(sought) * TELLING, limit / 2)
    why = "time" if stop else up(sought, own, spent, before, passed)
    over = late()
    named_ = [
        [fd, type_name(type(KEEP[number])), *selector(number, *told(number, at >= FEW and late()))]
        for at, (number, fd) in enumerate(targets.items())
    ]
    seen = [[kind, *told(one, at >= FEW and late()), *counts] for at, (one, kind, counts) in enumerate(counted)]
    cut = late() and len(targets) + len(counted) > FEW
    return {"why": why or ("time" if over or cut else ""), "holders": named_, "pools": seen}


def add(picked: list[Any], late: Any) -> None:
    """Take in objects that are looked for, follow what they hold, and what tasks wait with."""
    known = {id(one) for one in KEEP.values() if id(type(one)) in NAMED}
    for one in picked:
        KEEP[id(one)] = one
    new = [one for one in KEEP.values() if id(type(one)) in NAMED and not (picked and id(one) in known)]
    down(new, late)
    tasks = [one for one in new if named(one) == "task"]
    of_tasks(tasks, late)
    of_contexts(tasks)


def as_json(value: Any) -> str:
    """JSON, without the module for it, which the program may not have loaded."""
    if value is None:
        return "null"
    if type(value) is str:
        plain = value.isascii() and value.isprintable() and '"' not in value and "\\" not in value
        return '"' + (value if plain else "".join(map(escaped, value))) + '"'
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


def run(ours: Any, begun: float, path: str, limit: float) -> int:
    """All of it. The collector rests meanwhile: what it found would run code of the program.

    The number of a signal whose handler raised meanwhile, else 0: it was meant for the program.
    """
    collects = gc.isenabled()
    gc.disable()
    signalled = 0
    try:
        try:
            found = walk(ours, begun, limit)
        except BaseException as exc:
            line = exc.__traceback__
            while line is not None and line.tb_next is not None:
                line = line.tb_next
                signalled = signalled or signal_of(line.tb_frame, ours)
            found = {"failed": type(exc).__name__, "line": line.tb_lineno if line is not None else 0}
            if type(exc) is KeyboardInterrupt:
                signalled = signalled or 2
            del line, exc
        for one in (KEEP, PARENTS, ROOTS, ROOTED, CLASSES, MODULES):
            one.clear()
        write(path, as_json(found), begun)
    finally:
        if collects:
            gc.enable()
    return signalled


def signal_of(frame: Any, ours: Any) -> int:
    """The signal that a handler of the program was called for: its first argument. 0: the frame is of no handler."""
    code = frame.f_code
    if frame.f_globals is ours or code.co_argcount < 1 or type(frame.f_locals) is not KIND.get("locals"):
        return 0
    found = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
    return next((one for one in found if type(one) is int), 0)
