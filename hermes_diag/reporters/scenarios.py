"""Scenarios for people and for machines: the catalogue, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from hermes_diag.core import units
from hermes_diag.core.report import ScenarioResult
from hermes_diag.worker.contract import Hello


def listing(lines: Sequence[tuple[str, str, str]]) -> RenderableType:
    """The catalogue: (name, summary, reference)."""
    return Group(
        *(
            Group(Text(name, style="bold"), Padding(Text(f"{summary}{units.cited(reference)}"), (0, 0, 0, 2)))
            for name, summary, reference in lines
        )
    )


def render(results: Sequence[ScenarioResult], stack: Hello | None, verdict: str, exit_code: int) -> RenderableType:
    """What became of each scenario, and the verdict."""
    parts: list[RenderableType] = []
    for one in results:
        style = "green" if one.status == "shown both ways" else "yellow" if one.status.startswith("not on") else "red"
        parts.append(Text.assemble((one.name, "bold"), "  ", (one.status, style)))
        lines = [f"{one.summary}{units.cited(one.reference)}", f"bad client: {one.bad or 'nothing'}"]
        lines.append(f"good client: {one.good or 'nothing'}")
        parts.append(Padding(Text("\n".join(lines)), (0, 0, 0, 2)))
    if stack is not None:
        parts.append(Text(f"\n{stack.python}, openai {stack.openai}, {stack.http}, {stack.core}"))
    parts.append(Text(f"\n{verdict}", style="bold green" if exit_code == 0 else "bold red"))
    return Group(*parts)


def as_json(results: Sequence[ScenarioResult], stack: Hello | None, verdict: str, exit_code: int) -> str:
    """One JSON document."""
    document = {
        "schema": 1,
        "verdict": verdict,
        "exit_code": exit_code,
        "stack": asdict(stack) if stack else None,
        "scenarios": [asdict(one) for one in results],
    }
    return json.dumps(document, indent=2)
