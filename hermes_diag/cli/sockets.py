"""`hermes-diag sockets`: what does this live process do with its connections?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hermes_diag.cli.options import complete
from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.options.tuning import Set
from hermes_diag.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hermes_diag.cli.watching import Asked
    from hermes_diag.watch.fail_on import Condition

EXAMPLES = """
  hermes-diag sockets 4242
  hermes-diag sockets --gateway --watch --duration 10m
  hermes-diag sockets --gateway --watch --duration 1h --fail-on 'close_wait.growth > 5/h'
  hermes-diag sockets --pid 4242 --state close_wait --remote 104.18.0.0/16 --json
  hermes-diag sockets 4242 --attach
  hermes-diag sockets --pid 4242 --watch --interval 10s --save night.jsonl
  hermes-diag report night.jsonl
  hermes-diag sockets --box /tmp/hermes-diag-1000/4242-987654.box
  hermes-diag sockets --pid 4242 --watch --duration 10m --output watch.html

\b
Conditions of --fail-on: METRIC OP NUMBER[UNIT], OP one of > >= < <=
  fds, threads, rss        a level: 'fds > 900', 'fds > 80%' (of the soft limit), 'rss > 2G'
  STATE.age                how long the oldest socket is in a state at least:
                           'close_wait.age > 10m' (ms, s, m, h, d)
  STATE.growth, fds.growth, threads.growth, rss.growth
                           the slope of a whole watch: 'close_wait.growth > 5/h' (/s, /min, /h, /d)
  Levels and ages end a watch at once when they hold; growth is judged at its end. A watch that is
  too short to notice a growth that slow says so and exits with 3: 5/h takes 48 minutes. A bare
  count of sockets is no metric: a healthy idle pool holds CLOSE_WAIT sockets too.

\b
Exit codes:
  0    nothing is wrong; a single look without --fail-on never judges
  1    a condition holds; in a watch without --fail-on: something grows, or a process is full
  2    wrong usage
  3    could not look, or too short to tell
  130  Ctrl-C or SIGTERM; the summary of what was seen until then is printed
"""

States = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        metavar="STATE",
        show_default=False,
        autocompletion=complete.states,
        help="Only sockets in this state, e.g. close_wait. Repeatable.",
    ),
]
Remotes = Annotated[
    list[str] | None,
    typer.Option(
        "--remote",
        metavar="HOST[:PORT]|CIDR",
        show_default=False,
        help="Only sockets to this address or network. Repeatable.",
    ),
]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on",
        metavar="CONDITION",
        show_default=False,
        autocompletion=complete.conditions,
        help="Exit with 1 when it holds, see below. Repeatable.",
    ),
]


Process = Annotated[str | None, typer.Argument(metavar="PID", show_default=False, help="The process to look at.")]
Pid = Annotated[str | None, typer.Option(metavar="PID", show_default=False, help="The same as an option.")]
Gateway = Annotated[bool, typer.Option("--gateway", help="The running Hermes gateway (HERMES_HOME or ~/.hermes).")]
Profile = Annotated[
    str | None, typer.Option(metavar="NAME", show_default=False, help="With --gateway: of this Hermes profile.")
]
Children = Annotated[bool, typer.Option("--children", help="All descendants of the process, too.")]
Watching = Annotated[bool, typer.Option("--watch", help="Keep looking until Ctrl-C, q or an end; then a summary.")]
Interval = Annotated[
    str | None, typer.Option(metavar="TIME", show_default="1s", help="With --watch: from look to look.")
]
Duration = Annotated[
    str | None, typer.Option(metavar="TIME", show_default="no end", help="With --watch: for so long, e.g. 10m.")
]
Attach = Annotated[
    bool,
    typer.Option(
        "--attach",
        help="Ask the process itself who holds each socket (Python 3.14 and newer): it runs a script of ours that only "
        "reads, and stands still meanwhile. The only option that touches the process.",
    ),
]
Arm = Annotated[
    bool,
    typer.Option(
        "--arm", help="With --attach: it also records from now on what it opens, as `hermes-diag trace` does."
    ),
]

BoxFile = Annotated[
    Path | None,
    typer.Option(
        "--box", metavar="FILE", show_default=False, help="Read the box of a process that has ended (see `trace`)."
    ),
]


@reporting()
def command(
    process: Process = None,
    pid: Pid = None,
    gateway: Gateway = False,
    profile: Profile = None,
    children: Children = False,
    state: States = None,
    remote: Remotes = None,
    watch: Watching = False,
    interval: Interval = None,
    duration: Duration = None,
    attach: Attach = False,
    arm: Arm = False,
    fail_on: FailOn = None,
    set_: Set = None,
    box: BoxFile = None,
    *,
    output: Output,
) -> int:
    """Show what a live process does with its TCP connections: what leaks, towards whom, how fast.

    One look, or with --watch many. It only reads: nothing is attached to, signalled or written to the process,
    and no packet is sent. Root is not needed for one's own processes. Only --attach touches the process.
    """
    if box is not None:
        return _read(box, locals())
    from hermes_diag.cli import looking, watching
    from hermes_diag.cli.options import tuning

    _refuse_idle(locals())
    tuned = tuning.parse(set_, _settings(locals(), output))
    asked = _asked(locals(), tuned, output)
    filters = _filters(asked)
    from hermes_diag.cli.options.process import target
    from hermes_diag.watch.observer import Observer

    eye = Observer(target(process, pid, gateway, profile), tuned.backend, children, asked.states, filters)
    return watching.watch(eye, asked) if watch else looking.look(eye, asked)


def _read(box: Path, given: dict[str, Any]) -> int:
    if given["output"].save or any(value for name, value in given.items() if name not in ("box", "output")):
        raise UsageError("--box reads a file, and looks at no process", "leave out all but --json, --output and -v")
    from hermes_diag.cli import telling
    from hermes_diag.leakguard import traced
    from hermes_diag.leakguard.box import Box
    from hermes_diag.watch import reports

    report = reports.of_box(traced.alone(Box(box)))
    return telling.tell(report, given["output"], telling.report_files(given["output"]))


def _settings(given: dict[str, Any], output: Output) -> list[str]:
    """The names that --set takes. A watch resolves names for --remote only, and prints no table, as JSON does not."""
    watch = given["watch"]
    names = {
        "backend": True,
        "count": watch,
        "group-by": not watch and output.format != "json",
        "resolve": not watch or given["remote"],
    }
    return [name for name, heeded in names.items() if heeded]


def _refuse_idle(given: dict[str, Any]) -> None:
    """Refuse options that would have no effect. Raises UsageError."""
    for name in ("interval", "duration"):
        if given[name] is not None and not given["watch"]:
            raise UsageError(f"--{name} needs --watch", "add --watch, or leave it out for a single look")
    if not given["watch"] and any(text.startswith("count=") for text in given["set_"] or ()):
        raise UsageError("--set count: has no effect here", "add --watch")
    for name, wanted in (("arm", "attach"), ("profile", "gateway")):
        if given[name] and not given[wanted]:
            raise UsageError(f"--{name} needs --{wanted}", f"add --{wanted}")
    if given["attach"] and given["watch"]:
        raise UsageError("--attach is for one look: each time the process would stand still", "leave --watch out")


def _asked(given: dict[str, Any], tuned: Any, output: Output) -> Asked:
    """The options read. Raises UsageError, also for conditions that could never be told."""
    from hermes_diag.cli import watching
    from hermes_diag.core import units

    states: tuple[str, ...] = ()
    if given["state"]:
        from hermes_diag.watch import filters

        states = filters.states(given["state"])
    times = {
        name: units.time(f"--{name}", given[name], least=0.01, most=366 * 86400)
        for name in ("interval", "duration")
        if given[name] is not None
    }
    if times.get("interval", 0.0) > times.get("duration", math.inf):
        raise UsageError("--interval is longer than --duration: there would be one look", "watch for longer")
    asked = watching.Asked(
        states=states,
        remotes=tuple(given["remote"] or ()),
        conditions=_conditions(given["fail_on"] or ()),
        resolve=tuned.resolve,
        group_by=tuned.group_by or "remote",
        interval=times.get("interval", 1.0),
        duration=times.get("duration"),
        count=tuned.count,
        output=output,
        attach=given["attach"],
        arm=given["arm"],
    )
    if asked.conditions:
        _check_conditions(asked, given["watch"])
    return asked


def _conditions(given: Sequence[str]) -> Sequence[Condition]:
    if not given:
        return ()
    from hermes_diag.watch import fail_on

    return list(dict.fromkeys(map(fail_on.parse, given)))


def _check_conditions(asked: Asked, watch: bool) -> None:
    """Refuse conditions that could never be told."""
    from hermes_diag.watch import fail_on
    from hermes_diag.watch.filters import STATES

    bounded = asked.duration is not None or asked.count is not None
    for condition in asked.conditions:
        said = f"--fail-on '{condition.text}'"
        if condition.kind == fail_on.GROWTH and not watch:
            raise UsageError(f"{said}: one look shows no growth", "add --watch --duration 10m")
        if condition.kind == fail_on.GROWTH and not bounded:
            why = "growth is judged at the end of a watch, and this one has none"
            raise UsageError(f"{said}: {why}", "add --duration 10m")
        if asked.states and condition.metric in STATES and condition.metric not in asked.states:
            cure = f"add --state {condition.metric.lower()}"
            raise UsageError(f"{said}: --state leaves {condition.metric} out", cure)


def _filters(asked: Asked) -> Any:
    if not asked.remotes:
        return None
    from hermes_diag.cli.names import addresses
    from hermes_diag.watch import filters

    return filters.remotes(asked.remotes, addresses if asked.resolve else None)
