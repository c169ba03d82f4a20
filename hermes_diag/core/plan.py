"""What a run will do: its cells and its payloads. Frozen, no logic.

No type of this project has a field for headers, keys, prompts or bodies: what cannot be stored cannot leak.
Times are seconds unless a name ends in `_ms`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hermes_diag.worker.contract import BelowZero

#: The control (each turn in a new process) and the cell that measures prices and timeouts.
FRESH, MEASURE = "fresh", "measure"
#: The strategy that is the user's own: Cell.factory names it.
FACTORY = "factory"
#: The workload of an audit's cells: Cell.audit says which part of it.
AUDIT = "audit"
#: Of Hermes alone: after streams that were given up, a turn that is to be answered.
STARVED = "starved"
#: Stands for the end of a turn of a Hermes into which the historic mutation was put back.
MUTATED = "mutated"


@dataclass(frozen=True)
class Then:
    """What a request dump says of the failure that it was written for; "" or None: it does not say."""

    at: str  # its time stamp
    reason: str  # why Hermes wrote it
    error: str  # the error's class, or the type that the provider gave
    status: int | None
    message: str  # its first line, redacted (redact.py)


@dataclass(frozen=True)
class PayloadInfo:
    """What may be said of a payload: where it came from, which API it is for, how large it is."""

    source: str  # "built-in", a file's name, never its content
    kind: str  # "built-in", "body" or "hermes-dump"
    api: str  # "responses" or "chat"
    size: int  # bytes of the body as replayed
    then: Then | None = None  # of a request dump


@dataclass(frozen=True)
class Conditions:
    """What is different around the clients of a cell, for a scenario or a part of an audit."""

    tls: bool = False  # the provider speaks TLS
    untrusted: bool = False  # and the worker does not trust its authority
    proxy: bool = False  # HTTPS_PROXY names a proxy that leads to the provider
    direct: str = ""  # the hosts that NO_PROXY names
    dead: bool = False  # the provider's name has two addresses, and nobody answers at the first
    hurried: float | None = None  # the part of its timeout that a connect to the dead address lasts
    nofile: int | None = None  # file descriptors that are left
    gc: bool = False  # the garbage collector runs at another place of each request
    connect: float | None = None  # a connect timeout of its own
    reader: Literal["", "terminal"] = ""  # who reads a stream stops at its terminal event
    abort: Literal["", "close", "shutdown"] = ""  # how a silent stream is given up (worker/watchdog.py)
    bystanders: bool = False  # files and sockets of others are opened meanwhile (worker/bystanders.py)
    threads: bool = False  # sessions take their turns at the same time, in threads
    loop: Literal["", "new"] = ""  # coroutines of each turn run in an event loop of its own
    after: int | None = None  # events after which a turn is interrupted; None: 1; 0: while it connects
    until_sure: int | None = None  # turns at most, as long as it cannot be told whether something grows without end
    patience: float | None = None  # for a call of the user's code, until it counts as hanging


@dataclass(frozen=True)
class HermesSettings:
    """What is changed around the real Hermes Agent (worker/hermes_agent.py)."""

    backoff: float  # the longest wait between retries
    fault: str = ""  # asked of the provider in each turn except the warm-up
    watchdog: float | None = None  # after so long Hermes gives up a silent stream
    retries: int | None = None  # api_max_retries in its config.yaml
    grace: float | None = None  # for the threads of a turn to end
    mutate: bool = False  # the mistake of #10933 is put back
    pool: int | None = None  # places in the pools of its clients
    api: str = ""  # that Hermes speaks: "chat" or "anthropic"; "": codex, which is Responses


@dataclass(frozen=True)
class Cell:
    """One experiment: a strategy and an end of turns under a workload, in a process of its own."""

    strategy: str
    end: str  # of a turn: "close" or "abandon"; of Hermes, which ends its turns as it does, "" or MUTATED
    workload: str
    sessions: int
    turns: int
    scope: str  # who shares one client_kwargs dict: "session" or "gateway"
    retries: int
    timeout: float  # for connect, read and write
    pool_timeout: float  # the longest wait for a free connection
    idle_close: float | None  # 0: an idle gap ends as soon as all is idle; None: never
    seed: BelowZero
    fault: str = ""  # a spec; "": none
    scenario: str = ""  # `cut-stream/bad`: the scenario and the side that this cell is of
    factory: str = ""  # the SPEC of the user's own factory, pool or client
    audit: Literal["", "contract", "proxy", "direct"] = ""  # the part of an audit
    conditions: Conditions = Conditions()
    hermes: HermesSettings | None = None
    endpoint: str = ""  # host and path of the real one; "": a provider of our own
    payload: str = ""  # its source, where a plan has several; "": the plan's first

    @property
    def name(self) -> str:
        """`buggy/close/steady`, with a fault and a payload behind it; the control and the measurements have
        one word."""
        if self.scenario:
            return self.scenario
        if self.workload == AUDIT:
            return f"{AUDIT}/{self.audit}"
        parts = [self.workload]
        if self.workload not in (FRESH, MEASURE):
            api = self.hermes.api if self.hermes else ""
            parts = [self.strategy, api, self.end, self.workload, self.fault]
        return "/".join(filter(None, (*parts, self.payload)))


@dataclass(frozen=True)
class Plan:
    """What a run will do."""

    cells: tuple[Cell, ...]
    payload: PayloadInfo
    further: tuple[PayloadInfo, ...] = ()  # payloads
    expect: tuple[str, ...] = ()  # what the clients are meant to have (judge/expectations.py)

    @property
    def payloads(self) -> tuple[PayloadInfo, ...]:
        return (self.payload, *self.further)
