"""The view of a run under way: cells done, turns, errors, ESTABLISHED, CLOSE_WAIT."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from hermes_diag.core import units
from hermes_diag.core.evidence import Outcome, Repeated, Sample
from hermes_diag.core.plan import Cell, Plan
from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED
from hermes_diag.core.text import one_line
from hermes_diag.worker.contract import TurnDone


class Progress:
    """Counts records as they come and shows them on a terminal, nowhere else. Context manager."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._total = len(plan.cells)
        self._done = self._turns = self._errors = 0
        self._running: dict[str, tuple[int, int, int]] = {}  # turns, ESTABLISHED, CLOSE_WAIT
        self._live = Live(
            console=console, get_renderable=self._table, refresh_per_second=8, transient=True, redirect_stdout=False
        )
        # Not console.is_terminal: FORCE_COLOR makes it true for a pipe, too.
        self._shown = console.file.isatty() and not console.is_dumb_terminal

    def __enter__(self) -> Progress:
        if self._shown:
            self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._shown:
            self._live.stop()

    def __call__(self, cell: Cell, record: Any) -> None:
        """Take notice of one record of a cell."""
        turns, established, close_wait = self._running.get(cell.name, (0, 0, 0))
        if isinstance(record, TurnDone):
            self._turns += 1
            self._errors += record.outcome == "error"
            turns += 1
        elif isinstance(record, Sample):
            established, close_wait = record.states.get(ESTABLISHED, 0), record.states.get(CLOSE_WAIT, 0)
        elif isinstance(record, Outcome):
            self._done += 1
            self._running.pop(cell.name, None)
            return
        elif isinstance(record, Repeated):
            self._done -= 1
            return
        self._running[cell.name] = (turns, established, close_wait)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        done = f"{self._done}/{units.count(self._total, 'cell')}"
        table.add_column(f"{done}, {units.count(self._turns, 'turn')}, {units.count(self._errors, 'error')}")
        for name in ("turns", ESTABLISHED, CLOSE_WAIT):
            table.add_column(name, justify="right")
        for name, numbers in self._running.items():
            table.add_row(one_line(name), *map(str, numbers))
        return table
