"""A look for people, as lines of text that fit so many columns.

Made by hand and not with rich: a look must be there at once, and rich takes longer to import than the
look takes. Styles are marks that `painted` turns into colours or into nothing.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hermes_diag.core import units
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED, SocketRow
from hermes_diag.core.text import one_line
from hermes_diag.reporters import picture
from hermes_diag.watch import backlog, explain, filters, opened, ports, shared
from hermes_diag.watch.opened import Origins
from hermes_diag.watch.records import Held, Look, Process

#: Sockets, and rows of a table, that are shown unless -v asks for all.
FEW, ROWS = 5, 12
#: Columns below which a table becomes a list.
WIDE = 60

BOLD, RED, MAGENTA, GREEN, END = "\1", "\2", "\3", "\4", "\5"
_COLOURS = {BOLD: "\x1b[1m", RED: "\x1b[31m", MAGENTA: "\x1b[35m", GREEN: "\x1b[32m", END: "\x1b[0m"}
_NOTHING = dict.fromkeys(map(ord, _COLOURS))
_STATE_MARKS = {CLOSE_WAIT: MAGENTA, "CLOSE": MAGENTA}


def painted(lines: Iterable[str], colour: bool) -> str:
    """Lines as one text, with terminal colours or without any."""
    text = "\n".join(lines)
    return text.translate({ord(mark): code for mark, code in _COLOURS.items()} if colour else _NOTHING)


def look(
    seen: Look,
    width: int,
    group: str = "remote",
    verbose: bool = False,
    names: Mapping[str, str] | None = None,
    origins: Origins | None = None,
) -> list[str]:
    """One look. names: reverse names by address, when they were asked for. origins: what recorders say."""
    names = names or {}
    lines = [line for one in seen.processes for line in _process(one, seen.at, width)]
    lines += fitted(f"seen by {seen.backend} ({seen.why})", width)
    lines += ["", heading("States"), *_states(seen, width)]
    if group != "state":
        title = "Remote endpoints" if group == "remote" else "Remote ports"
        lines += ["", heading(title), *_groups(seen, width, group, verbose, names)]
    worst = sorted((row for row in seen.rows if explain.badness(row)[0] > 0), key=explain.badness, reverse=True)
    if worst:
        several = len(seen.processes) > 1
        groups = [[row] for row in worst] if verbose else _alike(worst)
        shown = groups if verbose else groups[:FEW]
        lines += ["", heading("Sockets to look at")]
        lines += [line for rows in shown for line in _sockets(rows, width, names, several, seen.at, origins)]
        hidden = len(worst) - sum(map(len, shown))
        if hidden:
            lines += fitted(f"and {hidden:,} more (-v)", width, 2)
    lines += _readers(seen, width, verbose)
    lines += _lost(seen, width)
    lines += _shared(seen, width)
    if taken := ports.busiest(seen):
        lines += fitted(f"{MAGENTA}{ports.text(taken)}{END}", width)
    if full := backlog.fullest(seen):
        lines += fitted(f"{MAGENTA}{backlog.text(full)}{END}", width)
    for one in seen.missing:
        lines += fitted(f"Not seen: {one.what}. Why: {one.why}. Cure: {one.cure}.", width)
    if step := next_step(seen, seen.processes[0].pid):
        lines += ["", *fitted(step, width)]
    return lines


def conditions(held: Sequence[Held], width: int) -> list[str]:
    """Each --fail-on condition and what was found."""
    words = {True: f"{RED}holds{END}", False: f"{GREEN}does not hold{END}", None: f"{MAGENTA}cannot be told{END}"}
    return [
        line for one in held for line in fitted(f"--fail-on '{one.condition}' {words[one.held]}: {one.found}", width)
    ]


def sparkline(values: Sequence[int], width: int) -> str:
    """The last values as bars, from 0 up to the largest of them."""
    shown = list(values)[-width:] if width > 0 else []
    return picture.bar(shown, max(shown, default=0) or 1)


def table(rows: Sequence[Sequence[str]], width: int, right: Sequence[int] = ()) -> list[str]:
    """Rows in columns, or where they do not fit one below the other."""
    if not rows:
        return ["  none"]
    sizes = [max(_length(row[i]) for row in rows) for i in range(len(rows[0]))]
    if width < WIDE or sum(sizes) + 2 * len(sizes) > width:
        return [line for row in rows for line in fitted(" ".join(filter(None, row)), width, 2)]
    return ["  " + "  ".join(_pad(cell, sizes[i], i in right) for i, cell in enumerate(row)).rstrip() for row in rows]


def fitted(text: str, width: int, indent: int = 0, hanging: int | None = None) -> list[str]:
    """A text as lines that are no wider; those after the first one hang by two columns, or by so many."""
    lead = " " * indent
    if _length(text) + indent <= width:
        return [lead + text]
    # Marks have no width, but textwrap counts them: some lines are a column or two short for it.
    follow = " " * (indent + 2 if hanging is None else hanging)
    return textwrap.wrap(text, max(20, width), initial_indent=lead, subsequent_indent=follow, break_on_hyphens=False)


# --- the parts of a look -------------------------------------------------------------------------


def _process(one: Process, at: float, width: int) -> Iterator[str]:
    parts = [f"{BOLD}process {one.pid}{END} ({one.name})", f"up {units.duration(max(0.0, at - one.started))}"]
    if one.threads is not None:
        parts.append(units.count(one.threads, "thread"))
    if one.rss is not None:
        parts.append(f"{units.size(one.rss)} resident")
    yield from fitted(", ".join(parts), width)
    if one.fds is None:
        return
    limit = "no soft limit known"
    if one.soft_limit is not None:
        share = one.fds / one.soft_limit if one.soft_limit else 1.0
        mark = RED if share > 0.8 else ""
        limit = f"{mark}{share:.0%}{END if mark else ''} of the soft limit of {one.soft_limit:,}"
    kinds = ", ".join(f"{kind} {count:,}{_sqlite(one, kind)}" for kind, count in (one.kinds or {}).items())
    yield from fitted(f"{units.count(one.fds, 'fd')}, {limit}" + (f": {kinds}" if kinds else ""), width)


def _sqlite(one: Process, kind: str) -> str:
    files = list((one.sqlite or {}).items()) if kind == "SQLite" else []
    named = ", ".join(f"{name} {count}" for name, count in files[:3])
    return f" ({named}{', ...' if len(files) > 3 else ''})" if files else ""


def _states(seen: Look, width: int) -> list[str]:
    rows = [[marked(state), f"{count:,}", ""] for state, count in Counter(row.state for row in seen.rows).most_common()]
    if seen.closed:
        several = len(seen.processes) > 1
        fds = ", ".join(f"{_owner(pid, several)}fd {fd}" for pid, fd, _ in seen.closed[:FEW])
        fds += ", ..." if len(seen.closed) > FEW else ""
        rows.append([marked("CLOSE"), f"{len(seen.closed):,}", f"only an fd is left, reset or never connected: {fds}"])
    for state, count in Counter(row.state for row in seen.unowned).most_common():
        rows.append([marked(state), f"{count:,}", "to the same endpoints, nobody holds an fd"])
    if not rows:
        return ["  no TCP sockets"]
    return table(rows, width, right=(1,))


def marked(state: str) -> str:
    mark = _STATE_MARKS.get(state)
    return f"{mark}{state}{END}" if mark else state


def _groups(seen: Look, width: int, group: str, verbose: bool, names: Mapping[str, str]) -> list[str]:
    """Endpoints (or remote ports) and states, the largest first; what has no owner is counted apart."""
    owned: dict[tuple[str, str], list[SocketRow]] = {}
    for row in seen.rows:
        owned.setdefault((_group(row, group, seen.listening), row.state), []).append(row)
    lost = Counter((_group(row, group, seen.listening), row.state) for row in seen.unowned)
    keys = sorted({*owned, *lost}, key=lambda key: (-len(owned.get(key, ())) - lost[key], key))
    shown = keys if verbose else keys[:ROWS]
    rows = []
    for key in shown:
        has = owned.get(key, [])
        extra = [f"{lost[key]} without owner"] if lost[key] else []
        ages = [row.acked_ms for row in has if row.acked_ms is not None] if key[1] == CLOSE_WAIT else []
        if ages:
            extra.append(f"for {units.duration(min(ages) / 1000)} to {units.duration(max(ages) / 1000)} at least")
        unread = [row.recv_q or 0 for row in has if row.state != "LISTEN"]
        if sum(unread) > len(unread):
            extra.append(f"{units.size(sum(unread))} unread")
        name = names.get(has[0].remote[0]) if has and group == "remote" else None
        rows.append([key[0] + (f" ({name})" if name else ""), marked(key[1]), f"{len(has):,}", ", ".join(extra)])
    lines = table(rows, width, right=(2,))
    if len(keys) > len(shown):
        lines += fitted(f"and {len(keys) - len(shown):,} more rows (-v)", width, 2)
    return lines


def _group(row: SocketRow, group: str, listening: frozenset[int]) -> str:
    if group == "port" and row.state != "LISTEN" and row.local[1] not in listening:
        return f"port {row.remote[1]}"
    return filters.of(row, listening)


def _owner(pid: int | None, several: bool) -> str:
    return f"process {pid} " if several and pid is not None else ""


def _alike(rows: Sequence[SocketRow]) -> list[list[SocketRow]]:
    """Rows of one process, state and peer together, in the order of the worst of each."""
    groups: dict[tuple[int | None, str, str], list[SocketRow]] = {}
    for row in rows:
        groups.setdefault((row.pid, row.state, filters.text(_peer(row))), []).append(row)
    return list(groups.values())


def _peer(row: SocketRow) -> tuple[str, int]:
    return row.local if row.state == "LISTEN" else row.remote


def _sockets(
    rows: Sequence[SocketRow], width: int, names: Mapping[str, str], several: bool, now: float, origins: Origins | None
) -> Iterator[str]:
    """Sockets that are alike as one entry, explained by the worst of them. several: of more than one process, so
    that a number of an fd alone says nothing."""
    worst = rows[0]
    fds = [row.fd for row in rows if row.fd is not None]
    owner = f"fd {worst.fd}" if worst.fd is not None else f"inode {worst.inode}" if worst.inode else "socket"
    if len(rows) > 1:
        owner = f"{len(rows):,} sockets" + (f" (fds {min(fds)} to {max(fds)})" if fds else "")
    name = names.get(worst.remote[0])
    head = f"{BOLD}{_owner(worst.pid, several)}{owner}{END} {marked(worst.state)} {filters.text(_peer(worst))}"
    yield from fitted(head + (f" ({name})" if name else ""), width, 2)
    if said := explain.socket(worst):
        yield from fitted(("the worst: " if len(rows) > 1 else "") + "; ".join(said), width, 6, 6)
    if origins and (known := origins.descriptors.get((worst.pid or 0, -1 if worst.fd is None else worst.fd))):
        yield from fitted(opened.text(known, now), width, 6, 6)


def next_step(seen: Look, pid: int) -> str:
    """What to do after one look that shows sockets which may be a leak, "" where none may."""
    if not any(row.state == CLOSE_WAIT for row in seen.rows) and not seen.closed:
        return ""
    return f"One look cannot tell growth: hermes-diag sockets {pid} --watch --duration 10m"


def _shared(seen: Look, width: int) -> list[str]:
    found = shared.connections(seen)
    if not found:
        return []
    shown = ", ".join(f"{filters.text(row.remote)} by {' and '.join(map(str, pids))}" for row, pids in found[:FEW])
    return fitted(f"{MAGENTA}{shared.text(len(found))}{END} ({shown}{', ...' if len(found) > FEW else ''})", width)


def _readers(seen: Look, width: int, verbose: bool) -> Iterator[str]:
    """Threads that wait in a read, the longest wait first."""
    if not seen.readers:
        return
    yield ""
    yield heading("Threads that wait in a read")
    several = len(seen.processes) > 1
    shown = seen.readers if verbose else seen.readers[:FEW]
    for one in shown:
        text = f"{_owner(one.pid, several)}thread {one.tid} ({one_line(one.thread)})"
        text = f"{BOLD}{text}{END} fd {one.fd}" + (f", {MAGENTA}closed meanwhile{END}" if one.closed else "")
        text += f", {filters.text(one.remote)}" if one.remote else ""
        if one.seconds is not None:
            text += f", for at least {units.duration(one.seconds)}"
        elif one.silent is not None:
            text += f", nothing has come for {units.duration(one.silent)}"
        yield from fitted(text, width, 2)
        if one.lines:
            yield from fitted("at " + ", called from ".join(one.lines), width, 6, 6)
    if len(seen.readers) > len(shown):
        yield from fitted(f"and {len(seen.readers) - len(shown):,} more (-v)", width, 2)


def _lost(seen: Look, width: int) -> list[str]:
    lost = [row for row in seen.unowned if row.state == ESTABLISHED]
    if not lost:
        return []
    where = ", ".join(dict.fromkeys(filters.text(row.remote) for row in lost[:FEW]))
    return fitted(
        f"{MAGENTA}{len(lost)} ESTABLISHED without an owner{END} ({where}): the descriptor was closed while a thread "
        "still reads from the socket; the kernel keeps it open, and no count by fd shows it",
        width,
    )


def heading(text: str) -> str:
    return f"{BOLD}{text}{END}"


def _length(text: str) -> int:
    return len(text.translate(_NOTHING))


def _pad(text: str, size: int, right: bool) -> str:
    blanks = " " * (size - _length(text))
    return blanks + text if right else text + blanks
