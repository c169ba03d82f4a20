"""What a gateway's log says, for people, as lines of text that fit so many columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from hermes_diag.core import units
from hermes_diag.core.agent_log import Bucket, LogReport, Run
from hermes_diag.core.report import Row
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.reporters import picture
from hermes_diag.reporters.picture import Curve
from hermes_diag.reporters.sockets_text import BOLD, END, FEW, GREEN, MAGENTA, RED, fitted, heading, table

#: Rows of the table of time; runs and sessions that are shown unless -v asks for all.
TIMES = 12
#: name in the report, head of its column.
COLUMNS = (
    ("created", "created"), ("closed", "closed"), ("aborted", "aborted"), ("nothing_closed", "nothing closed"),
    ("failures", "failures"), ("retries", "retries"), ("turns", "turns"),
)  # fmt: skip
#: Columns of the table of time where there is room for them, and where there is not.
_ROOMY, _NARROW, ROOMY = ("created", "closed", "aborted", "failures", "turns"), ("aborted", "failures", "turns"), 98
_FIELDS = (
    ("closed", "closed by their own thread"), ("ended_by_others", "closed by another thread"),
    ("stranded", "aborted, and nothing was closed"), ("aborted_unclosed", "aborted, and their own close never came"),
    ("endless", "without an end"), ("cut", "ended with their gateway"),
    ("under_way", "under way at the end of the log"),
)  # fmt: skip


def lines(report: LogReport, width: int, verbose: bool, blocks: bool = True) -> list[str]:
    """The whole report. blocks: the terminal can show block characters."""
    text = list(_head(report, width))
    if report.begin is not None:
        text += ["", heading("Clients"), *_clients(report, width)]
        text += _left(report, width)
        text += ["", heading("Turns"), *_turns(report, width)]
        text += _threads(report, width, verbose)
        text += _sessions(report, width, verbose)
        text += _runs(report, width, verbose)
        text += _pictures(report, width, blocks)
        text += _times(report, width)
    for jump in report.clock:
        text += fitted(f"{MAGENTA}{moment(report, jump.at)}{END}: the log's time jumps; {jump.what}", width)
    for note in report.notes:
        text += fitted(note, width)
    mark = {Status.CLEAN: GREEN, Status.FAILING: RED}.get(report.status, MAGENTA)
    text += ["", heading("Verdict"), *fitted(f"{mark}{report.verdict}{END}", width)]
    for row in report.rows:
        if row.status == RowStatus.FAILED:
            text += _remedy(row, width)
    return text


def moment(report: LogReport, at: float, short: bool = False) -> str:
    """A moment as the log writes it, to the second. short: without the day."""
    zone = ZoneInfo(report.zone) if report.zone else None
    return datetime.fromtimestamp(at, zone).strftime("%H:%M:%S" if short else "%Y-%m-%d %H:%M:%S")


def _remedy(row: Row, width: int) -> list[str]:
    return fitted(f"{BOLD}{row.code}{END}: {row.remedy}{units.cited(row.reference)}", width, 2)


def _head(report: LogReport, width: int) -> Iterator[str]:
    size = sum(one.size for one in report.files)
    yield from fitted(
        f"{BOLD}{report.subject}{END}: {units.count(len(report.files), 'file')}, {units.size(size)}", width
    )
    for one in report.files:
        if one.encoding != "UTF-8":
            yield from fitted(f"{one.name} is in {one.encoding}", width, 2)
    if report.begin is not None and report.end is not None:
        zone = report.zone or "the time zone of this machine"
        yield from fitted(
            f"from {moment(report, report.begin)} to {moment(report, report.end)} ({zone}), "
            f"{units.duration(max(0.0, report.end - report.begin))}",
            width,
        )
    if quiet := report.silence:
        since = moment(report, quiet.at)
        yield from fitted(f"the longest silence: {units.duration(quiet.seconds)} from {since} on ({quiet.what})", width)


def _clients(report: LogReport, width: int) -> list[str]:
    rows = [["", "created", "closed", "aborted", "of these: nothing closed"]]
    for role, ends in report.roles.items():
        rows.append([role, *(f"{n:,}" for n in (ends.created, ends.closed, ends.aborted, ends.force_closed_nothing))])
    text = table(rows, width, right=(1, 2, 3, 4))
    told = [f"{count:,} {said}" for name, said in _FIELDS if (count := getattr(report.clients, name))]
    text += fitted(f"of {units.count(report.clients.created, 'request client')}: {', '.join(told) or 'none'}", width, 2)
    if report.nothing_closed_since is not None and report.nothing_closed_last is not None:
        first, last = moment(report, report.nothing_closed_since), moment(report, report.nothing_closed_last)
        text += fitted(f"aborts that closed nothing: the first at {first}, the last at {last}", width, 2)
    return text


def _left(report: LogReport, width: int) -> list[str]:
    if not report.left:
        return []
    rows = [[moment(report, one.at), one.thread, one.reason, one.why] for one in report.left]
    return ["", heading("Left, the oldest first"), *table(rows, width)]


def _turns(report: LogReport, width: int) -> Iterator[str]:
    ends = ", ".join(f"{name} {count:,}" for name, count in list(report.turn_ends.items())[:FEW])
    yield from fitted(f"{units.count(report.turns, 'turn')}" + (f" (ended: {ends})" if ends else ""), width, 2)
    if report.calls:
        how = ", ".join(f"{name} {value:g} s" for name, value in report.latency.items())
        yield from fitted(f"{units.count(report.calls, 'API call')} answered, latency {how}", width, 2)
    failures = ", ".join(f"{name} {count:,}" for name, count in list(report.failures.items())[:FEW])
    total = sum(report.failures.values())
    if total:
        yield from fitted(f"{units.count(total, 'attempt')} failed: {failures}", width, 2)
    if report.given_up:
        yield from fitted(f"{units.count(report.given_up, 'turn')} failed after all retries", width, 2)
    if report.retries:
        said = f"{units.count(report.retries, 'wait')} before a retry"
        if report.turns:
            said += f", {report.retries / report.turns:.2g} a turn"
        if report.retries_per_hour is not None:
            said += f", {units.rate(report.retries_per_hour)}"
        if report.worst_hour:
            said += f"; most in the hour from {moment(report, report.worst_hour[0])}: {report.worst_hour[1]:,}"
        yield from fitted(said, width, 2)


def _threads(report: LogReport, width: int, verbose: bool) -> list[str]:
    if not report.threads:
        return []
    shown = list(report.threads.items())[: None if verbose else FEW]
    verbs = [f"{verb}_{role}" for role in report.roles for verb in ("created", "closed", "aborted")]
    named = [verb for verb in verbs if any(counts.get(verb) for _, counts in shown)]
    rows = [["", *(verb.replace("_", " ") for verb in named)]]
    rows += [[name, *(f"{counts.get(verb, 0):,}" for verb in named)] for name, counts in shown]
    more = len(report.threads) - len(shown)
    tail = fitted(f"and {more:,} more kinds (-v)", width, 2) if more else []
    return ["", heading("Kinds of threads"), *table(rows, width, range(1, len(named) + 1)), *tail]


def _sessions(report: LogReport, width: int, verbose: bool) -> list[str]:
    shown = list(report.sessions.items())[: None if verbose else FEW]
    if not shown:
        return []
    names = ("turns", "failures", "retries", "aborted", "nothing_closed")
    rows = [["", "turns", "failures", "retries", "aborted", "nothing closed"]]
    rows += [[name, *(f"{counts.get(what, 0):,}" for what in names)] for name, counts in shown]
    more = len(report.sessions) - len(shown)
    tail = fitted(f"and {more:,} more (-v)", width, 2) if more else []
    return ["", heading("Sessions of which most is told"), *table(rows, width, range(1, 6)), *tail]


def _runs(report: LogReport, width: int, verbose: bool) -> Iterator[str]:
    if len(report.runs) > 1:
        yield ""
        yield heading("Runs of the gateway, by 100 turns")
        shown = report.runs if verbose else report.runs[-TIMES:]
        rows = [["begin", "turns", "failures", "retries", "nothing closed", "lines of"]]
        rows += [
            [
                moment(report, one.begin), f"{one.counts['turns']:,}",
                *(_rate(one, name) for name in ("failures", "retries", "nothing_closed")), one.lines,
            ]
            for one in shown
        ]  # fmt: skip
        yield from table(rows, width, (1, 2, 3, 4))
        if len(shown) < len(report.runs):
            yield from fitted(f"and {len(report.runs) - len(shown):,} earlier ones (-v)", width, 2)
    for one in report.shifts if verbose else report.shifts[:FEW]:
        before, after = 100 * one.before / one.before_turns, 100 * one.after / one.after_turns
        yield from fitted(
            f"{MAGENTA}{one.name}{END} from the start at {moment(report, one.at)} on: {after:.3g} in 100 turns "
            f"({one.after:,} in {one.after_turns:,}), before {before:.3g} ({one.before:,} in {one.before_turns:,})",
            width, 2,
        )  # fmt: skip


def _rate(run: Run, name: str) -> str:
    count, turns = run.counts[name], run.counts["turns"]
    return f"{100 * count / turns:.3g} ({count:,})" if turns else f"- ({count:,})"


# --- over time -----------------------------------------------------------------------------------


def curves(report: LogReport) -> list[Curve]:
    """What the log counts and what a watch saw over time, those that are not 0 all the time."""
    found = []
    for name, said in COLUMNS:
        if any(one.counts[name] for one in report.buckets):
            found.append(Curve(said, [(one.begin, one.counts[name]) for one in report.buckets]))
    for name in report.buckets[0].highs if report.buckets else ():
        points = [(one.begin, value) for one in report.buckets if (value := one.highs[name]) is not None]
        if points and any(value for _, value in points):
            found.append(Curve(f"{name}, seen by the watch", points))
    return found


def _pictures(report: LogReport, width: int, blocks: bool) -> Iterator[str]:
    if len(report.buckets) < 2:
        return
    yield ""
    yield heading(f"Over time, by {units.duration(report.bucket_seconds)}: first, course, last")
    for one in picture.draw(curves(report), width, blocks, 1):
        if picture.is_stacked(width, one):
            yield f"  {one.name}"
            yield f"  {one.before} {one.bars} {one.after}"
        else:
            yield f"  {one.name}  {one.before} {one.bars} {one.after}"


def _times(report: LogReport, width: int) -> Iterator[str]:
    """The same as a table, where a watch stands beside the log."""
    parts = grouped(report.buckets, TIMES)
    if len(parts) < 2 or not parts[0].highs:
        return
    yield ""
    yield heading("Counts of the log, and the highest that the watch saw")
    names = [(name, said) for name, said in COLUMNS if name in (_ROOMY if width >= ROOMY else _NARROW)]
    highs = list(parts[0].highs)
    rows = [["", *(said for _, said in names), *highs]]
    for one in parts:
        cells = [f"{one.counts[name]:,}" for name, _ in names]
        cells += ["-" if (high := one.highs[name]) is None else f"{high:,}" for name in highs]
        rows.append([moment(report, one.begin, short=True), *cells])
    yield from table(rows, width, range(1, len(rows[0])))


def grouped(buckets: Sequence[Bucket], most: int) -> list[Bucket]:
    """Neighbours taken together, so that there are at most so many."""
    each = -(-len(buckets) // most) or 1
    return [_joined(buckets[at : at + each]) for at in range(0, len(buckets), each)]


def _joined(parts: Sequence[Bucket]) -> Bucket:
    counts = {name: sum(one.counts[name] for one in parts) for name in parts[0].counts}
    highs: Mapping[str, int | None] = {
        name: max((value for one in parts if (value := one.highs[name]) is not None), default=None)
        for name in parts[0].highs
    }
    return Bucket(parts[0].begin, counts, highs)
