"""--set NAME=VALUE: what few runs need to change, all under one option so that the others stay readable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import typer

from hermes_diag.core import units
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import did_you_mean, quoted

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        show_default=False,
        autocompletion=lambda incomplete: _words(incomplete),
        help="Fine tuning that few need, see docs/options.md; a shell completes the names. Repeatable.",
    ),
]


@dataclass(frozen=True)
class Tuning:
    """Every setting with its default."""

    scope: str | None = None
    idle_close: float | None = 0.0  # seconds; None: never
    seed: int = 0
    backend: str = "auto"
    start: str = "auto"
    max_payload: int = 32 * 2**20
    count: int | None = None
    group_by: str = ""
    resolve: bool = False
    until_sure: int | None = None
    tls: bool = False
    proxy: bool = False
    threads: bool = False
    loop: Literal["", "new"] = ""
    reader: Literal["", "terminal"] = ""
    after: int | None = None
    abort: Literal["", "close", "shutdown"] = ""


def _one_of(*known: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return value

    return check


def _idle_close(value: str) -> float | None:
    if value == "never":
        return None
    seconds = units.seconds(value)
    if not (seconds == 0 or 0.05 <= seconds <= 60):
        raise ValueError("0, a time from 50ms to 60s, or never")
    return seconds


def _seed(value: str) -> int:
    if not -(10**15) <= (seed := int(value)) <= 10**15:
        raise ValueError("a whole number of at most 15 digits")
    return seed


def _size(value: str) -> int:
    return units.size_of("--set max-payload", value)


def _count(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 18 or int(value) < 1:
        raise ValueError("a whole number from 1 on")
    return int(value)


def _on(value: str) -> bool:
    return _one_of("on")(value) == "on"


def _after(value: str) -> int:
    return 0 if value == "0" else _rounds(value)


def _rounds(value: str) -> int:
    if _count(value) > 5000:
        raise ValueError("a whole number from 1 to 5000")
    return _count(value)


def _backend(value: str) -> str:
    from hermes_diag.watch import tables

    return _one_of("auto", *tables.names())(value)


#: Name, its field, how its value is read, what it means.
SETTINGS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "scope": (_one_of("session", "gateway"), "who shares one client_kwargs dict: session or gateway"),
    "idle-close": (_idle_close, "idle time after which the provider closes: 0 (at once), a time, or never"),
    "seed": (_seed, "seed of the order in which sessions are served"),
    "backend": (_backend, "where socket tables come from"),
    "start": (_one_of("auto", "fork", "spawn"), "how each cell gets its process: fork, or spawn an interpreter each"),
    "max-payload": (_size, "largest payload taken, such as 64M"),
    "tls": (_on, "on: the provider speaks TLS; SSL_CERT_FILE names its authority"),
    "proxy": (_on, "on: the provider speaks TLS behind a CONNECT proxy, which HTTPS_PROXY names"),
    "threads": (_on, "on: in `steady` the sessions take their turns at the same time, each in a thread of its own"),
    "loop": (_one_of("new"), "new: the coroutines of each turn run in an event loop of its own"),
    "reader": (_one_of("terminal"), "terminal: who reads a stream stops at its terminal event, and closes it"),
    "after": (
        _after,
        "events after which a turn is interrupted, to 5000; 0: a coroutine is cancelled while it connects",
    ),
    "abort": (_one_of("close", "shutdown"), "how another thread gives a stream up in `recycled`: close or shutdown"),
    "until-sure": (_rounds, "turns at most, taken as long as a pool may still be filling up, to 5000 (64 without it)"),
    "count": (_count, "number of looks after which a watch ends"),
    "group-by": (_one_of("state", "remote", "port"), "what the table of one look is grouped by: state, remote, port"),
    "resolve": (_on, "on: the resolver is asked for names, which sends packets"),
}
#: Those that only a subject of the user's has a use for.
OF_SUBJECTS = ("tls", "proxy", "threads", "loop", "reader", "after", "abort", "until-sure")
#: Those that a run has a use for.
OF_RUNS = ("scope", "idle-close", "seed", "backend", "start", "max-payload")


def parse(given: Sequence[str] | None, heeded: Sequence[str] = OF_RUNS) -> Tuning:
    """The settings of `--set`. heeded: those that the command has a use for. Raises UsageError."""
    found = Tuning()
    for text in given or ():
        name, equals, value = text.partition("=")
        if name not in SETTINGS or not equals:
            what = "write NAME=VALUE" if name in SETTINGS else did_you_mean(name, SETTINGS)
            raise UsageError(f"--set {quoted(text)}: there is no such setting", what)
        if name not in heeded:
            raise UsageError(f"--set {name}: has no effect here", f"it takes {', '.join(heeded)}")
        if any(other.startswith(f"{name}=") and other != text for other in given or ()):
            raise UsageError(f"--set {name}: is given twice", "give it once")
        read, meaning = SETTINGS[name]
        try:
            found = replace(found, **{name.replace("-", "_"): read(value)})
        except ValueError as exc:
            raise UsageError(f"--set {quoted(text)}: not {meaning}", str(exc)) from None
    return found


def _words(typed: str) -> list[tuple[str, str]]:
    """What a shell completes: NAME= with its meaning."""
    return [(f"{name}=", meaning) for name, (_, meaning) in SETTINGS.items() if f"{name}=".startswith(typed)]
