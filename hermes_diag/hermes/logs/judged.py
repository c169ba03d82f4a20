"""A balance as the report that every format takes. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from hermes_diag.core import units
from hermes_diag.core.agent_log import Bucket, Clients, Clock, File, LogReport, Run, Shift
from hermes_diag.core.report import Finding, Row
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.hermes.logs import joined, names, tally
from hermes_diag.hermes.logs.balance import Balance

#: Sessions and kinds of threads that are told.
MOST = 20
#: A silence that is told, in seconds.
SILENCE = 3600.0
#: A shift is told when chance makes one as large less often than this.
CHANCE = 0.001

#: code, field of Clients, what is asked for, what was seen, what to do.
CHECKS = (
    (
        "abort-closed-nothing", "stranded",
        "an abort shuts the sockets of its client down, so that its thread wakes up and closes it",
        "{} that shut no socket down (tcp_force_closed=0), and no close by their own thread",
        "See whether their sockets and threads are still held (`hermes-diag sockets --gateway`); a restart frees them. "
        "In Hermes 0.18.2 and 0.19.0 the search for sockets passes over those of mounted transports.",
    ),
    (
        "close-never-came", "aborted_unclosed",
        "a client whose sockets were shut down is closed by its own thread",
        "{} whose sockets were shut down, and no close by their own thread",
        "Look whether that thread sends the turn again (`hermes-diag hermes VERSION --workload aborted`): in Hermes "
        "0.15 to 0.17 it takes the cut for a fault of the provider.",
    ),
    (
        "closed-by-another-thread", "ended_by_others",
        "a request client is closed by the thread that made it",
        "{} closed by another thread than their own",
        "Look for sockets without an owner (`hermes-diag sockets --gateway`). Hermes 0.13 and 0.14 give streams up so: "
        "their threads and sockets stay, and over TLS files can be damaged (`hermes-diag hermes VERSION --workload "
        "recycled`).",
    ),
    (
        "client-without-end", "endless",
        "each request client is closed or aborted before its thread or session goes on",
        "{} neither closed nor aborted, although their thread or session went on",
        "Watch the gateway (`hermes-diag sockets --gateway --watch`): what such a client holds grows, or is collected.",
    ),
)  # fmt: skip
REFERENCE = {
    "abort-closed-nothing": "#29507, #54049",
    "close-never-came": "#29507",
    "closed-by-another-thread": "#29507, #70773",
    "client-without-end": "#11070",
}


def report(
    found: Balance, files: Sequence[File], zone: str, subject: str, seen: joined.Watch | None = None,
    notes: Sequence[str] = (), interrupted: bool = False,
) -> LogReport:  # fmt: skip
    """The report of a balance, which is complete then."""
    clients, every = found.clients(), _of_its_time(found)
    parts, width = joined.picture(every, found.times.width, seen)
    told = [*notes, *_notes(found, files)]
    if seen and not parts:
        told.append(_apart(found, seen))
        parts, width = joined.picture(every, found.times.width, None)
    runs = found.runs.runs(found.end or 0.0)
    rows = tuple(_rows(clients)) if _lines(found) else ()
    status, verdict = _verdict(found, clients, files)
    hours = _hours(every, found.times.width)
    return LogReport(
        command="logs", subject=subject, status=status, verdict=verdict, stack=None, rows=rows,
        findings=tuple(_findings(clients)), interrupted=interrupted, files=tuple(files), zone=zone,
        begin=found.begin, end=found.end, roles=found.roles(), clients=clients, left=found.oldest(),
        nothing_closed_since=found.nothing_closed[0] if found.nothing_closed else None,
        nothing_closed_last=found.nothing_closed[1] if found.nothing_closed else None,
        turns=found.totals[tally.TURNS], turn_ends=dict(found.turn_ends.most_common()), calls=found.totals[tally.CALLS],
        latency=_latency(found.latencies), failures=dict(found.failures.most_common()), given_up=found.gave_up,
        retries=found.totals[tally.RETRIES], retries_per_hour=_per_hour(found),
        worst_hour=max(hours.items(), key=lambda one: (one[1], -one[0])) if hours else None,
        threads=_threads(found),
        sessions=_sessions(found), runs=runs, shifts=tuple(_shifts(runs)), clock=tuple(found.clock.jumps),
        silence=_silence(found),
        buckets=parts, bucket_seconds=width, notes=tuple(told),
    )  # fmt: skip


def _of_its_time(found: Balance) -> list[Bucket]:
    """The parts of the time from the first line to the last one: a line with a wrong clock would widen a picture."""
    every, width = found.times.buckets(), found.times.width
    if found.begin is None or found.end is None or found.begin > found.end:
        return every
    return [one for one in every if found.begin < one.begin + width and one.begin <= found.end]


def _lines(found: Balance) -> int:
    """Lines about clients."""
    return sum(sum(counts[:3]) for counts in found.ends.values())


def _verdict(found: Balance, clients: Clients, files: Sequence[File]) -> tuple[Status, str]:
    if not _lines(found):
        why = "it has no line about clients"
        if found.begin is None and any(one.size for one in files):
            why = "it has no line that Hermes writes about clients, turns or starts"
            if found.skipped:
                return Status.COULD_NOT_TELL, "none of its lines is of the time that --since and --until ask for"
        return Status.COULD_NOT_TELL, f"{why}: Hermes writes them at level INFO (logging.level in config.yaml)"
    seen = [said.format(units.count(count, what)) for count, what, said in _seen(clients) if count > 0]
    if seen:
        return Status.FAILING, "; ".join(seen)
    if broken := [one.name for one in files if one.trouble]:
        return (
            Status.COULD_NOT_TELL,
            f"what could be read shows nothing wrong, but not all of {', '.join(broken)} could",
        )
    ends = (
        (clients.closed, "closed by their own thread"),
        (clients.cut, "ended with their gateway"),
        (clients.under_way, "under way at the end of the log"),
    )
    said = ", ".join(f"{count:,} {what}" for count, what in ends if count) or "none"
    return Status.CLEAN, f"nothing wrong is seen of {units.count(clients.created, 'request client')}: {said}"


def _seen(clients: Clients) -> Iterator[tuple[int, str, str]]:
    for _, name, _, said, _ in CHECKS:
        count: int = getattr(clients, name)
        yield count, "request client" if name in ("endless", "ended_by_others") else "abort", said


def _rows(clients: Clients) -> Iterator[Row]:
    for (code, _, what, _, cure), (count, noun, said) in zip(CHECKS, _seen(clients), strict=True):
        yield Row(
            kind="log", name=code, code=code, what=what,
            status=RowStatus.FAILED if count else RowStatus.PASSED,
            seen=said.format(units.count(count, noun)) if count else "none",
            remedy=cure if count else "", reference=REFERENCE[code], numbers={"count": float(count)},
        )  # fmt: skip


def _findings(clients: Clients) -> Iterator[Finding]:
    for row in _rows(clients):
        if row.status == RowStatus.FAILED:
            yield Finding(row.code, "problem", row.seen, row.numbers, (), row.remedy, row.reference)


def _notes(found: Balance, files: Sequence[File]) -> Iterator[str]:
    for one in files:
        if one.trouble:
            yield f"{one.name} {one.trouble}"
    if found.orphans:
        yield f"{units.count(found.orphans, 'close')} of request clients of which no creation is in the log"
    if found.unnamed:
        yield f"{units.count(found.unnamed, 'time')} a session gave up a client when none was open"
    if found.clock.left_out:
        yield f"{units.count(found.clock.left_out, 'more jump')} of the log's time"
    if found.runs.joined:
        yield f"the first {found.runs.joined + 1:,} runs of the gateway are taken together"


def _silence(found: Balance) -> Clock | None:
    begin, seconds = found.silence
    if seconds < SILENCE:
        return None
    return Clock(begin, seconds, "no gateway ran, it was idle, or the clock was set forward")


def _apart(found: Balance, seen: joined.Watch) -> str:
    if found.begin is None or found.end is None:
        return "the watch cannot be joined: the log has no line of its time"
    gap = seen.begin - found.end if seen.begin > found.end else found.begin - seen.end
    order = "after the log ends" if seen.begin > found.end else "before the log begins"
    lie = f"the watch lies {units.duration(max(0.0, gap))} {order}" if gap > 0 else "no line stands within the watch"
    return f"the watch and the log do not overlap: {lie} (is the log of another time zone? --tz NAME says which)"


def _per_hour(found: Balance) -> float | None:
    if found.begin is None or found.end is None or found.end - found.begin < 60:
        return None
    return found.totals[tally.RETRIES] / (found.end - found.begin) * 3600


def _hours(buckets: Sequence[Bucket], width: float) -> dict[float, int]:
    """Retries by hour, where the log is kept apart that finely."""
    if width > 3600:
        return {}
    hours: Counter[float] = Counter()
    for one in buckets:
        if retries := one.counts["retries"]:
            hours[one.begin // 3600 * 3600] += retries
    return dict(hours)


def _latency(latencies: Counter[bytes]) -> dict[str, float]:
    """Seconds: the middle, that of 19 in 20, the longest; nothing without a call."""
    values = sorted((float(value), count) for value, count in latencies.items())
    total = sum(count for _, count in values)
    if not total:
        return {}
    found = {}
    for name, share in (("median", 0.5), ("p95", 0.95), ("max", 1.0)):
        wanted, before = math.ceil(total * share), 0
        for value, count in values:
            before += count
            if before >= wanted:
                found[name] = value
                break
    return found


def _threads(found: Balance) -> dict[str, dict[str, int]]:
    told: dict[str, dict[str, int]] = {}
    for name, counts in found.threads.largest(MOST).items():
        _merge(told.setdefault(names.word(name), {}), counts)
    return told


def _merge(into: dict[str, int], counts: Mapping[str, int]) -> None:
    for what, count in counts.items():
        into[what] = into.get(what, 0) + count


def _sessions(found: Balance) -> dict[str, dict[str, int]]:
    """Those of which most is told."""
    told: dict[str, dict[str, int]] = {}
    for name, counts in found.sessions.largest(MOST).items():
        _merge(told.setdefault(names.session(name), {}), counts)
    return told


def _shifts(runs: Sequence[Run]) -> Iterator[Shift]:
    """Where a run differs from the one before by more than chance would make it."""
    for before, after in pairwise([one for one in runs if one.counts["turns"]]):
        for name, of in (
            ("failures", ("failures",)), ("retries", ("retries",)), ("aborts that closed nothing", ("nothing_closed",)),
            ("clients left", ("endless", "stranded")),
        ):  # fmt: skip
            counts = [sum(one.counts[part] for part in of) for one in (before, after)]
            turns = [one.counts["turns"] for one in (before, after)]
            if _chance(counts, turns) < CHANCE:
                yield Shift(name, after.begin, counts[0], turns[0], counts[1], turns[1])


def _chance(counts: Sequence[int], turns: Sequence[int]) -> float:
    """How often the same rate would give counts that differ as much: both as a Poisson number, their sum given."""
    total, share = sum(counts), turns[1] / sum(turns)
    if not total:
        return 1.0
    deviation = math.sqrt(total * share * (1 - share))
    off = max(0.0, abs(counts[1] - total * share) - 0.5)
    return math.erfc(off / deviation / math.sqrt(2)) if deviation else 1.0
