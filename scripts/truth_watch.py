"""How often a watch is right: simulated watches of healthy loads and of leaks, by our verdict and by simpler ones.

scripts/truth watch [--seed N] [--watches N] [--each]

Each watch is made of the births and deaths of single sockets (tests/series.py) and goes through the code that judges a
real one: Tracker, Timeline and verdict.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import series

from hermes_diag.core.sockets import SocketRow
from hermes_diag.core.status import Status
from hermes_diag.watch import trend
from hermes_diag.watch.descriptors import TCP, socket_text
from hermes_diag.watch.records import Ended, Holding, Look, Process, Summary, Watched
from hermes_diag.watch.timeline import Timeline
from hermes_diag.watch.tracker import Tracker

GROWING, CLEAR, UNTOLD = "growing", "clear", "cannot tell"
SAMPLES = (60, 120, 240)
WATCHED = Watched(1, "x", 0.0, 0.0, 10.0, "sock_diag", "")
KINDS = {"healthy": series.HEALTHY, "leak": series.LEAKS, "stopped": series.STOPPED}

Lives = list[series.Life]


def looks(found: Lives, samples: int) -> list[Look]:
    """What each sample of a watch sees. A socket is told by its inode."""
    changes: list[list[tuple[int, bool]]] = [[] for _ in range(samples)]
    remotes: dict[int, int] = {}
    for inode, (born, died, to) in enumerate(found, start=1):
        first, end = (max(0, math.ceil(at * (samples - 1))) if at < 2 else samples for at in (born, died))
        if first < min(end, samples):
            remotes[inode] = to
            changes[first].append((inode, True))
            if end < samples:
                changes[end].append((inode, False))
    alive: dict[int, SocketRow] = {}
    return [_look(alive, i, change, remotes) for i, change in enumerate(changes)]


def _look(alive: dict[int, SocketRow], sample: int, changes: list[tuple[int, bool]], remotes: dict[int, int]) -> Look:
    for inode, comes in changes:
        if comes:
            state = ("CLOSE_WAIT", "ESTABLISHED")[inode % 7 == 0]
            alive[inode] = SocketRow(state, ("10.0.0.1", 1), (f"10.0.1.{remotes[inode]}", 443), inode=inode)
        else:
            del alive[inode]
    process = Process(1, "x", 0.0, 1, 1 << 20, len(alive), 1 << 20)
    fds = {str(inode): (TCP, socket_text(inode)) for inode in alive}
    held = (Holding(1, sample, fds, frozenset({1})),)
    return Look(0.0, (process,), tuple(alive.values()), (), (), frozenset(), (), "sock_diag", "", held)


def summary(seen: Sequence[Look]) -> tuple[Summary, Timeline]:
    """The same samples through the code of a real watch."""
    timeline, tracker = Timeline(WATCHED), Tracker()
    for i, look in enumerate(seen):
        timeline.add(tracker.tick(look, i * WATCHED.interval, 0.0))
    return timeline.summary(Ended("done")), timeline


def ours(found: Summary) -> str:
    return {Status.FAILING: GROWING, Status.CLEAN: CLEAR}.get(found.status, UNTOLD)


# --- other ways to judge -------------------------------------------------------------------------


def slope_and_base(numbers: Sequence[int]) -> str:
    """The slope of the numbers is above 0 for certain, and their base rises in each quarter."""
    one = trend.Series()
    for i, number in enumerate(numbers):
        one.add(i, number)
    word = trend.judge("x", one).word
    return {trend.GROWING: GROWING, trend.TOO_SHORT: UNTOLD}.get(word, CLEAR)


def mann_kendall(numbers: Sequence[int]) -> str:
    """More pairs of samples rise than fall, with a chance below 1 in 20; the slope of Theil and Sen is above 0."""
    n = len(numbers)
    score = sum((b > a) - (b < a) for a, b in itertools.combinations(numbers, 2))
    spread = math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    return GROWING if score > 1.96 * spread else CLEAR


def last_above_first(numbers: Sequence[int]) -> str:
    """The mean of the last tenth is 10 % above that of the first."""
    tenth = max(1, len(numbers) // 10)
    return GROWING if sum(numbers[-tenth:]) > 1.1 * sum(numbers[:tenth]) else CLEAR


def above_50(numbers: Sequence[int]) -> str:
    """There are more than 50 at some time."""
    return GROWING if max(numbers) > 50 else CLEAR


def old_sockets(seen: Sequence[Look]) -> str:
    """The number of old sockets grows by slope and base, and openings of those that are still there go on."""
    words = []
    inodes = [frozenset(row.inode for row in look.rows) for look in seen]
    born = {}
    for i, now in enumerate(inodes):
        for inode in now:
            born.setdefault(inode, i)
    openings = sorted(born[inode] / len(seen) for inode in inodes[-1] if born[inode])
    goes_on = bool(openings) and openings[0] < 0.5 < openings[-1] and openings[len(openings) // 2] > 0.25
    for part in (1 / 16, 1 / 8, 1 / 4):
        age = max(1, round(len(seen) * part))
        words.append(slope_and_base([len(now & then) for now, then in zip(inodes[age:], inodes, strict=False)]))
    if GROWING in words:
        return GROWING if goes_on else CLEAR
    return UNTOLD if UNTOLD in words and goes_on else CLEAR


PEERS: dict[str, Callable[[Sequence[int]], str]] = {
    "slope of the numbers, base rises in each quarter": slope_and_base,
    "Mann-Kendall and Theil-Sen": mann_kendall,
    "last tenth 10 % above the first": last_above_first,
    "more than 50 (the lsof loop)": above_50,
}


# --- the table -----------------------------------------------------------------------------------

Tally = dict[str, dict[tuple[str, str], Counter[str]]]


def run(seed: int, watches: int, peers: bool = True) -> Tally:
    """Judge about so many watches by every rule: rule -> (kind, class) -> words."""
    found: Tally = defaultdict(lambda: defaultdict(Counter))
    classes = [(kind, name, make) for kind, makes in KINDS.items() for name, make in makes.items()]
    for i in range(max(1, watches // len(classes))):
        for kind, name, make in classes:
            rng = random.Random(f"{seed} {name} {i}")
            samples = rng.choice(SAMPLES)
            seen = looks(make(rng), samples)
            told, _ = summary(seen)
            found["those that stay (this tool)"][kind, name][ours(told)] += 1
            if peers:
                numbers = [len(look.rows) for look in seen]
                for title, judge in PEERS.items():
                    found[title][kind, name][judge(numbers)] += 1
                found["number of old sockets, and openings go on"][kind, name][old_sockets(seen)] += 1
    return found


def share(words: dict[tuple[str, str], Counter[str]], kind: str, word: str) -> float:
    """The part of all watches of a kind that got a word."""
    total = sum((counter for (one, _), counter in words.items() if one == kind), Counter[str]())
    return total[word] / total.total()


COLUMNS = (
    ("healthy called growing", "healthy", GROWING),
    ("healthy, cannot tell", "healthy", UNTOLD),
    ("leaks found", "leak", GROWING),
    ("leaks called clear", "leak", CLEAR),
    ("stopped leak called growing", "stopped", GROWING),
)


def table(found: Tally) -> list[str]:
    lines = ["| judged by | " + " | ".join(title for title, _, _ in COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for rule, words in found.items():
        cells = [f"{share(words, kind, word):.1%}" for _, kind, word in COLUMNS]
        lines.append(f"| {rule} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--watches", type=int, default=1500)
    parser.add_argument("--each", action="store_true", help="what became of each class")
    parser.add_argument("--alone", action="store_true", help="our rule only, which takes less time")
    options = parser.parse_args()
    found = run(options.seed, options.watches, not options.alone)
    print("\n".join(table(found)))
    if options.each:
        print("\n| kind | class | growing | clear | cannot tell |\n|---|---|---|---|---|")
        for (kind, name), words in next(iter(found.values())).items():
            print(f"| {kind} | {name.replace('_', ' ')} | {words[GROWING]} | {words[CLEAR]} | {words[UNTOLD]} |")


if __name__ == "__main__":
    main()
