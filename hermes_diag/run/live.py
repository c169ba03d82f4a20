"""Replays against an endpoint that is not ours: a fresh process once, then a small gateway loop.

One cell after the other, each in an interpreter of its own, and none after a fresh process that was
not answered: what follows could only be refused as well. Only this side is sampled.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hermes_diag.core import matrix
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.evidence import Evidence, Outcome
from hermes_diag.core.plan import FRESH, MEASURE, Cell, Plan
from hermes_diag.provider.thread import ProviderThread
from hermes_diag.run.capture import Capture, Recorder
from hermes_diag.run.cell_run import CellRun
from hermes_diag.run.credentials import Credentials
from hermes_diag.run.destination import Destination, is_address, is_loopback
from hermes_diag.run.interpreter import Target
from hermes_diag.run.payload import Payload
from hermes_diag.run.remote import Remote
from hermes_diag.watch import snapshot, tables

#: (sessions, turns) unless flags say otherwise: enough for the second turn of a session to fail.
SESSIONS, TURNS = 2, 3
#: Seconds for connect, read and write: a real model thinks longer than a stand-in.
TIMEOUT = 60.0
#: Seconds for a name to be looked up.
LOOKUP = 15.0
#: Workloads that need nothing of the provider's side.
WORKLOADS = ("steady", "interrupted")


def make(
    payloads: Sequence[Payload],
    where: Destination,
    strategies: tuple[str, ...],
    ends: tuple[str, ...],
    workloads: tuple[str, ...],
    sizes: matrix.Sizes,
) -> Plan:
    """The cells of a live replay, the fresh process of each payload first. Raises UsageError."""
    for workload in workloads:
        if workload not in WORKLOADS:
            raise UsageError(
                f"--workload {workload} needs a provider that holds streams open, which --endpoint is not",
                f"use {' or '.join(WORKLOADS)}",
            )
    sizes = replace(sizes, sessions=sizes.sessions or SESSIONS, turns=sizes.turns or TURNS, idle_close=None)
    infos = [one.info for one in payloads]
    made = matrix.make(
        infos[0], strategies, ends or ("close",), workloads or ("steady",), sizes, further=tuple(infos[1:])
    )
    apis = {info.source: info.api for info in infos}
    cells = [
        replace(
            cell,
            endpoint=where.shown(apis[cell.payload or infos[0].source]),
            idle_close=None,
            timeout=sizes.timeout or TIMEOUT,
            pool_timeout=matrix.POOL_TIMEOUT,
        )
        for cell in made.cells
        if cell.workload != MEASURE
    ]
    cells.sort(key=lambda cell: cell.workload != FRESH)
    return replace(made, cells=tuple(cells))


def requests(cell: Cell) -> int:
    """As many requests a cell may send."""
    return cell.sessions * cell.turns * (cell.retries + 1)


def fit(plan_: Plan, most: int) -> int:
    """How many requests the plan may send. Raises UsageError when that is more than `most`."""
    wanted = sum(map(requests, plan_.cells))
    if wanted > most:
        raise UsageError(
            f"this plan may send {wanted} requests, --max-requests allows {most}",
            f"ask for fewer --sessions, --turns, --retries or payloads, or give --max-requests {wanted}",
        )
    return wanted


def resolve(where: Destination) -> tuple[str, ...]:
    """The addresses of the host. Raises CannotMeasure when its name leads nowhere."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
        except OSError as exc:
            answers.put(exc)
        else:
            answers.put([str(one[4][0]) for one in found])

    # A resolver may take minutes, and it cannot be interrupted; a thread can be left behind.
    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=LOOKUP)
    except queue.Empty:
        raise CannotMeasure(f"{where.host}: no answer from the resolver within {LOOKUP:.0f} s") from None
    if isinstance(answer, OSError):
        raise CannotMeasure(
            f"the name {where.host} cannot be resolved: {answer.strerror or type(answer).__name__}",
            "check its spelling and the network",
        )
    addresses = tuple(dict.fromkeys(answer))
    if where.loopback and not is_address(where.host):
        addresses = tuple(filter(is_loopback, addresses))
    if not addresses:
        raise CannotMeasure(f"{where.host} does not lead to this machine here", "name the address")
    return addresses


def wire(payload: Payload, credentials: Credentials | None) -> bytes:
    """What the worker is sent: the body, its headers and the token. Headers of a dump come first, bar its
    own authorization."""
    document = json.loads(payload.wire)
    if credentials is None:
        return payload.wire
    own = {name: value for name, value in document["headers"].items() if name.lower() != "authorization"}
    given = {name.lower() for name in own}
    added = {name: value for name, value in credentials.headers.items() if name.lower() not in given}
    return json.dumps({**document, "headers": {**added, **own}, "key": credentials.token}).encode()


class LiveRun:
    """A live replay under way. wires: what the worker gets for each payload, by its source."""

    def __init__(
        self,
        plan_: Plan,
        wires: Mapping[str, bytes],
        where: Destination,
        addresses: tuple[str, ...],
        target: Target,
        capture: Capture | None = None,
        progress: Callable[[Cell, Any], None] = lambda cell, record: None,
        backend: str = "auto",
    ) -> None:
        self._plan = plan_
        self._wires = wires
        self._where, self._addresses = where, addresses
        self._target = target
        self._progress = progress
        self._backend, _, _ = tables.pick(os.getpid(), backend)
        self._recorders = {cell: Recorder(cell, capture) for cell in plan_.cells}

    async def run(self) -> None:
        """Run every cell, one after the other. Raises CannotMeasure when there is no SDK."""
        snapshot.see(self._backend)
        unanswered = ""
        with ProviderThread() as thread:
            for cell in self._plan.cells:
                if unanswered and cell.workload != FRESH:
                    self._recorders[cell].add(Outcome("cut", f"not begun: {unanswered} was not answered"))
                    continue
                await self._session(cell, thread).in_new_interpreters(self._target)
                if cell.workload == FRESH and not _answered(self._recorders[cell].evidence()):
                    unanswered = "the fresh process"

    def _session(self, cell: Cell, thread: ProviderThread) -> CellRun:
        source = cell.payload or self._plan.payload.source
        api = next(info.api for info in self._plan.payloads if info.source == source)
        endpoint = Remote(self._where, self._addresses, requests(cell))
        recorder = self._recorders[cell]
        return CellRun(cell, api, self._wires[source], recorder, self._progress, self._backend, thread, endpoint)

    def evidence(self) -> list[Evidence]:
        """What has been seen so far of every cell of the plan, in its order."""
        return [recorder.evidence() for recorder in self._recorders.values()]


def _answered(evidence: Evidence) -> bool:
    return any(turn.outcome != "error" for turn in evidence.turns)
