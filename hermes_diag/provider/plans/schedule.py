"""Where a plan stands: it goes from phase to phase by the monotonic clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hermes_diag.core import units
from hermes_diag.provider.plans.plan import FaultPlan, Phase


class Schedule:
    """A plan that is carried out. enter: called with a phase's number, from 0 on, when it begins; not for the first,
    which is in force before the clock starts.

    Times are counted from the start of the plan, so that no phase is longer because the one before was late.
    """

    def __init__(self, plan: FaultPlan, enter: Callable[[int], None]) -> None:
        self.plan = plan
        self.number = 0  # counted on through the rounds of a loop
        self._enter = enter
        self._loop: asyncio.AbstractEventLoop | None = None  # once it has been started
        self._until = 0.0  # of the phase, by the clock of the loop
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        """Start the clock."""
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time()
        self._set_timer()

    def next(self) -> None:
        """Go to the next phase now; its time counts from now on. Raises ValueError when there is none."""
        if self._loop is None or self._stopped or self._is_last:
            raise ValueError("the plan has no further phase")
        if self._timer is not None:
            self._timer.cancel()
        self._until = self._loop.time()
        self._next()

    def stop(self) -> None:
        """No further phase: the provider ends, or faults were set by hand."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    @property
    def phase(self) -> Phase:
        return self.plan.phase(self.number)

    @property
    def label(self) -> str:
        """The phase in the tally: `2 (resets)`."""
        return "" if self._stopped else f"{self._place} ({self.phase.name})"

    @property
    def line(self) -> str:
        """The phase in the live log: `2 of 4: resets, 30 s`."""
        lasts = self.phase.seconds
        long = "to the end" if lasts is None or self._is_last else units.duration(lasts)
        return f"{self._place} of {len(self.plan.phases)}: {self.phase.name}, {long}"

    def document(self) -> dict[str, Any]:
        """Where it stands, for the control path. seconds_left is None in a phase that stays."""
        lasting = self._loop is not None and not self._stopped and not self._is_last
        return {
            "plan": self.plan.name,
            "state": "stopped" if self._stopped else "running",
            "phase": self._place,
            "phases": len(self.plan.phases),
            "name": self.phase.name,
            "round": self.number // len(self.plan.phases) + 1,
            "seconds_left": round(max(0.0, self._until - self._loop.time()), 3) if self._loop and lasting else None,
            "faults": [str(fault) for fault in self.phase.faults],
            "percent": {str(fault): share for fault, share in self.phase.percent},
        }

    @property
    def _place(self) -> int:
        return self.number % len(self.plan.phases) + 1

    @property
    def _is_last(self) -> bool:
        return not self.plan.loop and self._place == len(self.plan.phases)

    def _set_timer(self) -> None:
        if self._loop is not None and not self._is_last and self.phase.seconds is not None:
            self._until += self.phase.seconds
            self._timer = self._loop.call_at(self._until, self._next)

    def _next(self) -> None:
        self.number += 1
        self._enter(self.number)
        self._set_timer()
