"""Settings of `check`: flags before environment before pyproject.toml before defaults. Pure.

A Layer is one place where settings stand. Every layer is checked, also values that another one overrides; what
is wrong is one line that names the place: a flag, a variable, or file, line and key.
"""

from __future__ import annotations

import datetime
import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from hermes_diag.core import conditions, redact
from hermes_diag.core.conditions import Condition
from hermes_diag.core.errors import UsageError
from hermes_diag.core.matrix import USUAL
from hermes_diag.core.text import did_you_mean, one_line, quoted
from hermes_diag.judge import expectations, promises, rules

DEFAULT_FACTORY = "fixed"

#: What a condition of `fail_on` may be about. Without one no number fails: a healthy idle pool holds CLOSE_WAIT, too.
METRICS: Mapping[str, str] = {
    "close_wait_left": "CLOSE_WAIT sockets in the last idle gap of a workload",
    "close_wait_peak": "CLOSE_WAIT sockets at any look at a workload",
    "established_left": "ESTABLISHED sockets in the last idle gap of a workload",
}
#: Every key with the flag that sets it.
FLAGS: Mapping[str, str] = {
    "factory": "SPEC",
    "python": "--python",
    "cwd": "--cwd",
    "workloads": "--workload",
    "faults": "--fault",
    "allow": "--allow",
    "fail_on": "--fail-on",
    "expect": "--expect",
}
_OF_ALLOWANCE = ("finding", "reason", "expires")


@dataclass(frozen=True)
class Allowance:
    """A finding that does not fail the check up to and including a day."""

    finding: str
    reason: str
    expires: datetime.date


@dataclass(frozen=True)
class Layer:
    """Values by key as they were written. `where(path)` names the place of a value; a file has a name, and
    relative paths in it count from the folder `base`."""

    name: str
    values: Mapping[str, Any]
    where: Callable[[tuple[str | int, ...]], str]
    base: str = ""

    def wrong(self, path: tuple[str | int, ...], what: str) -> NoReturn:
        raise UsageError(f"{self.where(path)}: {what}")


@dataclass(frozen=True)
class Asked:
    """What a check judges by: what its capture keeps. sources: (key, value, source) of each setting that is not
    default. baseline: the name of the earlier run that it is compared with, "" without one."""

    factory: str
    allow: tuple[Allowance, ...] = ()
    fail_on: tuple[Condition, ...] = ()
    sources: tuple[tuple[str, str, str], ...] = ()
    baseline: str = ""


@dataclass(frozen=True)
class Settings:
    """What holds, and for each key that is not at its default the layer that it comes from."""

    factory: str = DEFAULT_FACTORY
    python: str | None = None
    cwd: str | None = None
    workloads: tuple[str, ...] = USUAL
    faults: tuple[str, ...] = ()
    allow: tuple[Allowance, ...] = ()
    fail_on: tuple[Condition, ...] = ()  # each about one of METRICS
    expect: tuple[str, ...] = ()  # see expectations.py
    origins: Mapping[str, Layer] = field(default_factory=dict)

    def asked(self, baseline: str = "") -> Asked:
        """What the run is judged by. baseline: the name of an earlier run."""
        return Asked(self.factory, self.allow, self.fail_on, tuple(self._sources()), baseline)

    def _sources(self) -> Iterator[tuple[str, str, str]]:
        for key, layer in self.origins.items():
            value: Any = getattr(self, key)
            if key == "allow":
                value = ", ".join(f"{one.finding} until {one.expires}" for one in value)
            elif key == "fail_on":
                value = ", ".join(one.text for one in value)
            elif isinstance(value, tuple):
                value = ", ".join(value)
            yield key, redact.name(str(value)), layer.name or layer.where((key,))


# --- the layers --------------------------------------------------------------------------------------


def flags(given: Mapping[str, Any]) -> Layer:
    """The command line: values by key, None: not given."""
    values: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if "allow" in values:
        values["allow"] = [_allowance(text) for text in values["allow"]]
    return Layer("", values, lambda path: FLAGS[str(path[0])])


def environment(environ: Mapping[str, str]) -> Layer:
    """HERMES_DIAG_FACTORY and so on; an empty variable is not set. Lists are split at white space, allowances and
    conditions at semicolons and ends of lines. Raises UsageError for a variable whose name is
    nearly one of these: with a slip in HERMES_DIAG_FACTORY another factory would be checked."""
    for name, text in sorted(environ.items()):
        if text.strip() and (meant := _meant(name)):
            raise UsageError(f"{name}: no such setting; did you mean {meant}?")
    values: dict[str, Any] = {}
    for key in FLAGS:
        text = environ.get(_variable(key), "").strip()
        if not text:
            continue
        if key in ("allow", "fail_on"):
            found = [one.strip() for one in re.split(r"[;\n]", text) if one.strip()]
            if found:
                values[key] = [_allowance(one) for one in found] if key == "allow" else found
        elif key in ("workloads", "faults", "expect"):
            values[key] = text.replace(",", " ").split() if key == "workloads" else text.split()
        else:
            values[key] = text
    return Layer("", values, lambda path: _variable(str(path[0])))


def _meant(name: str) -> str | None:
    """The variable that was probably meant by one in small letters, with more letters or with a slip."""
    start, key = _variable(""), name.upper().removeprefix(_variable(""))
    variables = {_variable(one): one.upper() for one in FLAGS}
    if name in variables or not name.upper().startswith(start):
        return None
    near = difflib.get_close_matches(key, variables.values(), n=1, cutoff=0.75)
    longer = [one for one in variables.values() if key.startswith(one) and len(one) > len("CWD")]
    return next((start + one for one in (*near, *longer)), None)


def _variable(key: str) -> str:
    return f"HERMES_DIAG_{key.upper()}"


def _allowance(text: str) -> dict[str, str]:
    """`close-releases:2027-01-31:known upstream` as pyproject.toml would have it; what is missing shows later."""
    return {
        name: part for name, part in zip(("finding", "expires", "reason"), text.split(":", 2), strict=False) if part
    }


# --- checks ------------------------------------------------------------------------------------------


def resolve(layers: Sequence[Layer], today: datetime.date) -> Settings:
    """What holds, the first layer that has a key deciding. Raises UsageError."""
    values: dict[str, Any] = {}
    origins: dict[str, Layer] = {}
    for layer in layers:
        for key, raw in layer.values.items():
            value = _checked(layer, key, raw, today)
            if key not in origins:
                origins[key] = layer
                values[key] = value
    if "factory" in origins and "cwd" not in values and origins["factory"].base:
        values["cwd"] = origins["factory"].base  # a file's own factory counts from its folder
    return Settings(**values, origins={key: origins[key] for key in FLAGS if key in origins})


def _checked(layer: Layer, key: str, raw: Any, today: datetime.date) -> Any:
    if key == "allow":
        _want(layer, (key,), raw, list, "a list of tables")
        allowed = tuple(_checked_allowance(layer, number, one, today) for number, one in enumerate(raw))
        for number, allowance in enumerate(allowed):
            if any(allowance.finding == other.finding for other in allowed[:number]):
                layer.wrong((key, number), f"{allowance.finding} is allowed twice; give it once")
        return allowed
    if key == "fail_on":
        _want(layer, (key,), raw, list, "a list of strings")
        return tuple(dict.fromkeys(_condition(layer, number, one) for number, one in enumerate(raw)))
    if key in ("workloads", "faults", "expect"):
        _want(layer, (key,), raw, list, "a list of strings")
        for number, one in enumerate(raw):
            _want(layer, (key, number), one, str, "a string")
            if key == "workloads" and one not in USUAL:
                layer.wrong((key, number), f"no workload {one!r}; {did_you_mean(one, USUAL)}")
        if key == "expect":
            _check_expectations(layer, raw)
        if key == "workloads" and not raw:
            layer.wrong((key,), f"empty; known: {', '.join(USUAL)}")
        return tuple(dict.fromkeys(raw))
    _want(layer, (key,), raw, str, "a string")
    if not raw or "\0" in raw:
        layer.wrong((key,), "empty" if not raw else "holds a NUL")
    if key == "cwd" or (key == "python" and "/" in raw):
        return os.path.join(layer.base, os.path.expanduser(raw))
    return raw


def _checked_allowance(layer: Layer, number: int, one: Any, today: datetime.date) -> Allowance:
    at = ("allow", number)
    _want(layer, at, one, dict, "a table of finding, reason and expires")
    for key in one:
        if key not in _OF_ALLOWANCE:
            layer.wrong((*at, key), f"unknown key; {did_you_mean(key, _OF_ALLOWANCE)}")
    for key in _OF_ALLOWANCE:
        if key not in one:
            written = "" if layer.name else "; write FINDING:DATE:REASON"
            layer.wrong(at, f"{key} is missing: an allowance has {', '.join(_OF_ALLOWANCE)}{written}")
    for key in ("finding", "reason"):
        _want(layer, (*at, key), one[key], str, "a string")
        if not one[key].strip():
            layer.wrong((*at, key), "empty")
    known = codes()
    if one["finding"] not in known:
        layer.wrong((*at, "finding"), f"no finding {one['finding']!r}; {did_you_mean(one['finding'], known)}")
    expires = _date(layer, (*at, "expires"), one["expires"])
    if expires < today:
        layer.wrong(
            (*at, "expires"),
            f"the allowance of {one['finding']} expired on {expires}: fix the cause, or set a later day",
        )
    return Allowance(one["finding"], redact.name(one_line(one["reason"])), expires)


def _check_expectations(layer: Layer, raw: Sequence[str]) -> None:
    for number in range(len(raw)):
        try:
            expectations.parse(raw[: number + 1])
        except UsageError as exc:
            layer.wrong(("expect", number), f"{exc.message}; {exc.hint}")


def _condition(layer: Layer, number: int, one: Any) -> Condition:
    at = ("fail_on", number)
    _want(layer, at, one, str, "a string")
    try:
        found = conditions.parse(one, quoted(one), "write for example 'close_wait_left > 0'")
    except UsageError as exc:
        layer.wrong(at, f"{exc.message}; {exc.hint}")
    if found.name not in METRICS or found.aspect:
        layer.wrong(at, f"{quoted(one)}: no such metric; {did_you_mean(found.name, METRICS)}")
    if found.unit:
        layer.wrong(at, f"{quoted(one)}: a number of sockets has no unit; write 10, not 10m")
    return found


def _date(layer: Layer, path: tuple[str | int, ...], raw: Any) -> datetime.date:
    if isinstance(raw, datetime.datetime):
        return raw.date()
    if isinstance(raw, datetime.date):
        return raw
    try:
        return datetime.date.fromisoformat(raw)
    except (ValueError, TypeError):
        layer.wrong(path, f"a date like 2027-01-31, not {kind_of(raw)}")


def codes() -> tuple[str, ...]:
    """Everything that an allowance may name: promises and findings."""
    return tuple(module.CODE for module in (*promises.modules(), *rules.modules()))


def _want(layer: Layer, path: tuple[str | int, ...], raw: Any, kind: type, what: str) -> None:
    if not isinstance(raw, kind):
        layer.wrong(path, f"{what}, not {kind_of(raw)}")


def kind_of(raw: Any) -> str:
    """A value as an error may show it: short text as it is, of the rest the type."""
    if isinstance(raw, str):
        return repr(raw if len(raw) <= 40 else raw[:40] + "...")
    if isinstance(raw, (bool, int, float)):
        return str(raw).lower()
    if isinstance(raw, (dict, list)):
        return "a table" if isinstance(raw, dict) else "a list"
    return f"a {type(raw).__name__}"
