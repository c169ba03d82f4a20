"""Texts that are kept in tests/golden/. HERMES_DIAG_GOLDEN=write writes them anew: look at what has changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hermes_diag.core.report import Report
from hermes_diag.reporters.formats import json as document

WIDTH = 120


def same(path: Path, text: str) -> None:
    """What is said is what was kept."""
    if os.environ.get("HERMES_DIAG_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


def of(report: Report, brief: bool = False) -> str:
    """A report but for what it only repeats of the plan and the evidence. brief: without what is always the same of a
    promise or rule, either."""
    told = json.loads(document.line(report))
    dropped = {"": ("plan", "racy"), "cells": ("plan", "turns", "samples")}
    if brief:
        dropped = {
            "": ("schema", "stack", "plan", "racy", "findings"),
            "rows": ("kind", "what", "why", "remedy", "reference"),
        }
        dropped |= {
            "cells": ("plan", "turns", "samples", "findings", "left", "left_at_end"),
            "findings": ("remedy", "reference"),
        }
    for where, names in dropped.items():
        for one in told.get(where, ()) if where else (told,):
            for name in names:
                one.pop(name, None)
    return "".join(f"{line}\n" for line in _lines(told))


def _lines(value: Any, indent: str = "", before: str = "", behind: str = "") -> Iterator[str]:
    """Such that a change shows as few lines: what fits into one line stands in one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(before) + len(line) < WIDTH or not isinstance(value, dict | list) or not value:
        yield f"{indent}{before}{line}{behind}"
        return
    is_dict = isinstance(value, dict)
    yield indent + before + "[{"[is_dict]
    items = [(f"{json.dumps(name)}: ", one) for name, one in value.items()] if is_dict else [("", one) for one in value]
    for number, (name, one) in enumerate(items, start=1):
        yield from _lines(one, f"{indent} ", name, "," if number < len(items) else "")
    yield indent + "]}"[is_dict] + behind
