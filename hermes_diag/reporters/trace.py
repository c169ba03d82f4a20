"""What the processes of a trace held at their end, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from hermes_diag.core import units
from hermes_diag.reporters.sockets_text import BOLD, END, FEW, MAGENTA, fitted
from hermes_diag.watch import opened
from hermes_diag.watch.opened import Kept, Remains
from hermes_diag.watch.reports import TraceReport


def lines(report: TraceReport, width: int, verbose: bool) -> list[str]:
    """All processes; those that held nothing are only counted, unless verbose."""
    found = report.processes
    if not found:
        why = "is it a Python program, without -I, -E and -S, that keeps PYTHONPATH?"
        return [f"hermes-diag: {report.verdict}", *([f"  {why}"] if "no Python" in report.verdict else ())]
    shown = [one for one in found if one.kept or one.notes or verbose or len(found) == 1]
    text = [line for one in shown for line in _process(one, width, verbose)]
    quiet = [one for one in found if one not in shown]
    unknown = sum(one.how == "killed" and not one.looked for one in quiet)
    if len(quiet) > unknown:
        text += fitted(f"{_processes(len(quiet) - unknown)} more: nothing was left open", width)
    if unknown:
        text += fitted(f"{_processes(unknown)} more: killed, or left by os._exit(), before anybody could look", width)
    return text


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number:,} processes"


def _process(one: Remains, width: int, verbose: bool) -> Iterator[str]:
    name = f" ({one.program}, Python {one.python})" if one.program else f" (Python {one.python})"
    yield from fitted(f"{BOLD}process {one.pid}{END}{name}: {_how(one)}", width)
    if verbose:
        for kept in one.kept:
            yield from fitted(f"fd {kept.fd} {_named(kept)}: {_opened(kept)}", width, 2)
    else:
        groups = Counter((kept.kind, kept.opened.place) for kept in one.kept).most_common()
        for (kind, place), count in groups[:FEW]:
            yield from fitted(
                f"{MAGENTA}{units.count(count, kind)}{END}: {place}{_through(one.kept, kind, place)}", width, 2
            )
        if len(groups) > FEW:
            yield from fitted(f"and {len(groups) - FEW:,} more lines (-v)", width, 2)
    for note in one.notes:
        yield from fitted(note, width, 2)


def _how(one: Remains) -> str:
    left = units.count(len(one.kept), "descriptor")
    if one.how == "ended":
        return f"{left} still open when it ended" if one.kept else "nothing was left open"
    if one.how == "running":
        return f"runs, {left} open"
    if not one.looked:
        said = "killed, or left by os._exit(), before anybody could look"
        return f"{said}; the last openings of {left}, closed again or not" if one.kept else said
    return f"killed, or left by os._exit(); {left} open at the last look"


def _through(kept: Sequence[Kept], kind: str, place: str) -> str:
    """The library that the program called there, and the remote, where all have the same."""
    same = [one for one in kept if (one.kind, one.opened.place) == (kind, place)]
    libraries, names = {one.opened.library for one in same}, {one.name for one in same}
    said = f", through {libraries.pop()}" if len(libraries) == 1 and "" not in libraries else ""
    return said + (f" ({names.pop()})" if len(names) == 1 and "" not in names else "")


def _named(kept: Kept) -> str:
    return f"{kept.kind} {kept.name}".rstrip()


def _opened(kept: Kept) -> str:
    one = kept.opened
    return (" < ".join(one.lines) or one.place) + opened.around(one) + opened.whose(one)
