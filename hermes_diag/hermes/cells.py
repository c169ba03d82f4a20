"""The cells of `--strategy hermes`: the real Hermes Agent under each workload. Pure.

Hermes builds, retries and ends its requests as it does, so that a cell has neither an end of turns nor a payload of
ours.
"""

from __future__ import annotations

from hermes_diag.core.leaves import leaves
from hermes_diag.core.matrix import POOL_TIMEOUT, TIMEOUT, Sizes, conditions
from hermes_diag.core.plan import MUTATED, Cell, HermesSettings
from hermes_diag.worker.contract import HERMES

#: What the file of each workload says of its run with Hermes: sessions, turns, fault, watchdog, retries.
WORKLOADS = {name: leaf.constants["HERMES"] for name, leaf in leaves("workloads").items() if "HERMES" in leaf.constants}
#: Those that run only when they are asked for.
ON_DEMAND = tuple(name for name in WORKLOADS if leaves("workloads")[name].constants.get("ON_DEMAND"))
#: What Hermes may speak: `api_mode` codex_responses, chat_completions and anthropic_messages.
APIS = ("codex", "chat", "anthropic")
#: Turns of a session with the mutation: one that works, and two that fail six times each.
MUTATED_TURNS = 3
#: Seconds. Hermes waits 2 to 12 s before a retry, and 12 to 300 s before it gives up a silent stream.
BACKOFF = 0.2
#: With a fault: long enough for a busy machine, and for streams held on purpose while another turn fails.
FAULT_WATCHDOG = 5.0
#: Seconds that threads which a failed turn has started have to end: retries of a busy machine take a while.
FAULT_GRACE = 5.0


def make(
    workloads: tuple[str, ...], sizes: Sizes, faults: tuple[str, ...], mutate: bool, apis: tuple[str, ...] = ()
) -> tuple[Cell, ...]:
    """The cells for the chosen workloads (none chosen: all), faults and APIs (none chosen: codex)."""
    # With the mutation only the first turn of a session works: nothing is left for a watchdog to give up.
    every = [name for name, own in WORKLOADS.items() if name not in ON_DEMAND and not (mutate and "watchdog" in own)]
    return tuple(
        _cell(workload, sizes, fault, mutate, api)
        for api in apis or APIS[:1]
        for workload in workloads or every
        for fault in faults or ("",)
    )


def _cell(workload: str, sizes: Sizes, fault: str, mutate: bool, api: str) -> Cell:
    default = WORKLOADS[workload]
    return Cell(
        strategy=HERMES,
        end=MUTATED if mutate else "",
        workload=workload,
        sessions=sizes.sessions or default["sessions"],
        turns=sizes.turns or (MUTATED_TURNS if mutate else default["turns"]),
        scope="session",
        retries=0,
        timeout=TIMEOUT,
        pool_timeout=POOL_TIMEOUT,
        idle_close=sizes.idle_close,
        seed=sizes.seed,
        fault=fault,
        conditions=conditions(workload, sizes),
        hermes=_settings(workload, fault, mutate, api),
    )


def _settings(workload: str, fault: str, mutate: bool, api: str) -> HermesSettings:
    own = WORKLOADS[workload]
    return HermesSettings(
        backoff=BACKOFF,
        fault="" if fault else own.get("fault", ""),
        watchdog=own.get("watchdog", FAULT_WATCHDOG if fault else None),
        retries=own.get("retries"),
        grace=FAULT_GRACE if fault else None,
        mutate=mutate,
        pool=own.get("pool"),
        api="" if api == APIS[0] else api,
    )
