"""The load of a run: payloads, dimensions of the matrix, sizes. Checked before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hermes_diag.cli.options import complete
from hermes_diag.core import matrix, units
from hermes_diag.core.errors import UsageError
from hermes_diag.core.plan import Conditions
from hermes_diag.core.text import did_you_mean, quoted

if TYPE_CHECKING:
    from hermes_diag.cli.options.tuning import Tuning
    from hermes_diag.run.payload import Payload

#: A PAYLOAD that is no file: the newest request dump of the Hermes home, or of one of its profiles.
LAST_DUMP = "last-dump"

Payloads = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PAYLOAD...",
        show_default=False,
        help="JSON file with a Responses or Chat Completions body, or a Hermes request dump; last-dump[:PROFILE] is "
        "the newest dump of the Hermes home. Of several, each runs through every cell. Default: a tiny prompt.",
    ),
]
Api = Annotated[
    str | None,
    typer.Option(
        "--api",
        metavar="responses|chat",
        show_default="responses",
        help="Whose built-in tiny prompt is sent: the Responses API's, or Chat Completions'.",
    ),
]
Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        show_default="buggy and fixed",
        autocompletion=complete.strategies,
        help="Only this client strategy. Repeatable.",
    ),
]


def end_option(default: str) -> Any:
    """--end, of which commands have other defaults."""
    return typer.Option(
        "--end",
        metavar="close|abandon",
        show_default=default,
        autocompletion=complete.ends,
        help="Only this end of a turn: the caller closes the request client, or abandons it. Repeatable.",
    )


def workload_option(default: str) -> Any:
    """--workload, of which commands have other defaults."""
    return typer.Option(
        "--workload",
        metavar="NAME",
        show_default=default,
        autocompletion=complete.workloads,
        help="Only this workload. Repeatable.",
    )


Ends = Annotated[list[str] | None, end_option("both")]
Workloads = Annotated[list[str] | None, workload_option("all")]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="NAME[=VALUE][:KEY=VALUE]...",
        show_default=False,
        autocompletion=complete.faults,
        help="A fault of the provider, see `hermes-diag faults`: one more dimension. Repeatable.",
    ),
]


def sessions_option(default: str) -> Any:
    """--sessions, of which commands have other defaults."""
    return typer.Option("--sessions", metavar="N", min=1, max=100, show_default=default, help="Chat sessions.")


def turns_option(default: str) -> Any:
    """--turns, of which commands have other defaults."""
    return typer.Option("--turns", metavar="N", min=1, max=5000, show_default=default, help="Turns per session.")


Sessions = Annotated[int | None, sessions_option("1 to 3, by workload")]
Turns = Annotated[int | None, turns_option("6 to 101, by workload")]
Retries = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        max=10,
        help="Retries of a failed turn, each with a shared client rebuilt from the same kwargs.",
    ),
]


def timeout_option(default: str) -> Any:
    """--timeout, of which commands have other defaults."""
    return typer.Option(
        "--timeout",
        metavar="TIME",
        show_default=default,
        help="Request timeout, and how long a request waits for a free connection of the pool (the SDK's is 600s).",
    )


Timeout = Annotated[str | None, timeout_option("10s; 1s for a free connection")]


def body(api: str | None) -> Payload:
    """The built-in prompt of that API. Raises UsageError."""
    from hermes_diag.run import payload

    api = api or "responses"
    if api not in payload.BUILT_IN:
        raise UsageError(f"--api {quoted(api)}: there is none of that name", did_you_mean(api, payload.BUILT_IN))
    return payload.built_in(api)


def payloads(given: Sequence[str] | None, limit: int, api: str | None = None) -> tuple[Payload, ...]:
    """What the command line names, or the built-in prompt; at most `limit` bytes each. Raises UsageError."""
    from hermes_diag.run import payload

    if not given:
        return (body(api),)
    if api is not None:
        raise UsageError(f"--api {api}: has no effect on a PAYLOAD, which says its API itself", "leave one of them out")

    paths = [_last_dump(one, limit) if _is_dump(one) else Path(one) for one in given or ()]
    return payload.load_all(paths, limit)


def _is_dump(given: str) -> bool:
    word, colon, _ = given.partition(":")
    return word == LAST_DUMP and (bool(colon) or not Path(given).exists())


def _last_dump(given: str, limit: int) -> Path:
    """The file that `last-dump[:PROFILE]` means. Raises UsageError."""
    from hermes_diag.hermes import home
    from hermes_diag.run import payload

    path = home.last_dump(home.home(), given.partition(":")[2] or None)
    payload.load_dump(path, limit)  # refuses a file that only has the name of a dump
    return path


def chosen(option: str, given: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """The values of a repeatable option, each once. Raises UsageError for one that is not known."""
    for value in given or ():
        if value not in known:
            raise UsageError(f"{option} {quoted(value)}: there is none of that name", did_you_mean(value, known))
    return tuple(dict.fromkeys(given or ()))


def faults(given: Sequence[str] | None, tls: bool = False) -> tuple[str, ...]:
    """Faults that a cell can have, each once. tls: the provider speaks it. Raises UsageError."""
    from hermes_diag.provider import faults as known

    for spec in given or ():
        fault = known.parse(spec)
        if fault.name == "hold":
            raise UsageError(f"fault {fault.name} is for the run's own use", "use it with hermes-diag serve")
        if fault.needs_tls and not tls:
            cure = "use it with hermes-diag serve, or in a replay with --set tls=on or --set proxy=on"
            raise UsageError(f"fault {fault.name} needs TLS, which a cell does not speak", cure)
    return tuple(dict.fromkeys(given or ()))


def sizes(sessions: int | None, turns: int | None, retries: int, timeout: str | None, tuning: Tuning) -> matrix.Sizes:
    """The sizes of a plan. Raises UsageError."""
    limit = None if timeout is None else units.time("--timeout", timeout, least=0.05, most=600)
    conditions = Conditions(
        tls=tuning.tls or tuning.proxy,
        proxy=tuning.proxy,
        threads=tuning.threads,
        loop=tuning.loop,
        reader=tuning.reader,
        after=tuning.after,
        abort=tuning.abort,
        until_sure=tuning.until_sure,
    )
    return matrix.Sizes(sessions, turns, tuning.scope, retries, limit, tuning.idle_close, tuning.seed, conditions)
