"""Options to cells, and what the bug report predicts of each.

Which strategies and workloads there are, and their default sizes, is read from the files of the worker.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hermes_diag.core.leaves import leaves
from hermes_diag.core.plan import FACTORY, FRESH, MEASURE, MUTATED, Cell, Conditions, PayloadInfo, Plan
from hermes_diag.worker.contract import HERMES

STRATEGIES = tuple(leaves("strategies"))
ENDS = ("close", "abandon")

#: Sessions, turns and scope of each workload of the replay loop, unless options say otherwise.
SIZES = {name: leaf.constants["LOOP"] for name, leaf in leaves("workloads").items() if "LOOP" in leaf.constants}
WORKLOADS = tuple(SIZES)
#: Those that run unless options choose: a workload may be there on demand only.
USUAL = tuple(name for name in SIZES if not leaves("workloads")[name].constants.get("ON_DEMAND"))
#: Those of the control and of the measurements, which no option names.
_OWN_SIZES = {
    FRESH: {"sessions": 1, "turns": 1, "scope": "session"},
    MEASURE: {"sessions": 0, "turns": 1, "scope": "session"},
}
#: Strategies of the default run.
_IN_MATRIX = tuple(name for name, leaf in leaves("strategies").items() if leaf.constants.get("IN_MATRIX"))
#: Strategies and workloads of which the bug report predicts something.
_PREDICTED = ("buggy", "fixed"), ("steady", "interrupted", "overlapping", FRESH, MEASURE)
#: httpx's default pool size, to which the injected client shrank the SDK's 1000.
POOL = 100
#: Seconds. The wait for a free connection is cut to one second, so that an exhausted pool shows
#: before the SDK's 600 s are over; the others never run out on loopback, on however busy a machine.
TIMEOUT, POOL_TIMEOUT = 10.0, 1.0
#: How the names of faults begin that act in a proxy before the provider.
OF_PROXY = "proxy-"
#: Idle gaps of each cell, evenly spread over its rounds.
BARRIERS = 12


@dataclass(frozen=True)
class Sizes:
    """What the user asked for; None leaves a workload its default."""

    sessions: int | None = None
    turns: int | None = None
    scope: str | None = None
    retries: int = 0
    timeout: float | None = None
    idle_close: float | None = 0.0
    seed: int = 0
    conditions: Conditions = field(default_factory=Conditions)


def make(
    payload: PayloadInfo,
    strategies: tuple[str, ...] = (),
    ends: tuple[str, ...] = (),
    workloads: tuple[str, ...] = (),
    sizes: Sizes = Sizes(),
    faults: tuple[str, ...] = (),
    further: tuple[PayloadInfo, ...] = (),
) -> Plan:
    """The cells for the chosen values of each dimension (none chosen: all of the default run); the control of each
    payload and the measurements come last."""
    sources = tuple(info.source for info in (payload, *further)) if further else ("",)
    cells = [
        replace(under(_cell(strategy, end, workload, sizes), fault), payload=source)
        for source in sources
        for strategy in strategies or _IN_MATRIX
        for end in ends or ENDS
        for workload in workloads or USUAL
        for fault in faults or ("",)
    ]
    # The control uses the buggy factory: what upstream saw working was a fresh shell of the same code.
    control = _cell("buggy", "close", FRESH, Sizes(timeout=sizes.timeout, seed=sizes.seed))
    cells += [replace(control, payload=source) for source in sources]
    cells.append(_cell("buggy", "close", MEASURE, Sizes(timeout=sizes.timeout, seed=sizes.seed)))
    return Plan(tuple(cells), payload, further)


def for_factory(
    payload: PayloadInfo,
    spec: str,
    ends: tuple[str, ...] = (),
    workloads: tuple[str, ...] = (),
    sizes: Sizes = Sizes(),
    faults: tuple[str, ...] = (),
    further: tuple[PayloadInfo, ...] = (),
) -> Plan:
    """The cells that put a user's factory to the test: `make` with it as the only strategy.

    What it hands out is given back after each turn unless `ends` says otherwise: that a caller
    abandons clients is no fault of the factory.
    """
    cells = make(payload, (FACTORY,), ends or ("close",), workloads, sizes, faults, further).cells
    own = [cell for cell in cells if cell.workload != MEASURE]  # that one measures clients of ours
    return Plan(tuple(replace(cell, strategy=FACTORY, factory=spec) for cell in own), payload, further)


def under(cell: Cell, fault: str) -> Cell:
    """The same cell under a fault ("": none); under one of a proxy it is behind a proxy, with TLS in a tunnel."""
    if fault.startswith(OF_PROXY):
        cell = replace(cell, conditions=replace(cell.conditions, proxy=True, tls=True))
    return replace(cell, fault=fault)


def patient(plan: Plan, patience: float | None) -> Plan:
    """The same with so many seconds for each call of the user's code; None: as usual."""
    cells = (replace(cell, conditions=replace(cell.conditions, patience=patience)) for cell in plan.cells)
    return replace(plan, cells=tuple(cells))


def _cell(strategy: str, end: str, workload: str, sizes: Sizes) -> Cell:
    default = {**SIZES, **_OWN_SIZES}[workload]
    return Cell(
        strategy=strategy,
        end=end,
        workload=workload,
        sessions=sizes.sessions or default["sessions"],
        turns=sizes.turns or default["turns"],
        scope=sizes.scope or default["scope"],
        retries=sizes.retries,
        timeout=sizes.timeout or TIMEOUT,
        pool_timeout=sizes.timeout or POOL_TIMEOUT,
        idle_close=sizes.idle_close,
        seed=sizes.seed,
        conditions=conditions(workload, sizes),
    )


def conditions(workload: str, sizes: Sizes) -> Conditions:
    """What is different around the clients of a cell: what was asked for, and what its workload needs."""
    leaf = leaves("workloads").get(workload)  # the control and the measurements are no file
    return replace(sizes.conditions, **leaf.constants.get("CONDITIONS", {})) if leaf else sizes.conditions


def expected(cell: Cell) -> tuple[str, ...]:
    """Words of a verdict that agree with the bug report as measured, the predicted one first.

    From facts measured on openai 2.24 to 3.x: see the table in README, "What each cell does". Nothing is predicted of
    a user's factory, of a strategy or workload that is not of that table, and under a fault: such a cell is judged by
    what it does.
    """
    if cell.fault or cell.scenario:
        return ()  # of a scenario, judge/scenarios/ says what it must show
    if cell.strategy == HERMES:  # without the mutation nothing is predicted: the release shows what it does
        return ("fails",) if cell.end == MUTATED and cell.turns > 1 else ()
    if cell.strategy not in _PREDICTED[0] or cell.workload not in _PREDICTED[1]:
        return ()
    if cell.workload in (FRESH, MEASURE):
        return ("ok",)
    together = cell.sessions if cell.scope == "gateway" else 1
    turns = cell.turns * together  # that share one dict
    if cell.end == "close":
        return ("fails",) if cell.strategy == "buggy" and turns > 1 else ("ok",)
    # Nobody closes: sockets are left in idle gaps, and of few gaps nobody can say whether they grow.
    if cell.strategy == "fixed":
        return ("leaks", "too short")
    if cell.workload == "interrupted" and turns > POOL:
        # A retry rebuilds the shared client, whose close takes the starved pool with it.
        return ("fails",) if cell.retries else ("starves",)
    if cell.workload == "interrupted":
        return ("leaks", "too short")
    return ("ok", "too short")


def cost(cell: Cell) -> float:
    """A rough weight by which the longest cells are started first."""
    waits = 1000 if cell.workload == MEASURE or "starves" in expected(cell) else 0
    return waits + cell.sessions * cell.turns * (1 + cell.retries)
