"""A look, a sample and a summary as JSON, each on one line or as one document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from hermes_diag.core.sockets import SocketRow
from hermes_diag.watch import explain, filters
from hermes_diag.watch.records import Held, Look, Summary, Tick

SCHEMA = 1


def look(seen: Look, held: Sequence[Held], exit_code: int, names: dict[str, str] | None = None) -> str:
    """One look as one document, indented, without a final newline."""
    by_remote: dict[str, Counter[str]] = {}
    for row in seen.rows:
        by_remote.setdefault(filters.of(row, seen.listening), Counter())[row.state] += 1
    document = {
        "schema": SCHEMA,
        "kind": "look",
        "at": seen.at,
        "backend": {"name": seen.backend, "why": seen.why},
        "processes": seen.processes,
        "states": Counter(row.state for row in seen.rows),
        "unowned": Counter(row.state for row in seen.unowned),
        "closed": None if seen.closed is None else [{"pid": pid, "fd": fd} for pid, fd, _ in seen.closed],
        "remotes": by_remote,
        "names": names or {},
        "sockets": [_row(row) for row in sorted(seen.rows, key=explain.badness, reverse=True)],
        "unowned_sockets": [_row(row) for row in seen.unowned],
        "missing": seen.missing,
        "conditions": held,
        "exit_code": exit_code,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def sample(tick: Tick) -> str:
    """One sample of a watch as one line."""
    return msgspec.json.encode({"kind": "sample", **msgspec.to_builtins(tick)}).decode()


def summary(found: Summary, indent: bool = False) -> str:
    """The summary of a watch as one line, or as a document."""
    line = msgspec.json.encode({"schema": SCHEMA, "kind": "summary", **msgspec.to_builtins(found)})
    return (msgspec.json.format(line, indent=2) if indent else line).decode()


def _row(row: SocketRow) -> dict[str, Any]:
    fields = {**row._asdict(), "local": filters.text(row.local), "remote": filters.text(row.remote)}
    return {**fields, "explained": explain.socket(row)}
