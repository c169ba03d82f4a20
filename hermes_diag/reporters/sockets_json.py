"""The JSON documents of `sockets` and `trace`: what each has beside the envelope; and a sample on one line."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from hermes_diag.core.sockets import SocketRow
from hermes_diag.reporters import sockets_attached, sockets_origins
from hermes_diag.reporters.envelope import encoded
from hermes_diag.watch import explain, filters
from hermes_diag.watch.records import Reader, Tick
from hermes_diag.watch.reports import LookReport, TraceReport, WatchReport


def look(report: LookReport) -> dict[str, Any]:
    """Of one look."""
    seen = report.look
    by_remote: dict[str, Counter[str]] = {}
    for row in seen.rows:
        by_remote.setdefault(filters.of(row, seen.listening), Counter())[row.state] += 1
    return {
        "kind": "look",
        "at": seen.at,
        "backend": {"name": seen.backend, "why": seen.why},
        "processes": seen.processes,
        "states": Counter(row.state for row in seen.rows),
        "unowned": Counter(row.state for row in seen.unowned),
        "closed": None if seen.closed is None else [{"pid": pid, "fd": fd} for pid, fd, _ in seen.closed],
        "remotes": by_remote,
        "names": report.names,
        "sockets": [_row(row) for row in sorted(seen.rows, key=explain.badness, reverse=True)],
        "unowned_sockets": [_row(row) for row in seen.unowned],
        "readers": [_reader(one) for one in seen.readers],
        "missing": seen.missing,
        "conditions": report.held,
        "origins": sockets_origins.document(seen, report.origins),
        "attached": sockets_attached.document(report.attached, seen) if report.attached else None,
    }


def watch(report: WatchReport) -> dict[str, Any]:
    """Of a watch: its summary."""
    own: dict[str, Any] = msgspec.to_builtins(report.summary)
    return {"kind": "summary", **{name: own[name] for name in own if name not in ("status", "verdict", "interrupted")}}


def trace(report: TraceReport) -> dict[str, Any]:
    """Of a trace."""
    return {"kind": "trace", "processes": report.processes}


def sample(tick: Tick) -> str:
    """One sample of a watch as one line."""
    return encoded({"kind": "sample", **msgspec.to_builtins(tick)})


def _row(row: SocketRow) -> dict[str, Any]:
    fields = {**row._asdict(), "local": filters.text(row.local), "remote": filters.text(row.remote)}
    return {**fields, "explained": explain.socket(row)}


def _reader(one: Reader) -> dict[str, Any]:
    return {**msgspec.to_builtins(one), "remote": one.remote and filters.text(one.remote)}
