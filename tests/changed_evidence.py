"""Captures that are kept, with one thing changed in their evidence: what a real run shows only by chance or mishap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from conftest import GOLDEN

from hermes_diag.core.capture import Reader
from hermes_diag.core.evidence import Evidence, Measured, Outcome, Repeated, Sample
from hermes_diag.core.plan import FRESH, MEASURE
from hermes_diag.core.report import Report
from hermes_diag.run import capture
from hermes_diag.run.capture import Ended, Read

Change = Callable[[Evidence], Evidence | None]
DIED = Outcome("died", "its process ended with exit code 7")
CUT = Outcome("cut", "this cell was not finished")


def read(name: str) -> Read:
    """A capture by its name, with the folder before it where it is in none of reports/."""
    path = GOLDEN / name if "/" in name else GOLDEN / "reports" / name
    return capture.whole(Reader(next(Path(path.parent).glob(f"{path.name}.jsonl*"))))


def judged(name: str, change: Change, **other: Any) -> Report:
    """Its report with each cell changed; None: the cell is left out. other: of what was read."""
    found = read(name)
    pairs = [(old, new) for old in found.evidence if (new := change(old)) is not None]
    plan = replace(found.plan, cells=tuple(new.cell for _, new in pairs))
    return capture.judged(replace(found, plan=plan, evidence=[new for _, new in pairs], **other))


def of_cell(**changed: Any) -> Change:
    return lambda one: replace(one, cell=replace(one.cell, **changed))


def of_turns(wanted: Callable[[Evidence, int], bool] = lambda one, number: True, **changed: Any) -> Change:
    """The turns of those numbers with another end."""
    return lambda one: replace(
        one,
        turns=tuple(replace(turn, **changed) if wanted(one, number) else turn for number, turn in enumerate(one.turns)),
    )


def failed(chain: str, **changed: Any) -> Change:
    """Every second turn fails with these classes."""
    return of_turns(lambda one, number: bool(number % 2), outcome="error", chain=tuple(chain.split()), **changed)


def ends(outcome: Outcome, *names: str) -> Change:
    """Cells of these names, or all, end like that."""
    return lambda one: replace(one, outcome=outcome) if not names or one.cell.name in names else one


def facts(**told: Any) -> Change:
    return lambda one: replace(one, facts={**one.facts, **told})


def both(*changes: Change) -> Change:
    def change(one: Evidence) -> Evidence | None:
        found: Evidence | None = one
        for each in changes:
            found = found and each(found)
        return found

    return change


def only(wanted: Callable[[Evidence], bool]) -> Change:
    return lambda one: one if wanted(one) else None


def swapped(one: Evidence) -> Evidence:
    """The buggy strategy as the fixed one, and the other way round."""
    other = {"buggy": "fixed", "fixed": "buggy"}
    return replace(one, cell=replace(one.cell, strategy=other.get(one.cell.strategy, one.cell.strategy)))


def looks(keep: int) -> Change:
    """So many looks of idle gaps, and none behind them."""

    def change(one: Evidence) -> Evidence:
        kept = {id(sample) for sample in one.idle()[:keep]}
        return replace(one, samples=tuple(sample for sample in one.samples if id(sample) in kept))

    return change


def counted(**numbers: float) -> Change:
    return lambda one: replace(
        one, measured=(*one.measured, *(Measured(name, value, "") for name, value in numbers.items()))
    )


def more_fds(count: Callable[[Sample], int]) -> Change:
    return lambda one: replace(one, samples=tuple(replace(s, fds=(s.fds or 0) + count(s)) for s in one.samples))


def no_kwargs_changed(one: Evidence) -> Evidence:
    return replace(one, clients=tuple(replace(client, mutated=()) for client in one.clients))


def unclosed(one: Evidence) -> Evidence:
    """As of a client that never reaches the provider again: each turn read more than was sent."""
    return replace(one, served=tuple(replace(served, events=served.events + 1) for served in one.served))


def look(fds: int | None = 9, threads: int | None = 3, unlisted: int = 0, **owned: int) -> Sample:
    """A look at a process that holds these sockets, by their states."""
    return Sample(0.0, 0.0, "settled", 0, {}, owned, None, unlisted, fds, threads, None)


RUN, CHECK, HERMES, AUDIT = "captures/run", "check-fixed", "captures/hermes", "audit-right"
LIVE = of_cell(endpoint="https://host-1/v1")
LOOPS = only(lambda one: one.cell.workload not in (FRESH, MEASURE))
NO_THREAD, NO_MEMORY = {"phrase": "can't start new thread"}, "openai.APIConnectionError builtins.MemoryError"
RECYCLED = {"turns": 4, "numbers": 3, "again": 0, "kinds": {}}

VARIED: dict[str, Callable[[], Report]] = {
    name: lambda asked=asked: judged(*asked)
    for name, asked in {
        "run-swapped": (RUN, swapped),
        "run-buggy": (RUN, only(lambda one: one.cell.strategy == "buggy")),
        "run-fixed": (RUN, only(lambda one: one.cell.strategy == "fixed")),
        "run-loops": (RUN, LOOPS),
        "run-nothing-measured": (RUN, lambda one: replace(one, measured=())),
        "run-died": (RUN, both(ends(CUT), ends(DIED, "fixed/close/steady"))),
        "run-hung": (RUN, ends(Outcome("hung", "no answer for 10 s", ("clients.py:7 make",)))),
        "run-missed": (RUN, of_turns(outcome="missed")),
        "run-one-missed": (RUN, of_turns(lambda one, number: not number, outcome="missed")),
        "run-fewer-turns": (RUN, lambda one: replace(one, turns=one.turns[:-1])),
        "run-no-looks": (RUN, looks(0)),
        "run-one-look": (RUN, looks(1)),
        "run-few-looks": (RUN, both(LOOPS, looks(3))),
        "run-events": (RUN, unclosed),
        "run-no-clients": (RUN, lambda one: replace(one, clients=())),
        "run-unchanged-kwargs": (RUN, no_kwargs_changed),
        "run-pool-timeouts": (RUN, failed("openai.APITimeoutError httpx.PoolTimeout httpcore.PoolTimeout")),
        "run-refused": (RUN, failed("openai.RateLimitError openai.APIStatusError", status=429)),
        "run-descriptors": (RUN, failed("httpx.ReadError builtins.OSError", errno=9)),
        "run-no-thread": (RUN, failed("builtins.RuntimeError", **NO_THREAD)),
        "run-live": (RUN, both(LOOPS, LIVE, failed("openai.InternalServerError", status=500))),
        "run-live-ours": (RUN, both(LOOPS, LIVE)),
        "run-fault": (RUN, of_cell(fault="http-500")),
        "run-fault-on-nothing": (RUN, both(LOOPS, of_cell(fault="http-500"), counted(fault_acted=0))),
        "run-repeated": (RUN, lambda one: replace(one, repeated=(Repeated("it stood still for 12 s"),))),
        "hermes-cut": (HERMES, ends(CUT)),
        "hermes-few-looks": (HERMES, looks(2)),
        "hermes-more": (HERMES, more_fds(lambda sample: sample.turns)),
        "hermes-once-more": (HERMES, more_fds(lambda sample: bool(sample.turns))),
        "hermes-fails": (HERMES, failed("openai.APIConnectionError httpx.ConnectError")),
        "hermes-recycled": (HERMES, facts(recycled=RECYCLED)),
        "hermes-recycled-none": (HERMES, facts(recycled={**RECYCLED, "numbers": 0})),
        "hermes-recycled-again": (HERMES, facts(recycled={**RECYCLED, "again": 2, "kinds": {"files": 2}})),
        "check-no-thread": (CHECK, failed("builtins.RuntimeError", **NO_THREAD)),
        "check-no-memory": (CHECK, failed(NO_MEMORY)),
        "check-no-memory-of-the-system": (CHECK, failed("openai.APIConnectionError builtins.OSError", errno=12)),
        "check-out-of-reach": (CHECK, both(failed("hermes_diag.OutOfReach"), facts(refused=["host-1", "host-2"]))),
        "check-first-turn-out-of-reach": (CHECK, facts(refused=["host-1"], first_turn=["hermes_diag.OutOfReach"])),
        "check-no-looks": ("check-turn", looks(0)),
        "check-few-looks": ("check-turn", looks(2)),
        "check-slow": (CHECK, facts(slow={"doing": "importing it", "seconds": 5})),
        "check-hangs-under-a-fault": ("check-one-workload", ends(Outcome("hung", "no answer for 10 s"))),
        "check-undefined": ("check-never-closes", facts(defined=None)),
        "audit-slow": (AUDIT, facts(slow={"doing": "importing it", "seconds": 5})),
        "audit-no-thread": (AUDIT, facts(first_turn=["builtins.MemoryError"])),
        "audit-first-turn": (AUDIT, facts(first_turn=["openai.APIConnectionError", "builtins.RuntimeError"])),
        "audit-turn": (AUDIT, facts(subject={"kind": "turn"})),
        "audit-one-part-died": (AUDIT, lambda one: replace(one, outcome=DIED) if one.cell.audit == "proxy" else one),
        "audit-died": (AUDIT, ends(DIED)),
        "audit-hung": (AUDIT, ends(Outcome("hung", "no return within 10 s", ("clients.py:7 make",)))),
    }.items()
}  # fmt: skip
VARIED |= {
    "run-interrupted": lambda: judged(RUN, lambda one: one, ended=Ended(interrupted=True)),
    "check-interrupted": lambda: judged(CHECK, lambda one: one, ended=Ended(interrupted=True)),
    "check-trouble": lambda: judged(CHECK, lambda one: one, ended=Ended(trouble="no openai here")),
    "check-killed": lambda: judged(CHECK, lambda one: one, ended=None),
}
