"""The faults in force on one provider: which of them applies to a request, a connection, an idle connection."""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hermes_diag.core.errors import UsageError
from hermes_diag.provider import faults as catalogue
from hermes_diag.provider.faults import Fault
from hermes_diag.provider.when import When

if TYPE_CHECKING:
    from hermes_diag.provider.exchange import Exchange
    from hermes_diag.provider.proxy.hop import Hop
    from hermes_diag.provider.transport.connection import Connection


@dataclass(frozen=True)
class Shares:
    """Faults by chance, at most one for each request. percent: of all requests, for each fault."""

    percent: tuple[tuple[Fault, float], ...] = ()
    seed: int = 0

    def drawn(self, request: int) -> Fault | None:
        """The fault of the request of that number, always the same one with the same seed."""
        at = random.Random(f"{self.seed}/{request}").random() * 100
        for fault, share in self.percent:
            at -= share
            if at < 0:
                return fault
        return None


class ActiveFaults:
    """Faults and what they count: requests and connections, from 1, since these faults were set.

    specs as `hermes-diag faults` lists them, or faults; shares go where none of them answers. Raises UsageError for a
    spec it does not understand, for a fault of TLS when `tls` is False, and for one of the proxy when `proxy` is.
    """

    def __init__(self, specs: Iterable[str | Fault], tls: bool, proxy: bool = False, shares: Shares = Shares()) -> None:
        if isinstance(specs, str):
            raise UsageError(f"faults is the text {specs!r}", f"write faults=[{specs!r}]")
        if not isinstance(specs, Iterable):
            raise UsageError(f"faults is {specs!r}", "write faults=['rst-mid-stream:every=3'], a list of texts")
        self.all = tuple(spec if isinstance(spec, Fault) else catalogue.parse(spec) for spec in specs)
        self._shares = shares
        for fault in (*self.all, *(fault for fault, _ in shares.percent)):
            if fault.needs_tls and not tls:
                raise UsageError(f"fault {fault.name} needs TLS", "add --tls; in Python, tls=True")
            if fault.hook == "tunnel" and not proxy:
                why = f"fault {fault.name} acts in a proxy, and there is none"
                raise UsageError(why, "add --as-proxy; in Python, proxy=True")
        if len(quotas := self._with("quota")) > 1:
            raise UsageError("there are two quotas", f"give one, such as {quotas[0]}")
        self.quota = quotas[0].quota() if quotas else None  # and what is used of it
        self.acted: Counter[str] = Counter()  # by name, but for answers: the ledger counts those
        self._requests: Counter[str] = Counter()  # by the paths that faults are meant for
        self._numbers: dict[Connection | Hop, int] = {}
        self._numbered = 0
        self._tunnels = 0

    def _with(self, *hooks: str) -> list[Fault]:
        return [fault for fault in self.all if fault.hook in hooks]

    @property
    def limit(self) -> int | None:
        """How many connections are accepted at the same time; None: any number."""
        return min((fault.limit() for fault in self._with("limit")), default=None)

    @property
    def slowest_idle(self) -> float:
        """Seconds until the last of the faults for idle connections has acted."""
        return max((fault.seconds for fault in self._with("idle")), default=0.0)

    def covers(self, path: str) -> bool:
        """Whether a fault names that path, which is none of the APIs."""
        return any(fault.when.covers(path, False) for fault in (*self._with("answer"), *self._with("shape")))

    def for_request(self, exchange: Exchange) -> Fault | None:
        """The first fault that applies to a request, after those that only shape the answer."""
        if not self.all and not self._shares.percent:
            return None
        path, by_default = exchange.request.path, bool(exchange.api)
        connection = self.number(exchange.connection)
        shapes, answers = self._with("shape"), self._with("answer", *(("turn",) if exchange.turn else ()))
        meant = {fault.when.path for fault in (*shapes, *answers) if fault.when.covers(path, by_default)}
        if by_default and self._shares.percent:
            meant.add("")
        self._requests.update(meant)

        def applies(fault: Fault) -> bool:
            where = fault.when.path
            return where in meant and fault.when.holds(self._requests[where], connection)

        for fault in filter(applies, shapes):
            self._shape(fault, exchange)
        found = next(filter(applies, answers), None)
        return self._by_share(exchange) if found is None and by_default else found

    def _by_share(self, exchange: Exchange) -> Fault | None:
        fault = self._shares.drawn(self._requests[""])
        if fault is not None and fault.hook == "shape":
            self._shape(fault, exchange)
            return None
        return fault if fault is None or fault.hook == "answer" or exchange.turn else None

    def _shape(self, fault: Fault, exchange: Exchange) -> None:
        self.acted[fault.name] += 1
        fault.shape(exchange)

    def for_upgrade(self, exchange: Exchange) -> Fault | None:
        """The first fault that applies to the upgrade of a connection to a WebSocket."""
        number = self.number(exchange.connection)
        return next((fault for fault in self._with("upgrade") if fault.when.holds(0, number)), None)

    def accept(self, connection: Connection) -> None:
        """Number a connection just accepted, and let the faults act that act before its first byte."""
        number = self.number(connection)
        for fault in self._with("hello"):
            if fault.when.holds(0, number):
                fault.hello(connection)

    def for_tunnel(self, hop: Hop) -> None:
        """Let the faults of the proxy act that apply to a connection on which a tunnel, or a request, was asked for."""
        self._tunnels += 1
        self._numbers[hop] = self._tunnels
        for fault in self._with("tunnel"):
            if fault.when.holds(0, self._tunnels) and not hop.closing:
                hop.fault = fault.name
                fault.tunnel(hop)

    def number(self, connection: Connection) -> int:
        """The connection's number for conditions: 1 for the first that is used since the faults were set."""
        if connection not in self._numbers:
            self._numbered += 1
            self._numbers[connection] = self._numbered
        return self._numbers[connection]

    def forget(self, link: Connection | Hop, hook: Literal["hello", "tunnel"] = "hello") -> None:
        """The connection is gone; its number is not given again. What applied to it has acted by now, or it has not."""
        number = self._numbers.pop(link, 0)
        met = [fault for fault in self._with(hook) if number and fault.when.holds(0, number)]
        self.acted.update(fault.name for fault in met if fault.acted(link))

    def at_idle(self, connection: Connection) -> Iterator[tuple[float, Callable[[], None]]]:
        """What to do with a connection that stays idle: (after seconds, act)."""
        number = self._numbers.get(connection, 0)
        for fault in self._with("idle"):
            if fault.when.holds(0, number):
                yield fault.seconds, functools.partial(self._idle, fault, connection)

    def _idle(self, fault: Fault, connection: Connection) -> None:
        if fault.idle(connection):
            self.acted[fault.name] += 1


def by_header(spec: str) -> Fault | None:
    """The fault that a request asks for by header; None when there is no such fault."""
    try:
        fault = catalogue.parse(spec)
    except UsageError:
        return None
    return fault if fault.hook == "answer" else None


def always_first(given: Sequence[Fault]) -> tuple[str, Fault] | None:
    """A fault that would never apply, as (name of the one that answers every request before it, the fault)."""
    always = ""
    for fault in given:
        if always and fault.hook == "answer" and not fault.when.path:
            return always, fault
        if fault.hook == "answer" and fault.when == When():
            always = fault.name
    return None
