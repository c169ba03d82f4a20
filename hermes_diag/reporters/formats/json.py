"""One JSON document, the same envelope for every command (docs/schema/report.json)."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from hermes_diag.core.agent_log import LogReport
from hermes_diag.core.evidence import RACY_STATES, Evidence
from hermes_diag.core.report import (
    AuditReport,
    CellReport,
    CheckReport,
    ComparedReport,
    Report,
    RunReport,
    ScenariosReport,
)
from hermes_diag.core.trials import BisectReport, MatrixReport
from hermes_diag.judge import causes, dump_comparison
from hermes_diag.reporters.envelope import encoded, envelope
from hermes_diag.watch.reports import LookReport, TraceReport, WatchReport

ENDING = ".json"

#: Paths in the document of which values differ from run to run on the same machine; every other count
#: is the same each time.
RACY = (
    "stack.import_ms",
    "cells[].samples[].at",
    "cells[].samples[].late",
    "cells[].samples[].rss",
    "cells[].samples[].threads",
    *(f"cells[].samples[].states.{state}" for state in RACY_STATES),
    *(f"cells[].samples[].owned.{state}" for state in RACY_STATES),
    "cells[].turns[].ms",
    "cells[].turns[].at",
    "cells[].turns[].first_event_ms",
    "cells[].measured[].value",
    "cells[].findings[code=isolation-price]",
    "cells[].findings[code=memory-grows]",
    # Whether a stream's reader already waits in the kernel when its socket is closed under it, in which
    # case the kernel keeps the connection for it, or is just about to.
    "cells[name=buggy/close/overlapping].provider.events_sent",
    "cells[].findings[code=stream-killed].summary",
    "cells[].findings[code=stream-killed].numbers.ownerless_established",
    "claims[code=timeout-of-5s].evidence",
    "cells[].samples[label=held].states.ESTABLISHED",
    # Whether Hermes forgets an interrupt before the thread that it was for has woken.
    "cells[name=hermes/interrupted].samples",
    "cells[name=hermes/interrupted].findings",
    "cells[name=hermes/interrupted].provider",
    "cells[name=hermes/interrupted].left",
    "cells[name=hermes/interrupted].word",
)


def render(report: Report, width: int, verbose: bool) -> str:
    """The document, indented."""
    return encoded(document(report), indent=True) + "\n"


def line(report: Report) -> str:
    """The document on one line."""
    return encoded(document(report))


def document(report: Report) -> dict[str, Any]:
    """The envelope with what only that kind of report has."""
    return envelope(report, **_own(report))


def _own(report: Report) -> dict[str, Any]:
    if isinstance(report, (LookReport, WatchReport, TraceReport)):
        from hermes_diag.reporters import sockets_json

        if isinstance(report, LookReport):
            return sockets_json.look(report)
        return sockets_json.watch(report) if isinstance(report, WatchReport) else sockets_json.trace(report)
    if isinstance(report, LogReport):
        shared = {one.name for one in dataclasses.fields(Report)}
        return {one.name: getattr(report, one.name) for one in dataclasses.fields(report) if one.name not in shared}
    if isinstance(report, RunReport):
        return {
            "plan": report.plan,
            "cells": [_cell(cell, seen) for cell, seen in zip(report.cells, report.evidence, strict=True)],
            "dumps": dump_comparison.of(report),
            "claims": report.claims,
            "racy": RACY,
        }
    if isinstance(report, AuditReport):
        return {
            "kind": report.kind,
            "client": report.client,
            "async": report.is_async,
            "frames": report.frames,
            "notes": report.notes,
        }
    if isinstance(report, CheckReport):
        settings = [{"name": name, "value": value, "source": source} for name, value, source in report.settings]
        return {"defined": report.defined, "settings": settings, "better": report.better, "notes": report.notes}
    if isinstance(report, ComparedReport):
        captures = [{"name": name, "verdict": said} for name, said in zip(report.names, report.verdicts, strict=True)]
        return {"kind": "comparison", "captures": captures, "changes": report.changes, "others": report.others}
    if isinstance(report, MatrixReport):
        return {"targets": report.targets}
    if isinstance(report, BisectReport):
        return {name: getattr(report, name) for name in ("finding", "first", "repetitions", "miss", "steps")}
    return {"scenarios": report.scenarios} if isinstance(report, ScenariosReport) else {}


def _cell(one: CellReport, seen: Evidence) -> dict[str, Any]:
    judged: dict[str, Any] = msgspec.to_builtins(one)
    plan = judged.pop("cell")
    return {
        "name": one.cell.name,
        **judged,
        "attempts": one.attempts,
        "plan": plan,
        "turns": [_turn(turn) for turn in seen.turns],
        "samples": seen.barriers,
        "provider": {
            "requests": len(seen.served),
            "events_sent": sum(request.events for request in seen.served),
            "events_read": sum(turn.events for turn in seen.turns),
            "connections": len(seen.connections),
            "closed_first_by_provider": sum(one.closed_first == "provider" for one in seen.connections),
            "closed_first_by_client": sum(one.closed_first == "client" for one in seen.connections),
        },
        "measured": seen.measured,
    }


def _turn(turn: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(turn)
    return {**fields, "cause": causes.of(turn) if turn.outcome == "error" else None}
