"""`hermes-diag sockets`: what a live process does with its connections."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from hermes_diag.errors import UsageError

if TYPE_CHECKING:
    from hermes_diag.conditions import Condition
    from hermes_diag.sampling.eye import Eye

EXAMPLES = """Examples:

hermes-diag sockets --pid 4242

hermes-diag sockets --gateway --watch

hermes-diag sockets --gateway --watch --duration 10m --fail-on 'close_wait.growth > 5/h' --fail-on 'fds > 80%'

hermes-diag sockets --pid 4242 --state close_wait --remote 104.18.0.0/16 --json

hermes-diag sockets --pid 4242 --watch --interval 10s --save night.jsonl; hermes-diag report night.jsonl

--fail-on takes METRIC OP NUMBER[UNIT], OP one of > >= < <=:

fds, threads, rss: a level, e.g. 'fds > 900', 'fds > 80%' (of the soft limit), 'rss > 2G'

STATE.age: how long the oldest socket is in a state at least, e.g. 'close_wait.age > 10m' (s m h d)

STATE.growth, fds.growth, threads.growth: the slope of a whole watch, e.g. 'close_wait.growth > 5/h' (/s /min /h /d)

Levels and ages end a watch at once when they hold; growth is judged at its end, and only where the number is
really growing. A bare count of sockets is no metric: a healthy idle pool holds CLOSE_WAIT sockets too.

Exit codes: 0 nothing is wrong (one look without --fail-on never judges), 1 a condition holds or, without
--fail-on, CLOSE_WAIT, fds or threads are growing, 2 wrong usage, 3 could not look or the watch was too short to
tell, 130 Ctrl-C."""


class Backend(str, Enum):
    auto = "auto"
    sock_diag = "sock_diag"
    psutil = "psutil"
    proc_net = "proc_net"


class Group(str, Enum):
    state = "state"
    remote = "remote"
    port = "port"


def _duration(text: str) -> float:
    from hermes_diag import units

    try:
        seconds = units.seconds(text)
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= 366 * 86400:
        raise typer.BadParameter("a time such as 500ms, 2s, 10m, 1h or 7d, from 10ms to a year")
    return seconds


def command(
    pid: Annotated[int | None, typer.Option(metavar="PID", show_default=False, help="The process to look at.")] = None,
    gateway: Annotated[
        bool, typer.Option("--gateway", help="Find the running Hermes gateway (HERMES_HOME, default ~/.hermes).")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default=False, help="With --gateway: that of this Hermes profile."),
    ] = None,
    children: Annotated[bool, typer.Option("--children", help="Add all descendants of the process.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep looking until Ctrl-C, --duration or --count; then a summary.")
    ] = False,
    interval: Annotated[
        float | None,
        typer.Option(parser=_duration, metavar="TIME", show_default="1s", help="With --watch: from look to look."),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(parser=_duration, metavar="TIME", show_default="no end", help="With --watch: for so long."),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, show_default="no end", help="With --watch: so many looks.")
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE", show_default="all", help="Only sockets in this state, e.g. close_wait. Repeatable."
        ),
    ] = None,
    remote: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST[:PORT]|CIDR", show_default="all", help="Only sockets to this address or network. Repeatable."
        ),
    ] = None,
    group_by: Annotated[Group, typer.Option(help="How the table of one look is grouped.")] = Group.remote,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Ask the resolver for names. Without it a look sends no packet.")
    ] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", show_default=False, help="Exit with 1 when it holds, see below. Repeatable."),
    ] = None,
    backend: Annotated[Backend, typer.Option(help="Where socket tables come from.")] = Backend.auto,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", show_default=False, help="With --watch: write samples as JSON Lines, as they come."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --save overwrite.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; with --watch a line per sample and one summary.")
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Every socket and endpoint.")] = False,
) -> None:
    """Show what a live process does with its TCP connections: what leaks, towards whom, how fast.

    One look, or with --watch many. It only reads: nothing is attached to, signalled or written to the
    process, and no packet is sent. Root is not needed for one's own processes.
    """
    from hermes_diag import conditions, endpoints

    for name, value in {"--interval": interval, "--duration": duration, "--count": count, "--save": save}.items():
        if value is not None and not watch:
            raise UsageError(f"{name} needs --watch", "add --watch, or leave it out for a single look")
    if force and not save:
        raise UsageError("--force needs --save", "name the file to overwrite")
    wanted = [conditions.parse(one) for one in fail_on or ()]
    states = endpoints.states(state or ())
    filters = endpoints.remotes(remote, _addresses if resolve else None) if remote else None
    _check(wanted, states, watch, duration is not None or count is not None)
    target = _target(pid, gateway, profile)

    from hermes_diag.sampling.eye import Eye

    eye = Eye(target, backend.value, children, states, filters)
    if watch:
        _watch(eye, interval or 1.0, duration, count, wanted, states, tuple(remote or ()), save, force, json)
    else:
        _look(eye, wanted, group_by.value, resolve, json, verbose)


def _check(wanted: list[Condition], states: tuple[str, ...], watch: bool, bounded: bool) -> None:
    """Refuse conditions that could never be told."""
    from hermes_diag import conditions
    from hermes_diag.endpoints import STATES

    for one in wanted:
        if one.kind == conditions.GROWTH and not watch:
            raise UsageError(f"--fail-on '{one.text}': one look shows no growth", "add --watch --duration 10m")
        if one.kind == conditions.GROWTH and not bounded:
            raise UsageError(
                f"--fail-on '{one.text}': growth is judged at the end of a watch, and this one has none",
                "add --duration 10m or --count 60",
            )
        if states and one.metric in STATES and one.metric not in states:
            raise UsageError(
                f"--fail-on '{one.text}': --state leaves {one.metric} out", f"add --state {one.metric.lower()}"
            )


def _target(pid: int | None, gateway: bool, profile: str | None) -> int:
    if profile is not None and not gateway:
        raise UsageError("--profile needs --gateway", "add --gateway")
    if (pid is None) == (not gateway):
        if pid is None:
            raise UsageError("which process?", "give --pid PID, or --gateway for the running Hermes gateway")
        raise UsageError("--pid and --gateway are two answers to one question", "leave one of them out")
    if pid is not None:
        return pid
    from hermes_diag import hermes

    return _ask(hermes.gateways(hermes.home(), profile))


def _ask(found: Any) -> int:
    """The only gateway; of several the one that the user names, if there is a user."""
    import sys

    from hermes_diag import hermes

    if len(found) > 1 and sys.stdin.isatty() and sys.stderr.isatty():
        for number, one in enumerate(found, start=1):
            sys.stderr.write(f"{number}  process {one.pid} ({hermes.named(one)})\n")
        sys.stderr.write(f"which gateway? [1-{len(found)}] ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip()
        if answer.isdigit() and 1 <= int(answer) <= len(found):
            return int(found[int(answer) - 1].pid)
    chosen = hermes.choose(found)
    if not chosen.checked:
        sys.stderr.write("hermes-diag: gateway.pid is of an old release and has no start time to check\n")
    return chosen.pid


def _look(eye: Eye, wanted: list[Condition], group: str, resolve: bool, json: bool, verbose: bool) -> None:
    from hermes_diag import conditions
    from hermes_diag.cli.terminal import emit, paint, width
    from hermes_diag.errors import COULD_NOT_MEASURE, OK, PROBLEM

    look = eye.look()
    names = _names({row.remote[0] for row in look.rows if row.remote[1]}) if resolve else {}
    held = []
    if wanted:
        from hermes_diag.observe import once

        held = [conditions.at_tick(one, once(look)) for one in wanted]
    code = PROBLEM if any(one.held for one in held) else OK
    if code == OK and any(one.held is None for one in held):
        code = COULD_NOT_MEASURE
    if json:
        from hermes_diag.reporters import sockets_json

        emit(sockets_json.look(look, held, code, names))
    else:
        from hermes_diag.reporters import sockets_text

        lines = sockets_text.look(look, width(), group, verbose, names)
        if held:
            lines += ["", *sockets_text.conditions(held, width())]
        emit(paint(lines))
    raise typer.Exit(code)


def _watch(
    eye: Eye,
    interval: float,
    duration: float | None,
    count: int | None,
    wanted: list[Condition],
    states: tuple[str, ...],
    remotes: tuple[str, ...],
    save: Path | None,
    force: bool,
    json: bool,
) -> None:
    from contextlib import ExitStack

    from hermes_diag.capture import create
    from hermes_diag.cli.terminal import emit, is_live, paint, width
    from hermes_diag.looks import Ended
    from hermes_diag.observe import Watch
    from hermes_diag.reporters import sockets_json, sockets_text
    from hermes_diag.timeline import Timeline
    from hermes_diag.watch_capture import WatchCapture

    watch = Watch(eye, interval, duration, count)
    watched = watch.watched(states, remotes)
    timeline = Timeline(watched)
    with ExitStack() as stack:
        capture = WatchCapture(stack.enter_context(create(save, force)), watched) if save else None
        view = None
        try:
            if not json and is_live():
                from rich.console import Console

                from hermes_diag.reporters.sockets_live import View

                view = stack.enter_context(View(timeline, Console(highlight=False)))
            for tick in watch:
                if capture:
                    capture.write(tick)
                timeline.add(tick, wanted)
                if view:
                    view(tick)
                else:
                    emit(sockets_json.sample(tick) if json else sockets_text.sample(tick, watched.begun))
                if any(one.held for one in timeline.held.values()):
                    watch.ended = Ended("condition", "a condition of --fail-on holds")
                    break
        except KeyboardInterrupt:
            watch.ended = Ended("interrupted", "interrupted: this is what was seen until then")
        if capture:
            capture.write(watch.ended)
    summary = timeline.summary(watch.ended, wanted)
    if json:
        emit(sockets_json.summary(summary))
    else:
        emit(("" if view else "\n") + paint(sockets_text.summary(summary, width())))
    if save:
        import sys

        sys.stderr.write(f"samples written to {save}\n")
    raise typer.Exit(summary.exit_code)


def show_capture(path: Path, json: bool) -> NoReturn:
    """Judge and print a saved watch, for `hermes-diag report`."""
    from hermes_diag import watch_capture
    from hermes_diag.cli.terminal import emit, paint, width
    from hermes_diag.reporters import sockets_json, sockets_text

    timeline, ended = watch_capture.read(path)
    summary = timeline.summary(ended)
    if json:
        emit(sockets_json.summary(summary, indent=True))
    else:
        emit(paint(sockets_text.summary(summary, width())))
    raise typer.Exit(summary.exit_code)


def _addresses(host: str) -> list[str]:
    """The addresses of a name. Only called when the user allowed packets to be sent."""
    import socket

    try:
        return list({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as exc:
        raise UsageError(f"--remote {host}: the name cannot be looked up ({exc})", "give an address") from None


def _names(ips: set[str]) -> dict[str, str]:
    """Reverse names, as far as the resolver gives them within two seconds."""
    import queue
    import socket
    import threading
    import time

    found: queue.Queue[tuple[str, str]] = queue.Queue()

    def ask(ip: str) -> None:
        try:
            found.put((ip, socket.gethostbyaddr(ip)[0]))
        except OSError:
            found.put((ip, ""))

    asked = sorted(ips)[:50]
    for ip in asked:
        threading.Thread(target=ask, args=(ip,), daemon=True).start()
    names: dict[str, str] = {}
    until = time.monotonic() + 2.0
    for _ in asked:
        try:
            ip, name = found.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if name:
            names[ip] = name
    return names
