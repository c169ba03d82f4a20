"""The turns of each cell for people: a table of attempts, or a line for each where there is no room for columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge import causes
from hermes_diag.reporters import style
from hermes_diag.worker.contract import TurnDone

#: Turn, events that the provider sent, outcome.
Row = tuple[TurnDone, str, str]


def turns(evidence: tuple[Evidence, ...], width: int) -> Iterator[RenderableType]:
    """Every cell that has turns."""
    for cell in evidence:
        sent = {served.turn: str(served.events) for served in cell.served}
        rows = [(turn, sent.get(causes.name(turn), "-"), _outcome(turn)) for turn in cell.turns]
        if rows and width < style.WIDE:
            yield Text(cell.cell.name, style=style.TITLE)
            for turn, events, outcome in rows:
                yield Text(f"{causes.name(turn)}  {turn.ms:.1f} ms, {turn.events} of {events} events: {outcome}")
        elif rows:
            yield _table(cell.cell.name, rows)


def _table(name: str, rows: list[Row]) -> Table:
    title = f"{name} (turn: session/turn/attempt; events sent by the provider, read by the client)"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("turn", no_wrap=True)
    for column in ("ms", "sent", "read", "pool"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("outcome", overflow="fold")
    for turn, events, outcome in rows:
        table.add_row(causes.name(turn), f"{turn.ms:.1f}", events, str(turn.events), f"#{turn.http_client}", outcome)
    return table


def _outcome(turn: TurnDone) -> str:
    return f"{causes.of(turn)}: {' <- '.join(turn.chain)}" if turn.outcome == "error" else turn.outcome
