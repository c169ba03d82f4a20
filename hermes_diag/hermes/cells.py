"""The cells of `--strategy hermes`: the real Hermes Agent under each workload. Pure.

Hermes builds its own requests, retries and releases as it does, so that a cell has neither a release nor
a payload; what it needs is said to the worker by settings (see worker/hermes_agent.py).
"""

from __future__ import annotations

from hermes_diag.core.matrix import POOL_TIMEOUT, TIMEOUT, WORKLOADS, Sizes
from hermes_diag.core.plan import ABORTED, MUTATED, Cell
from hermes_diag.worker.contract import HERMES

#: (sessions, turns) of a workload unless flags say otherwise.
DEFAULTS = {"steady": (2, 6), "interrupted": (2, 6), "overlapping": (3, 5), ABORTED: (1, 5)}
#: Turns of a session with the mutation: one that works, and two that fail six times each.
MUTATED_TURNS = 3
#: What the provider does to each turn of a workload when no --fault was asked for.
FAULTS = {"interrupted": "hold", ABORTED: "first-event-then-silence"}
#: Seconds. Hermes waits 2 to 12 s before a retry, and 12 to 300 s before it gives up a silent stream.
BACKOFF, WATCHDOG = "0.2", "1"
#: With a fault: long enough for a busy machine, and for streams held on purpose while another turn fails.
FAULT_WATCHDOG = "5"
#: Seconds that threads which a failed turn has started have to end: retries of a busy machine take a while.
FAULT_GRACE = "5"
#: An aborted turn is one attempt: it takes Hermes two seconds longer than its watchdog.
ABORTED_RETRIES = "1"


def make(workloads: tuple[str, ...], sizes: Sizes, faults: tuple[str, ...], mutate: bool) -> tuple[Cell, ...]:
    """The cells for the chosen workloads (none chosen: all) and faults."""
    # With the mutation only the first turn of a session works: nothing is left for a watchdog to give up.
    every = WORKLOADS if mutate else (*WORKLOADS, ABORTED)
    return tuple(_cell(workload, sizes, fault, mutate) for workload in workloads or every for fault in faults or ("",))


def _cell(workload: str, sizes: Sizes, fault: str, mutate: bool) -> Cell:
    sessions, turns = DEFAULTS[workload]
    return Cell(
        strategy=HERMES,
        end=MUTATED if mutate else "",
        workload=workload,
        sessions=sizes.sessions or sessions,
        turns=sizes.turns or (MUTATED_TURNS if mutate else turns),
        scope="session",
        retries=0,
        timeout=TIMEOUT,
        pool_timeout=POOL_TIMEOUT,
        idle_close=sizes.idle_close,
        seed=sizes.seed,
        fault=fault,
        settings=tuple(sorted(_settings(workload, fault, mutate).items())),
    )


def _settings(workload: str, fault: str, mutate: bool) -> dict[str, str]:
    settings = {"home": "", "backoff": BACKOFF}
    if mutate:
        settings["mutate"] = "client_kwargs"
    if not fault and workload in FAULTS:
        settings["fault"] = FAULTS[workload]
    if fault:
        settings["grace"] = FAULT_GRACE
    if fault or workload == ABORTED:
        settings["watchdog"] = WATCHDOG if workload == ABORTED else FAULT_WATCHDOG
    if workload == ABORTED:
        settings["retries"] = ABORTED_RETRIES
    return settings
