"""`hermes-diag logs`: what does the log of a Hermes gateway say of its clients, and since when?"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.core import folders
from hermes_diag.core.errors import UsageError

if TYPE_CHECKING:
    from datetime import tzinfo

    from hermes_diag.core.agent_log import File
    from hermes_diag.hermes.logs.balance import Balance
    from hermes_diag.hermes.logs.files import Source

EXAMPLES = """
  hermes-diag logs
  hermes-diag logs --home /srv/hermes --profile work --since 6h
  hermes-diag logs agent.log.2.gz agent.log.1 agent.log --tz Europe/Berlin
  hermes-diag logs --with night.jsonl --output night.html
  hermes-diag logs --json

\b
Exit codes:
  0    the log shows nothing wrong
  1    aborts that closed nothing, or request clients without an end whose session went on
  2    wrong usage
  3    could not tell: no log, or no line about clients in it
  130  Ctrl-C or SIGTERM; what was read until then is told
"""

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE...", show_default=False, help="Logs, the oldest first; without: agent.log and its rotations."
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(metavar="DIR", show_default="HERMES_HOME or ~/.hermes", help="The home of Hermes."),
]
Profile = Annotated[str | None, typer.Option(metavar="NAME", show_default=False, help="Of this Hermes profile.")]
With = Annotated[
    Path | None,
    typer.Option(
        "--with",
        metavar="CAPTURE",
        show_default=False,
        help="Beside it what `sockets --watch --save CAPTURE` saw at the same time.",
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--tz", metavar="NAME", show_default="this machine's", help="The time zone that the log was written in."
    ),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", show_default=False, help="Only lines from then on: '2026-11-28 04:00', or 6h ago."),
]
Until = Annotated[str | None, typer.Option(metavar="TIME", show_default=False, help="Only lines up to then.")]


@reporting(without=("save", "force"))
def command(
    file: Files = None,
    home: Home = None,
    profile: Profile = None,
    with_: With = None,
    tz: Zone = None,
    since: Since = None,
    until: Until = None,
    *,
    output: Output,
) -> int:
    """Read the log of a Hermes gateway: clients created, closed and aborted, and what has no end.

    It only reads, also while the gateway writes, and needs no gateway that runs.
    """
    from hermes_diag.cli import telling
    from hermes_diag.core.interrupts import Interrupts
    from hermes_diag.core.text import one_line
    from hermes_diag.hermes.logs import files as log
    from hermes_diag.hermes.logs import joined, judged
    from hermes_diag.hermes.logs.balance import Balance

    if file and (home or profile):
        raise UsageError("FILE and --home or --profile name two logs", "leave one of them out")
    zone = _zone(tz)
    found = Balance(zone, *_range(since, until, zone))
    seen = joined.watch(with_) if with_ else None
    paths = log.newest_first(file) if file else log.of_home(_place(home, profile))
    read_from = {os.path.realpath(path): path for path in (*paths, *filter(None, [with_]))}
    named = {f"{path}, which is a file that is read,": path for path in read_from.values()}
    reports = telling.report_files(output, **named)
    sources = log.opened(paths)
    read: list[File] = []
    stop = Interrupts(lambda number: None, deaf=True)
    with stop:
        _read(sources, found, read.append, lambda: bool(stop.number))
    subject = one_line(", ".join(map(str, file)) if file else str(paths[0].parent))
    report = judged.report(found, read, tz or "", subject, seen, seen.notes if seen else (), bool(stop.number))
    return telling.tell(report, output, reports)


def _read(sources: Sequence[Source], found: Balance, tell: Callable[[File], None], stopped: Callable[[], bool]) -> None:
    """Feed the balance with all files; progress on a terminal."""
    from hermes_diag.cli.terminal import is_live, redraw
    from hermes_diag.core import units
    from hermes_diag.core.text import one_line
    from hermes_diag.hermes.logs import files as log

    live, due, shown = is_live(sys.stderr), time.monotonic() + 1, False
    for number, source in enumerate(sources, start=1):
        for chunk in log.chunks(source, tell):
            found.feed(chunk)
            if stopped():
                break
            if live and time.monotonic() > due:
                due, shown = time.monotonic() + 0.5, True
                name = f"{one_line(source.path.name)[:40]} ({number} of {len(sources)})"
                done, size = units.size(source.file.tell()), units.size(source.size)
                redraw(f"reading {name}: {done} of {size}")
        if stopped():
            break
    for source in sources:
        source.file.close()
    if shown:
        redraw("")


def _place(given: Path | None, profile: str | None) -> Path:
    from hermes_diag.hermes import home

    return home.place(folders.expanded(given) if given else home.home(), profile)


def _zone(name: str | None) -> tzinfo | None:
    """The zone of that name. Raises UsageError."""
    if name is None:
        return None
    import zoneinfo

    from hermes_diag.core.text import quoted

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"--tz: no time zone {quoted(name)} is known here", "write it as Europe/Berlin or UTC"
        ) from None


def _range(since: str | None, until: str | None, zone: tzinfo | None) -> tuple[float | None, float | None]:
    """--since and --until. Raises UsageError."""
    begin, end = _moment("--since", since, zone), _moment("--until", until, zone)
    if begin is not None and end is not None and begin > end:
        raise UsageError("--since is after --until", "swap them")
    return begin, end


def _moment(option: str, text: str | None, zone: tzinfo | None) -> float | None:
    """A moment that a user wrote: a date with a time in the zone of the log, or how long ago. Raises UsageError."""
    if text is None:
        return None
    from datetime import datetime

    from hermes_diag.core import units
    from hermes_diag.core.text import quoted

    try:
        return time.time() - units.seconds(text)
    except ValueError:
        pass
    try:
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo else given.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        cure = "write it as '2026-11-28 04:00', or as 6h for six hours ago"
        raise UsageError(f"{option}: {quoted(text)} is no moment", cure) from None
