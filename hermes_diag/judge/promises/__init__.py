"""Promises of a client factory: one file each, what an audit saw in, a verdict out. Pure.

A promise module has CODE (stable), PROMISE (what a gateway may rely on), WHY (why it matters, one line), FIX (what to
change, one line), REFERENCE, ORDER (its place among the rows) and `check(audited) -> Verdict`. Found by listing this
folder.

Harm is a problem: a turn or another's stream broken, something left behind, what was asked for and not applied. A
choice is a fact: a timeout, limits, a proxy, sharing that differ from the SDK's own client. It is a problem only when
it came by accident, or is not what the user expects (expectations.py).
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
from hermes_diag.judge.expectations import NOTHING, Expected

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
    carried: frozenset[int] = frozenset()  # client's ports of the connections that carried a request
    proxy_given: bool = False  # the proxy that it used was given to it, not found in the environment
    expected: Expected = NOTHING

    @property
    def makes(self) -> bool:
        """Whether the subject makes a client for each asking; a pool and an instance do not."""
        return self.facts["subject"]["kind"] in ("factory", "strategy")

    @property
    def kind(self) -> str:
        return str(self.facts["subject"]["kind"])


def live_sockets(audited: Audited) -> list[dict[str, Any]]:
    """Options of the sockets that carried its requests; a factory may have others of its own."""
    return [one for one in audited.facts["sockets"] if one.get("port", 0) in audited.carried]


def passed(seen: str) -> Verdict:
    return Verdict(RowStatus.PASSED, seen)


def failed(seen: str) -> Verdict:
    return Verdict(RowStatus.FAILED, seen)


def noted(seen: str) -> Verdict:
    return Verdict(RowStatus.NOTED, seen)


def chosen(audited: Audited, seen: str, consequence: str) -> Verdict:
    """Of a value that differs from the SDK's and came by nobody's accident: a fact, unless the SDK's are expected."""
    return failed(f"{seen}; the SDK's own was expected") if audited.expected.sdk else noted(f"{seen}: {consequence}")


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
        untried = "; ".join(dict.fromkeys(audited.facts.get("untried", ())))
        return unknown(f"could not be tried: {untried}" if untried else f"not seen: {exc.args[0]}")
    return verdict
