"""A whole watch in one sentence and one status. Pure.

Nothing is said that was not seen: sockets that stay are told with how many there are, since when, and what happened
meanwhile; where two explanations fit, both are told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hermes_diag.core import units
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED
from hermes_diag.core.status import Status
from hermes_diag.watch import backlog, lives, ports, shared, still, trend
from hermes_diag.watch.follow import FDS, OTHERS, THREADS
from hermes_diag.watch.records import Course, Ended, Held, Tick, Watched
from hermes_diag.watch.tracker import SOCKETS, UNTOUCHED

#: Contributors that are named; the rest is counted.
_NAMED = 5


class Limit(NamedTuple):
    """When a process reaches its soft limit of fds. The first is the smallest."""

    seconds: float
    pid: int
    limit: int


@dataclass(frozen=True)
class Seen:
    """What a verdict rests on."""

    watched: Watched
    last: Tick | None
    courses: tuple[Course, ...]  # those that are judged
    lives: Mapping[str, lives.Lives]
    held: tuple[Held, ...]
    ended: Ended
    first_to_fail: Limit | None
    processes: int
    opened_since: Counter[str]  # by endpoint, since the last one came into CLOSE_WAIT
    same_since: float  # when that was
    entered: int  # into CLOSE_WAIT
    samples: int
    full: tuple[int, int, int] | None  # the process that was at its limit last: PID, fds, limit
    full_samples: int  # in which one was
    still: float = 0.0  # seconds in which nothing could happen

    def words(self, word: str) -> list[Course]:
        return [course for course in self.courses if course.word == word]

    def course(self, name: str) -> Course | None:
        return next((course for course in self.courses if course.name == name), None)


def status(seen: Seen) -> Status:
    """With conditions only they count, without them what was found does.

    One thread or descriptor more at the end of a watch is normal and leaves the verdict clean. Where more of them
    have come and stay, or any CLOSE_WAIT socket, and whether they grow could not be told, the watch could not tell.
    """
    if seen.ended.how == "lost":
        return Status.COULD_NOT_TELL
    if seen.held:
        if any(one.held for one in seen.held):
            return Status.FAILING
        return Status.COULD_NOT_TELL if any(one.held is None for one in seen.held) else Status.CLEAN
    if seen.last is None or still.mostly(seen.still, seen.last.at):
        return Status.COULD_NOT_TELL
    harm = _full(seen) or _abandoned(seen) or _used_up(seen) or _not_accepting(seen)
    if harm or seen.words(trend.GROWING) or seen.first_to_fail:
        return Status.FAILING
    return Status.COULD_NOT_TELL if _doubtful(seen) or _soon(seen) else Status.CLEAN


def text(seen: Seen) -> str:
    """What became of the conditions, and what was found."""
    return "; ".join(filter(None, (_said(seen.held), _found(seen))))


def _said(held: tuple[Held, ...]) -> str:
    """What became of the conditions, "" without any: they alone decide the exit code."""
    if not held:
        return ""
    true = [one.condition for one in held if one.held]
    untold = [one.condition for one in held if one.held is None]
    if true or untold:
        return "; ".join([*(f"{one} holds" for one in true), *(f"cannot tell whether {one}" for one in untold)])
    return "no condition of --fail-on holds"


def _found(seen: Seen) -> str:
    if seen.last is None:
        return "no sample was taken: nothing can be said"
    parts = [still.text(seen.still, seen.last.at), _full(seen), _abandoned(seen), _used_up(seen), _not_accepting(seen)]
    if seen.words(trend.GROWING) or seen.first_to_fail:
        parts.append(_growing(seen))
    elif doubtful := _doubtful(seen):
        parts.append(f"too short to tell: {_names(doubtful)}{_longer(doubtful)}")
    elif short := _soon(seen):
        parts.append(short)
    elif not any(parts[1:]):
        parts.append("bursty but returning to base" if seen.words(trend.BURSTY) else "steady")
        parts += [_same(seen), _unread(seen), _ports(seen), _slowest(seen)]
        if named := _names(seen.words(trend.TOO_SHORT)):
            parts.append(f"too short to tell: {named}")
    if seen.last.shared:
        parts.append(shared.text(seen.last.shared))
    return "; ".join(filter(None, parts))


def _names(found: Sequence[Course]) -> str:
    return ", ".join(course.name for course in found)


def _doubtful(seen: Seen) -> list[Course]:
    return [one for one in seen.words(trend.TOO_SHORT) if one.name == CLOSE_WAIT or one.stay > 1]


def _longer(doubtful: Sequence[Course]) -> str:
    needed = max((one.tells or 0.0 for one in doubtful), default=0.0)
    return f"; watch for {units.at_least(needed)} at least" if needed else ""


def _slowest(seen: Seen) -> str:
    """What a quiet watch does not exclude."""
    rates = [one.at_most for one in seen.courses if one.at_most and one.name in (CLOSE_WAIT, ESTABLISHED, FDS)]
    return f"a leak slower than {units.rate(max(rates))} would not have shown" if rates else ""


# --- growth --------------------------------------------------------------------------------------


def _growing(seen: Seen) -> str:
    found = seen.words(trend.GROWING)
    names = {course.name for course in found}
    if names & {CLOSE_WAIT, ESTABLISHED}:
        names.discard(SOCKETS)
    if FDS in names:
        names = {name for name in names if not name.startswith("fds ")}
    order = {CLOSE_WAIT: 0, ESTABLISHED: 1, SOCKETS: 2}
    first_named = sorted((one for one in found if one.name in names), key=lambda one: order.get(one.name, 3))
    parts = [f"{one.name} by {units.rate(one.per_hour or 0)}" for one in first_named]
    first = seen.first_to_fail
    if not parts and first:
        parts = [f"fds of process {first.pid}"]
    return "; ".join(filter(None, ["growing: " + ", ".join(parts), *_whereto(seen, found), _until(seen)]))


def _until(seen: Seen) -> str:
    first = seen.first_to_fail
    if not first:
        return ""
    after = units.duration(first.seconds)
    if seen.processes == 1:
        return f"at this rate the soft limit of {first.limit:,} fds is reached in {after}"
    return f"at this rate process {first.pid} reaches its soft limit of {first.limit:,} fds in {after}"


def _whereto(seen: Seen, found: Sequence[Course]) -> list[str]:
    """Everything that stays, by endpoint, kind, file and process, each with its share."""
    said = []
    towards, kinds, files, processes = (_shares(seen, prefix) for prefix in ("to ", "fds ", "file ", "fds of "))
    if towards and any(one.name != THREADS for one in found):
        of = units.count(towards.total(), "socket")
        said.append(f"of {of} that came meanwhile and stay {_listed(towards, 'towards ', 'further endpoints')}")
    if kinds and any(one.name.startswith(FDS) for one in found):
        said.append(f"of {units.count(kinds.total(), 'descriptor')} {_listed(kinds)}{_together(kinds)}")
        if files:
            said.append(f"of {units.count(files.total(), 'file')} {_listed(_by_folder(files), '', 'further files')}")
        if processes:
            said.append(f"of the descriptors {_listed(processes, 'in process ')}")
    return said


def _shares(seen: Seen, prefix: str) -> Counter[str]:
    """What came in the watch and stays, by the rest of its name: that which is older than an eighth of the watch."""
    shares = Counter[str]()
    for name, one in seen.lives.items():
        if name.startswith(prefix) and (prefix == "fds of ") == name.startswith("fds of "):
            shares[name.removeprefix(prefix)] = one.stay(lives.OLD[1]).count
    return +shares


def _by_folder(files: Counter[str]) -> Counter[str]:
    """Files by name where there are few names, else by the folder they are in."""
    if len(files) <= _NAMED:
        return files
    folders = Counter[str]()
    for path, count in files.items():
        folders[path if path == OTHERS else f"in {path.rpartition('/')[0] or '/'}"] += count
    return folders


def _listed(shares: Counter[str], before: str = "", others: str = "others") -> str:
    total = shares.total()
    shares = Counter({others if name == OTHERS else name: count for name, count in shares.items()})
    if len(shares) == 1:
        return f"all are {before}{next(iter(shares))}"
    named = [f"{count:,} are {before}{name}" for name, count in shares.most_common(_NAMED) if count * 20 >= total]
    rest = total - sum(count for _, count in shares.most_common(_NAMED) if count * 20 >= total)
    return ", ".join([*named, *([f"{rest:,} are others"] if rest else [])])


def _together(kinds: Counter[str]) -> str:
    """An event loop of asyncio is an epoll descriptor and both ends of a socket pair."""
    loops = kinds["eventpoll"]
    if loops > 2 and abs(kinds["unix"] - 2 * loops) <= loops / 4:
        return ": an eventpoll and two unix sockets come together, as of event loops that are not closed"
    return ""


# --- what stays as it is -------------------------------------------------------------------------


def _full(seen: Seen) -> str:
    """A process that can open no more."""
    if not seen.full:
        return ""
    pid, fds, limit = seen.full
    whose = f" (process {pid})" if seen.processes > 1 else ""
    when = "" if seen.full_samples == seen.samples else f" in {seen.full_samples:,} of {seen.samples:,} samples"
    kinds = {name[4:]: one.count for name, one in seen.lives.items() if name[:4] == "fds " and name[:7] != "fds of "}
    filled = ", ".join(f"{kind} {count:,}" for kind, count in (+Counter(kinds)).most_common(_NAMED))
    text = f"full{whose}: at its limit{when}, {fds:,} of {limit:,} fds; it can open no more (EMFILE)"
    return f"{text}; open are {filled}" if filled else text


def _untouched(seen: Seen, state: str) -> int:
    """Sockets with data that nobody reads, where the watch was long enough to say so."""
    return seen.last.untouched.get(state, 0) if seen.last and seen.last.at >= UNTOUCHED else 0


def _abandoned(seen: Seen) -> str:
    """Sockets whose peer has closed, with a body that nobody reads: no idle pool has any."""
    count, least = _untouched(seen, CLOSE_WAIT), units.duration(UNTOUCHED)
    said = f"left behind: {count:,} in CLOSE_WAIT with unread body, of which nothing was read for {least} or longer"
    return said if count else ""


def _soon(seen: Seen) -> str:
    """The same of a watch that is too short to say so."""
    count = seen.last.untouched.get(CLOSE_WAIT, 0) if seen.last and seen.last.at < UNTOUCHED else 0
    said = f"too short to tell whether anybody reads the body in {count:,} in CLOSE_WAIT"
    return f"{said}; watch for {units.duration(UNTOUCHED)} at least" if count else ""


def _ports(seen: Seen) -> str:
    return ports.text(seen.last.ports) if seen.last and seen.last.ports else ""


def _used_up(seen: Seen) -> str:
    """Hardly a port is left for connections to one endpoint."""
    found = seen.last.ports if seen.last else None
    return f"out of ports: {ports.text(found)}" if found and found.taken >= ports.NEARLY_ALL * found.size else ""


def _not_accepting(seen: Seen) -> str:
    """Nobody has emptied a listener's queue for long."""
    found = seen.last.queue if seen.last else None
    if found is None or seen.last is None or seen.last.at - found.since < UNTOUCHED:
        return ""
    return f"not accepting: {backlog.text(found)}; so for {units.duration(seen.last.at - found.since)}"


def _unread(seen: Seen) -> str:
    """Data for a process that does not take it."""
    count = _untouched(seen, ESTABLISHED)
    return f"{count:,} ESTABLISHED hold data that nobody has read for {units.duration(UNTOUCHED)}" if count else ""


def _same(seen: Seen) -> str:
    """What is known of CLOSE_WAIT sockets whose number stays the same."""
    course, last = seen.course(CLOSE_WAIT), seen.last
    if course is None or last is None or course.word != trend.STEADY or not course.last:
        return ""
    one = course.last == 1
    if left := seen.entered - (course.last - course.first):
        others = (
            "the one in CLOSE_WAIT is not the same" if one else f"the {course.last} in CLOSE_WAIT are not the same ones"
        )
        return f"{others} all the time: {seen.entered:,} came into it and {left:,} left it"
    same = (
        "the one in CLOSE_WAIT has been the same" if one else f"the {course.last} in CLOSE_WAIT have been the same ones"
    )
    text = f"{same} for {units.duration(last.at - seen.same_since)}"
    if unread := last.unread.get(CLOSE_WAIT, 0):
        text += f", {unread:,} of them with unread body (no idle connection of a pool has any)"
    new = sum(seen.opened_since[name] for name, states in last.remotes.items() if CLOSE_WAIT in states)
    if new:
        return (
            f"{text}; {units.count(new, 'new connection')} went to the same remotes meanwhile: a pool that made them "
            "would have dropped these first"
        )
    return f"{text}; no new connection went to the same remotes: idle in a pool, or forgotten"
