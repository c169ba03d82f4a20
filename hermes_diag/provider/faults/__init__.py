"""Ways in which a provider misbehaves: one file each; a fault's name is its file's name with dashes.

The module docstring's first line is its line in `hermes-diag faults`. A module has one of these hooks:

    async def answer(exchange, ...)    answers a request; the first fault that applies does
    async def turn(exchange, ...)      the same, for a turn over a WebSocket only
    async def upgrade(exchange, ...)   answers the upgrade of a connection to a WebSocket
    def shape(exchange, ...)           changes how the answer is sent, whoever answers
    def idle(connection, seconds, ...) acts on a connection that has been idle for so long; False: it could not
    def hello(connection, ...)         acts on a connection as it is accepted
    def limit(connections)             how many connections are accepted at the same time
    def quota(...)                     what a minute allows: a `quota.Quota`, which every request for a reply meets
    def tunnel(hop, ...)               acts on a connection through the proxy; its name begins with `proxy-`

The parameters behind the first are the fault's own, with their types and defaults; the first of them is
what `name=value` sets. REFERENCE names the upstream reports that the fault models. NEEDS_TLS = True: the
fault needs TLS. STREAMS_ONLY = True: it means nothing to an answer without a stream, which then is a healthy
one. NEEDS_HTTP2 = True: the same of a request over HTTP/1.1. `check(...)`, with the same parameters, may raise
ValueError. `acted(connection)` tells, of a `hello` or `tunnel` that acts later, whether it has.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hermes_diag.core import units
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import did_you_mean
from hermes_diag.provider.when import CONDITIONS, When

if TYPE_CHECKING:
    from hermes_diag.provider.exchange import Exchange
    from hermes_diag.provider.proxy.hop import Hop
    from hermes_diag.provider.quota import Quota
    from hermes_diag.provider.transport.connection import Connection

HOOKS = ("answer", "turn", "upgrade", "shape", "idle", "hello", "limit", "quota", "tunnel")
#: Hooks that act on nothing: all of their parameters are the fault's own.
_OF_ALL = ("limit", "quota")
#: Conditions that make sense for a fault of a connection: it has no request yet.
_OF_CONNECTIONS = ("connection", "every", "probability", "seed")
#: Conditions that count.
_COUNTED = ("request", "connection", "every")
_TYPES: dict[str, type] = {"int": int, "float": float, "str": str}
#: The largest number a parameter may be; beyond it a timer or a buffer is a mistake.
_LARGEST = 1_000_000_000


@dataclass(frozen=True)
class Parameter:
    """One parameter of a fault. `kind` is int, float or str; seconds when its name says so."""

    name: str
    kind: type
    default: Any  # inspect.Parameter.empty: it must be given

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True)
class Entry:
    """A fault of the catalogue."""

    name: str
    hook: str
    parameters: tuple[Parameter, ...]
    summary: str
    reference: str
    needs_tls: bool
    streams_only: bool
    needs_http2: bool
    module: ModuleType


@dataclass(frozen=True)
class Fault:
    """A fault with its arguments and conditions: what one `--fault` asks for."""

    entry: Entry
    arguments: dict[str, Any]
    when: When
    spec: str

    def __str__(self) -> str:
        return self.spec

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def hook(self) -> str:
        return self.entry.hook

    @property
    def needs_tls(self) -> bool:
        return self.entry.needs_tls

    @property
    def seconds(self) -> float:
        """After how long an idle fault acts."""
        return float(self.arguments["seconds"])

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, None]:
        """Answer a request, a turn or an upgrade: what the fault's hook is for."""
        answer: Coroutine[Any, Any, None] = getattr(self.entry.module, self.hook)(exchange, **self.arguments)
        return answer

    def shape(self, exchange: Exchange) -> None:
        self.entry.module.shape(exchange, **self.arguments)

    def hello(self, connection: Connection) -> None:
        self.entry.module.hello(connection, **self.arguments)

    def tunnel(self, hop: Hop) -> None:
        self.entry.module.tunnel(hop, **self.arguments)

    def acted(self, link: Connection | Hop) -> bool:
        """Whether `hello` or `tunnel` has done something to a connection, which is gone."""
        acted: Callable[[Connection | Hop], bool] | None = getattr(self.entry.module, "acted", None)
        return acted is None or acted(link)

    def idle(self, connection: Connection) -> bool:
        """Whether it could do something to an idle connection."""
        return self.entry.module.idle(connection, **self.arguments) is not False

    def limit(self) -> int:
        return int(self.entry.module.limit(**self.arguments))

    def quota(self) -> Quota:
        """A quota of which nothing is used yet."""
        quota: Quota = self.entry.module.quota(**self.arguments)
        return quota


@functools.cache
def catalogue() -> dict[str, Entry]:
    """Every fault by its name."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    entries = map(_entry, modules)
    return {entry.name: entry for entry in sorted(entries, key=lambda entry: entry.name)}


def _entry(module: ModuleType) -> Entry:
    hook = next(hook for hook in HOOKS if hasattr(module, hook))
    own = list(inspect.signature(getattr(module, hook)).parameters.values())
    if hook not in _OF_ALL:
        own = own[1:]  # the exchange or the connection
    return Entry(
        name=module.__name__.rpartition(".")[2].replace("_", "-"),
        hook=hook,
        parameters=tuple(Parameter(given.name, _TYPES[str(given.annotation)], given.default) for given in own),
        summary=(module.__doc__ or "").partition("\n")[0].rstrip("."),
        reference=getattr(module, "REFERENCE", ""),
        needs_tls=getattr(module, "NEEDS_TLS", False),
        streams_only=getattr(module, "STREAMS_ONLY", False),
        needs_http2=getattr(module, "NEEDS_HTTP2", False),
        module=module,
    )


def parse(spec: str) -> Fault:
    """A fault as it is written: `name`, `name=value`, `name=value:parameter=value:every=3`.

    Raises UsageError that names the part it did not understand, and what would do.
    """
    if not isinstance(spec, str):
        raise UsageError(f"a fault is a text, not {spec!r}", "write like 'rst-mid-stream:every=3'")
    head, *rest = spec.split(":")
    name, has_value, value = head.partition("=")
    entry = named(name)
    given = _pairs(spec, rest)
    if has_value:
        if not entry.parameters:
            raise UsageError(f"fault {name} takes no value", f"write {name}, or {name}:every=3")
        first = entry.parameters[0].name
        if first in given:
            raise UsageError(f"fault {spec}: {first} is given twice", f"write {name}={value}")
        given = {first: value, **given}
    own = {parameter.name: parameter for parameter in entry.parameters}
    arguments = {key: _number(spec, key, text, own[key].kind) for key, text in given.items() if key in own}
    conditions = {key: text for key, text in given.items() if key not in own}
    missing = [name for name, parameter in own.items() if parameter.required and name not in arguments]
    if missing:
        raise UsageError(f"fault {name} needs {missing[0]}", f"write {name}=VALUE")
    defaults = {name: parameter.default for name, parameter in own.items()}
    fault = Fault(entry, {**defaults, **arguments}, _when(spec, entry, conditions), spec)
    _check(fault)
    return fault


def named(name: str) -> Entry:
    """The fault of that name. Raises UsageError."""
    entry = catalogue().get(name)
    if entry is None:
        raise UsageError(f"no fault {name!r}", did_you_mean(name, catalogue(), "`hermes-diag faults` lists all"))
    return entry


def _pairs(spec: str, parts: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key or not value:
            raise UsageError(f"fault {spec}: {part!r} is not KEY=VALUE", "write like rst-mid-stream:every=3")
        if key in pairs:
            raise UsageError(f"fault {spec}: {key} is given twice", "once is enough")
        pairs[key] = value
    return pairs


def _number(spec: str, key: str, text: str, kind: type, least: int = 0) -> Any:
    """A value as its type. Numbers are finite and not below `least`."""
    if kind is str:
        return text
    of_time = kind is float and key != "probability"
    try:
        value = units.seconds(text) if of_time and text[-1:].isalpha() and text[0].isdigit() else kind(text)
    except ValueError:
        word = "a whole number" if kind is int else "a time like 500ms or 2s" if of_time else "a number"
        raise UsageError(f"fault {spec}: {key} is {text!r}", f"{key} is {word}") from None
    if not least <= value <= _LARGEST:  # nor NaN
        cure = "counting starts at 1" if least and value < least else f"{key} is from {least} to {_LARGEST}"
        raise UsageError(f"fault {spec}: {key} is {text}", cure)
    return value


def _when(spec: str, entry: Entry, conditions: dict[str, str]) -> When:
    known = tuple(CONDITIONS) if entry.hook in ("answer", "turn", "shape") else _OF_CONNECTIONS
    if entry.hook in _OF_ALL:
        known = ()
    values: dict[str, Any] = {}
    for key, text in conditions.items():
        if key not in known:
            words = ", ".join((*(parameter.name for parameter in entry.parameters), *known))
            hint = f"it has {words}" if words else "leave it out"
            raise UsageError(f"fault {spec}: {entry.name} has no {key!r}", hint)
        values[key] = _number(spec, key, text, CONDITIONS[key], least=1 if key in _COUNTED else 0)
    if "seed" in values and "probability" not in values:
        raise UsageError(f"fault {spec}: a seed without a probability", "add probability=0.1, or leave seed out")
    if values.get("probability", 0) > 1:
        raise UsageError(f"fault {spec}: probability is {values['probability']}", "it is from 0 to 1")
    return When(**values)


def _check(fault: Fault) -> None:
    if fault.hook == "idle" and not fault.seconds:
        cure = f"write {fault.name}=50ms; to end a connection as soon as it is open there is cut-after=1ms"
        raise UsageError(f"fault {fault.spec}: after 0 s it would act before the first request", cure)
    check = getattr(fault.entry.module, "check", None)
    if check is not None:
        try:
            check(**fault.arguments)
        except ValueError as exc:
            raise UsageError(f"fault {fault.spec}: {exc}", "see hermes-diag faults") from None
