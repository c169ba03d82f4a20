"""Promises of a client factory: one file each, what an audit saw in, a verdict out. Pure.

A promise module has CODE (stable), PROMISE (what a gateway may rely on), WHY (why it matters, one line),
REFERENCE, ORDER (its place among the rows) and `check(audited) -> Verdict`. Found by listing this folder.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

from hermes_diag.core.evidence import Sample
from hermes_diag.core.status import RowStatus

#: Clients of which it is counted what they leave behind (REPEATS in worker/audit.py).
CLIENTS = 3


@dataclass(frozen=True)
class Verdict:
    """Whether the promise is kept, and what was seen."""

    status: RowStatus
    seen: str


@dataclass(frozen=True)
class Audited:
    """What an audit saw: facts by name (see worker/audit.py), looks by label, how often the provider was
    sent each turn and on which connection. Of the two runs with a proxy in the environment the connections
    that the proxy counted (None: that run came to no end) and the classes that its turn raised; in the one
    with NO_PROXY the server's authority is not named."""

    facts: Mapping[str, Any]
    looks: Mapping[str, Sample] = field(default_factory=dict)
    sent: Mapping[str, int] = field(default_factory=dict)
    connection: Mapping[str, int] = field(default_factory=dict)
    through_proxy: int | None = None
    despite_no_proxy: int | None = None
    proxy_turn: tuple[str, ...] | None = None
    direct_turn: tuple[str, ...] | None = None

    @property
    def makes(self) -> bool:
        """Whether the subject makes a client for each asking; a pool and an instance do not."""
        return self.facts["subject"]["kind"] in ("factory", "strategy")

    @property
    def kind(self) -> str:
        return str(self.facts["subject"]["kind"])


def passed(seen: str) -> Verdict:
    return Verdict(RowStatus.PASSED, seen)


def failed(seen: str) -> Verdict:
    return Verdict(RowStatus.FAILED, seen)


def not_applicable(seen: str) -> Verdict:
    return Verdict(RowStatus.NOT_APPLICABLE, seen)


def unknown(seen: str) -> Verdict:
    return Verdict(RowStatus.COULD_NOT_TELL, seen)


def shared_by_design(audited: Audited) -> Verdict:
    return not_applicable(
        "one client for everything" if audited.kind == "instance" else "the pool decides who gets which client"
    )


@cache
def modules() -> tuple[ModuleType, ...]:
    """Every promise, in the order of its row."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return tuple(sorted(found, key=lambda module: int(module.ORDER)))


def check(module: ModuleType, audited: Audited) -> Verdict:
    """A promise's verdict; what was not seen cannot be told."""
    try:
        verdict: Verdict = module.check(audited)
    except KeyError as exc:
        return unknown(f"not seen: {exc.args[0]}")
    return verdict
