"""A look, a sample and a summary of `sockets` as JSON, each on one line or as one document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from hermes_diag.core.report import Finding, Report, Row
from hermes_diag.core.sockets import SocketRow
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.reporters.envelope import envelope
from hermes_diag.watch import explain, filters
from hermes_diag.watch.records import Held, Look, Reader, Summary, Tick
from hermes_diag.watch.trend import GROWING, TOO_SHORT, UNKNOWN


def look(
    seen: Look, held: Sequence[Held], status: Status, names: dict[str, str] | None = None, **more: dict[str, Any] | None
) -> str:
    """One look as one document, indented, without a final newline. more: further parts of it, by name."""
    by_remote: dict[str, Counter[str]] = {}
    for row in seen.rows:
        by_remote.setdefault(filters.of(row, seen.listening), Counter())[row.state] += 1
    document = envelope(
        _judged(seen, held, status),
        kind="look",
        at=seen.at,
        backend={"name": seen.backend, "why": seen.why},
        processes=seen.processes,
        states=Counter(row.state for row in seen.rows),
        unowned=Counter(row.state for row in seen.unowned),
        closed=None if seen.closed is None else [{"pid": pid, "fd": fd} for pid, fd, _ in seen.closed],
        remotes=by_remote,
        names=names or {},
        sockets=[_row(row) for row in sorted(seen.rows, key=explain.badness, reverse=True)],
        unowned_sockets=[_row(row) for row in seen.unowned],
        readers=[_reader(one) for one in seen.readers],
        missing=seen.missing,
        conditions=held,
        **more,
    )
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _judged(seen: Look, held: Sequence[Held], status: Status) -> Report:
    found = "; ".join(f"{one.condition}: {one.found}" for one in held)
    return Report(
        command="sockets",
        subject=f"process {seen.processes[0].pid}",
        status=status,
        verdict=found or "one look cannot tell growth",
        stack=None,
        rows=tuple(map(_condition, held)),
        findings=tuple(_findings(held)),
    )


def sample(tick: Tick) -> str:
    """One sample of a watch as one line."""
    return msgspec.json.encode({"kind": "sample", **msgspec.to_builtins(tick)}).decode()


def summary(found: Summary, indent: bool = False) -> str:
    """The summary of a watch as one line, or as a document."""
    own = msgspec.to_builtins(found)
    for name in ("status", "verdict", "interrupted"):
        own.pop(name, None)
    line = msgspec.json.encode(envelope(_report(found), kind="summary", **own))
    return (msgspec.json.format(line, indent=2) if indent else line).decode()


def _report(found: Summary) -> Report:
    statuses = {GROWING: RowStatus.FAILED, TOO_SHORT: RowStatus.COULD_NOT_TELL, UNKNOWN: RowStatus.COULD_NOT_TELL}
    rows = [
        Row("number", one.name, "", f"{one.name} does not grow", statuses.get(one.word, RowStatus.PASSED), one.text)
        for one in found.courses
    ]
    growing = [
        Finding("grows", "problem", one.text, {"per_hour": one.per_hour or 0.0}, (), "", "", one.name)
        for one in found.courses
        if one.word == GROWING
    ]
    return Report(
        command="sockets",
        subject=f"process {found.watched.pid}",
        status=found.status,
        verdict=found.verdict,
        stack=None,
        rows=(*rows, *map(_condition, found.conditions)),
        findings=(*growing, *_findings(found.conditions)),
        interrupted=found.interrupted,
    )


def _condition(held: Held) -> Row:
    """A --fail-on condition as a row: it fails when it holds."""
    statuses = {True: RowStatus.FAILED, False: RowStatus.PASSED, None: RowStatus.COULD_NOT_TELL}
    status = statuses[held.held]
    return Row("condition", held.condition, "", "fails when it holds", status, held.found)


def _findings(held: Sequence[Held]) -> Iterator[Finding]:
    for one in held:
        if one.held:
            yield Finding("condition-holds", "problem", one.found, {}, (), "", "", one.condition)


def _row(row: SocketRow) -> dict[str, Any]:
    fields = {**row._asdict(), "local": filters.text(row.local), "remote": filters.text(row.remote)}
    return {**fields, "explained": explain.socket(row)}


def _reader(one: Reader) -> dict[str, Any]:
    return {**msgspec.to_builtins(one), "remote": one.remote and filters.text(one.remote)}
