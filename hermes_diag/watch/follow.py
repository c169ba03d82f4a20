"""Follows things by their identity from look to look, and tells what came and what went. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from hermes_diag.core import redact
from hermes_diag.watch.descriptors import FILE, SQLITE
from hermes_diag.watch.records import Holding, Lived

FDS, THREADS = "fds", "threads"

#: Endpoints and files that are followed by name at a time; further ones are followed together.
NAMES = 500
OTHERS = "others"
#: Entries of what went in one sample; more are told in coarser times.
ENTRIES = 160

Groups = tuple[str, ...]


class News:
    """What came and went since the last look, by group."""

    def __init__(self, at: float) -> None:
        self.at = at
        self._born: Counter[str] = Counter()
        self._died: defaultdict[str, Counter[float]] = defaultdict(Counter)

    def born(self, groups: Groups) -> None:
        for group in groups:
            self._born[group] += 1

    def died(self, groups: Groups, came: float) -> None:
        for group in groups:
            self._died[group][came] += 1

    def lives(self) -> dict[str, Lived]:
        names = dict.fromkeys([*self._born, *self._died])
        return {name: Lived(self._born[name], _few(self._died.get(name, {}))) for name in names}


def _few(died: Mapping[float, int]) -> tuple[tuple[float, int], ...]:
    """At most so many moments: neighbours become the earlier one. What was there before the watch stays apart."""
    found = sorted(died.items())
    while len(found) > ENTRIES:
        first = [found.pop(0)] if found[0][0] == 0 else []
        pairs = [found[i : i + 2] for i in range(0, len(found), 2)]
        found = first + [(pair[0][0], sum(count for _, count in pair)) for pair in pairs]
    return tuple(found)


class Names:
    """Names of which things are followed one by one: so many at a time."""

    def __init__(self) -> None:
        self._alive: Counter[str] = Counter()

    def take(self, kind: str, name: str) -> str:
        """The name to follow one more thing by."""
        full = f"{kind} {name}"
        if full not in self._alive and len(self._alive) >= NAMES:
            return f"{kind} {OTHERS}"
        self._alive[full] += 1
        return full

    def leave(self, groups: Groups) -> None:
        for group in groups:
            if group in self._alive:
                self._alive[group] -= 1
                if not self._alive[group]:
                    del self._alive[group]


#: A descriptor or a thread that is followed: what it is, its groups, when it came.
_Thing = tuple[object, Groups, float]


class Belongings:
    """Descriptors and threads of each process."""

    def __init__(self, children: bool = False) -> None:
        self._children = children
        self._names = Names()
        self._versions: dict[int, int] = {}
        self._fds: dict[int, dict[str, _Thing]] = {}
        self._threads: dict[int, dict[int, float]] = {}

    def compare(self, held: tuple[Holding, ...], news: News) -> None:
        """Tell what came and went since the last call."""
        for pid in [pid for pid in self._fds if all(one.pid != pid for one in held)]:
            self._versions.pop(pid)
            self._compare_fds(pid, {}, news)
            del self._fds[pid]
            for came in self._threads.pop(pid).values():
                news.died((THREADS,), came)
        for one in held:
            if self._versions.get(one.pid) != one.version:
                self._versions[one.pid] = one.version
                self._compare_fds(one.pid, one.fds, news)
            threads = self._threads.setdefault(one.pid, {})
            if threads.keys() != one.threads:
                for tid in threads.keys() - one.threads:
                    news.died((THREADS,), threads.pop(tid))
                for tid in one.threads - threads.keys():
                    threads[tid] = news.at
                    news.born((THREADS,))

    def _compare_fds(self, pid: int, fds: Mapping[str, tuple[str, str]], news: News) -> None:
        known = self._fds.setdefault(pid, {})
        for number in [number for number, thing in known.items() if fds.get(number) != thing[0]]:
            _, groups, came = known.pop(number)
            self._names.leave(groups)
            news.died(groups, came)
        for number, what in fds.items():
            if number not in known:
                groups = self._groups(pid, *what)
                known[number] = (what, groups, news.at)
                news.born(groups)

    def _groups(self, pid: int, kind: str, target: str) -> Groups:
        file = (self._names.take("file", redact.name(target)),) if kind.startswith((FILE, SQLITE)) else ()
        whose = (self._names.take("fds of", str(pid)),) if self._children else ()
        return (FDS, f"fds {kind}", *file, *whose)
