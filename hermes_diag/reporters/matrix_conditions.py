"""What a matrix of cells was run on, and what was not as in a user's gateway, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Cell
from hermes_diag.core.report import RunReport
from hermes_diag.core.text import release
from hermes_diag.reporters import style
from hermes_diag.worker.contract import HERMES


def stack(report: RunReport) -> Text:
    stack = report.stack
    if stack is None:
        return Text("none: no worker said what it runs on")
    hermes = f"Hermes Agent {release(stack.hermes)}, " if _hermes(report) else ""
    return Text(
        f"{hermes}{style.stack_line(stack)}\n"
        + "".join(f"endpoint: {text}\n" for text in _endpoints(report))
        + "\n".join(
            f"payload: {one.source} ({one.kind}, {one.api} API, {one.size} bytes)" for one in report.plan.payloads
        )
        + "".join(f"\n{line}" for line in _conditions(report))
    )


def _endpoints(report: RunReport) -> Iterator[str]:
    """Where the requests of a live replay went, and how many."""
    for endpoint in dict.fromkeys(one.cell.endpoint for one in report.cells if one.cell.endpoint):
        sent = sum(
            one.value
            for seen in report.evidence
            if seen.cell.endpoint == endpoint
            for one in seen.measured
            if one.name == "requests"
        )
        yield f"POST {endpoint}, {units.count(round(sent), 'request')} attempted"


def _hermes(report: RunReport) -> list[Evidence]:
    return [one for one in report.evidence if one.cell.strategy == HERMES]


def _conditions(report: RunReport) -> Iterator[str]:
    """What was not as in a user's gateway, and what Hermes wanted to do and was not let."""
    by_line: dict[str, list[str]] = {}
    for one in _hermes(report):
        by_line.setdefault(_changed_for(one.cell), []).append(one.cell.name)
    for line, names in by_line.items():
        yield f"{', '.join(names)}: {line}"
    refused = Counter[str]()
    for one in _hermes(report):
        refused.update({m.unit: int(m.value) for m in one.measured if m.name.startswith("refused_")})
    if refused:
        yield "refused to Hermes: " + ", ".join(f"{count} {unit}" for unit, count in refused.items())


def _changed_for(cell: Cell) -> str:
    """What was not as in a user's gateway, for the report."""
    settings = cell.hermes
    if settings is None:
        return ""
    said = [f"waits between retries cut to {settings.backoff:g} s in the worker's memory"]
    if settings.watchdog is not None:
        said.append(f"its watchdogs set to {settings.watchdog:g} s by its environment variables")
    if settings.retries is not None:
        said.append(f"api_max_retries {settings.retries} in its config.yaml")
    if cell.conditions.hurried is not None:
        said.append(f"a connect to the dead address lasts {cell.conditions.hurried:g} of its timeout")
    if settings.pool is not None:
        said.append(f"pools of its clients lowered to {settings.pool} places in the worker's memory")
    if settings.mutate:
        said.append("the mutation of #10933 put back in the worker's memory")
    return "; ".join(said)
