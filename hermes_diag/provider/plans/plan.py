"""A plan: faults as a timeline, in phases that follow each other by the clock. Reading one is pure but for the file.

    # The first line says what it is.
    seed = 7          # of chance, 0 by default
    loop = false      # begin again after the last phase; else that one stays

    [[phase]]
    name = "resets"
    seconds = 30      # or "30s", "2m"; the last phase needs none, unless the plan loops
    faults = ["rst-mid-stream:probability=0.1"]            # as --fault takes them
    percent = { http-500 = 5, "stall-before-headers=10s" = 3 }  # of all requests; at most one of them each

JSON has the same names: {"seed": 7, "phase": [{"name": "resets", "seconds": 30, "faults": [...]}]}.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from hermes_diag.core import reading, toml, units
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import did_you_mean, one_line, quoted
from hermes_diag.provider import faults
from hermes_diag.provider.faults import Fault
from hermes_diag.provider.plans.active import Shares, always_first
from hermes_diag.provider.when import When

#: Bytes of a plan, its phases, and seconds of one of them, at most.
MAX_BYTES, MAX_PHASES, LONGEST = toml.MAX_BYTES, 1000, 7 * 86400.0
_EXAMPLE = 'a phase is like name = "outage", seconds = 20, faults = ["http-503"]'
_TOP = "it has seed, loop and [[phase]] tables"


class _Top(msgspec.Struct, forbid_unknown_fields=True):
    phase: list[Any]
    seed: int = 0
    loop: bool = False


class _Phase(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    seconds: float | str | None = None
    faults: list[str] = []
    percent: dict[str, float] = {}


@dataclass(frozen=True)
class Phase:
    """Some seconds with the same faults; None: until the end. percent: of all requests, for each fault."""

    name: str
    seconds: float | None
    faults: tuple[Fault, ...]
    percent: tuple[tuple[Fault, float], ...]


@dataclass(frozen=True)
class FaultPlan:
    """What a file says. name: that of the file, or of the day."""

    name: str
    phases: tuple[Phase, ...]
    seed: int = 0
    loop: bool = False

    def phase(self, number: int) -> Phase:
        """The phase of that number, counted from 0 on and on through the rounds of a loop."""
        return self.phases[number % len(self.phases)]

    def faults(self, number: int) -> tuple[Fault, ...]:
        """The faults of a phase. What goes by chance and names no seed has one of the plan's, its own in each phase
        and round: with the same one two faults of 10 % would mean the same requests."""
        return tuple(self._seeded(fault, number, at) for at, fault in enumerate(self.phase(number).faults))

    def shares(self, number: int) -> Shares:
        """What of all requests in that phase is meant by chance."""
        return Shares(self.phase(number).percent, _drawn(self.seed, number, -1))

    def _seeded(self, fault: Fault, number: int, at: int) -> Fault:
        if fault.when.probability is None or ":seed=" in fault.spec:
            return fault
        return replace(fault, when=replace(fault.when, seed=_drawn(self.seed, number, at)))


def _drawn(seed: int, number: int, at: int) -> int:
    return random.Random(f"{seed}/{number}/{at}").getrandbits(32)


# --- named days --------------------------------------------------------------------------------------


def days() -> dict[str, str]:
    """The plans that come with us: their first line, by name."""
    folder = resources.files("hermes_diag.provider.plans") / "days"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return {file.name[:-5]: file.read_text("utf-8").partition("\n")[0].lstrip("# ").rstrip(".") for file in files}


# --- reading -----------------------------------------------------------------------------------------


def load(source: str | Path) -> FaultPlan:
    """The plan of a file, or of a named day. Raises UsageError."""
    if isinstance(source, str) and source in days():
        text = (resources.files("hermes_diag.provider.plans") / "days" / f"{source}.toml").read_text("utf-8")
        return _understood(source, _decoded(source, text))
    return _understood(str(source), _decoded(str(source), _read(source)))


def _read(source: str | Path) -> str:
    try:
        data = reading.whole(source, MAX_BYTES)
    except OSError as exc:
        cure = did_you_mean(str(source), days(), "name a file, or one of the days that `serve --plan list` shows")
        raise UsageError(f"cannot read {quoted(str(source))}: {exc.strerror}", cure) from None
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{source} is no text", _TOP) from None


def _decoded(source: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text.lstrip().startswith("{") else toml.loads(text)
    except (ValueError, msgspec.DecodeError, RecursionError) as exc:
        raise UsageError(one_line(f"{source} is neither TOML nor JSON: {exc}"), _EXAMPLE) from None


def _understood(source: str, value: Any) -> FaultPlan:
    try:
        top = msgspec.convert(value, _Top)
    except msgspec.ValidationError as exc:
        raise UsageError(one_line(f"{source}: {exc}"), _TOP) from None
    if not 1 <= len(top.phase) <= MAX_PHASES:
        raise UsageError(f"{source} has {units.count(len(top.phase), 'phase')}", f"write 1 to {MAX_PHASES} of them")
    read = [_phase(f"{source}, phase {number}", phase) for number, phase in enumerate(top.phase, 1)]
    for number, phase in enumerate(read if top.loop else read[:-1], 1):
        if phase.seconds is None:
            cure = "all phases of a plan that loops need seconds" if top.loop else "only the last may have none"
            raise UsageError(f"{source}, phase {number} ({phase.name}) has no seconds", cure)
    return FaultPlan(Path(source).name, tuple(read), top.seed, top.loop)


def _phase(where: str, value: Any) -> Phase:
    try:
        phase = msgspec.convert(value, _Phase)
    except msgspec.ValidationError as exc:
        raise UsageError(one_line(f"{where}: {exc}"), _EXAMPLE) from None
    if not 1 <= len(phase.name) <= 60 or not phase.name.isprintable():
        raise UsageError(f"{where}: name is {quoted(phase.name)}", "write 1 to 60 characters on one line")
    where = f"{where} ({phase.name})"
    specs = tuple(_fault(where, spec) for spec in phase.faults)
    shares = tuple((_shared(where, spec), share) for spec, share in phase.percent.items())
    if not all(share > 0 for _, share in shares) or sum(share for _, share in shares) > 100:
        raise UsageError(
            f"{where}: percent adds up to more than 100, or has one that is not above 0", "write 5 for 5 %"
        )
    hidden = always_first((*specs, *[fault for fault, _ in shares if fault.hook == "answer"][:1]))
    if hidden is not None:
        first, other = hidden
        raise UsageError(f"{where}: {first} answers every request, and {other} none", f"write {first}:every=2")
    return Phase(phase.name, _seconds(where, phase.seconds), specs, shares)


def _seconds(where: str, given: float | str | None) -> float | None:
    if given is None:
        return None
    text = given if isinstance(given, str) else f"{given:g}"
    return units.time(f"{where}: seconds", text, 0.1, LONGEST)


def _fault(where: str, spec: str) -> Fault:
    try:
        return faults.parse(spec)
    except UsageError as exc:
        raise UsageError(one_line(f"{where}: {exc.message}"), one_line(exc.hint)) from None


def _shared(where: str, spec: str) -> Fault:
    fault = _fault(where, spec)
    if fault.hook not in ("answer", "turn", "shape"):
        raise UsageError(f"{where}: {fault.name} acts on connections, percent is of requests", "write it into faults")
    if fault.when != When():
        raise UsageError(
            one_line(f"{where}: {spec} in percent has a condition"), "leave it out; percent is the condition"
        )
    return fault
