"""`hermes-diag sockets`: what a live process does with its connections.

Parsed by argparse and not by typer: importing typer (and with it pydantic) takes ten times as long as
the look, and a look is what one does when a machine is in trouble.
"""

from __future__ import annotations

import argparse
import gc
import re
import signal
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import quoted

if TYPE_CHECKING:
    from hermes_diag.watch.fail_on import Condition
    from hermes_diag.watch.observer import Eye

SUMMARY = "Show what a live process does with its TCP connections: what leaks, towards whom, how fast."

DESCRIPTION = f"""{SUMMARY}

One look, or with --watch many. It only reads: nothing is attached to, signalled or written to the \
process, and no packet is sent. Root is not needed for one's own processes."""

EPILOG = """examples:
  hermes-diag sockets --pid 4242
  hermes-diag sockets --gateway --watch
  hermes-diag sockets --gateway --watch --duration 1h --fail-on 'close_wait.growth > 5/h'
  hermes-diag sockets --pid 4242 --state close_wait --remote 104.18.0.0/16 --json
  hermes-diag sockets --pid 4242 --watch --interval 10s --save night.jsonl
  hermes-diag report night.jsonl

conditions of --fail-on: METRIC OP NUMBER[UNIT], OP one of > >= < <=
  fds, threads, rss        a level: 'fds > 900', 'fds > 80%' (of the soft limit), 'rss > 2G'
  STATE.age                how long the oldest socket is in a state at least:
                           'close_wait.age > 10m' (s, m, h, d)
  STATE.growth, fds.growth, threads.growth
                           the slope of a whole watch: 'close_wait.growth > 5/h' (/s, /min, /h, /d)
  Levels and ages end a watch at once when they hold; growth is judged at its end. A watch too \
short to notice a growth that slow says so and exits with 3: 5/h takes 48 minutes. A bare count \
of sockets is no metric: a healthy idle pool holds CLOSE_WAIT sockets too.

exit codes:
  0    nothing is wrong; a single look without --fail-on never judges
  1    a condition holds; in a watch without --fail-on: CLOSE_WAIT, fds or threads are growing
  2    wrong usage
  3    could not look, or too short to tell
  130  Ctrl-C or SIGTERM; the summary of what was seen until then is printed"""


class Help(argparse.RawDescriptionHelpFormatter):
    """Keeps lines as they are written where they fit, and wraps those that do not, each by itself."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(_fitted(line, width) for line in text.splitlines())

    def _format_usage(self, *arguments: Any) -> str:
        return _fitted("  " + super()._format_usage(*arguments).strip(), self._width).strip() + "\n\n"


def _fitted(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    lead = " " * min(4, len(line) - len(line.lstrip()))
    return textwrap.fill(
        re.sub(" {5,}", "  ", line.strip()),
        max(20, width),
        initial_indent=lead,
        subsequent_indent=lead + "  " if lead else "",
        break_on_hyphens=False,
    )


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and what to do in another."""

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.split())
        raise UsageError(line if len(line) <= 200 else f"{line[:200]}...", f"{self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """All options of the command."""
    new = Parser(
        prog="hermes-diag sockets",
        usage="%(prog)s (--pid PID | --gateway) [--watch] [OPTIONS]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    what = new.add_argument_group("what to look at")
    what.add_argument("--pid", type=_integer, help="the process to look at")
    what.add_argument("--gateway", action="store_true", help="the running Hermes gateway (HERMES_HOME or ~/.hermes)")
    what.add_argument("--profile", metavar="NAME", help="with --gateway: the one of this Hermes profile")
    what.add_argument("--children", action="store_true", help="all descendants of the process, too")
    what.add_argument(
        "--state", action="append", default=[], help="only sockets in this state, e.g. close_wait; repeatable"
    )
    what.add_argument(
        "--remote",
        action="append",
        default=[],
        metavar="HOST[:PORT]|CIDR",
        help="only sockets to this address or network; repeatable",
    )
    watch = new.add_argument_group("how long")
    watch.add_argument("--watch", action="store_true", help="keep looking until Ctrl-C or an end; then a summary")
    watch.add_argument("--interval", type=_time, metavar="TIME", help="from look to look, e.g. 500ms or 1m (1s)")
    watch.add_argument("--duration", type=_time, metavar="TIME", help="for so long, e.g. 10m or 2h (no end)")
    watch.add_argument("--count", type=_positive, metavar="N", help="so many looks (no end)")
    show = new.add_argument_group("what to do with it")
    show.add_argument("--group-by", choices=("state", "remote", "port"), help="the table of one look (remote)")
    show.add_argument("--resolve", action="store_true", help="ask the resolver for names, which sends packets")
    show.add_argument(
        "--fail-on", action="append", default=[], metavar="CONDITION", help="exit with 1 when it holds; repeatable"
    )
    show.add_argument("--save", type=Path, metavar="FILE", help="write the samples as JSON Lines, as they come")
    show.add_argument("--force", action="store_true", help="let --save overwrite")
    show.add_argument(
        "--json", action="store_true", help="one JSON document; with --watch one line per sample and one summary"
    )
    show.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="every socket and endpoint; of a watch, every endpoint in the summary",
    )
    show.add_argument(
        "--backend",
        choices=("auto", "sock_diag", "psutil", "proc_net"),
        default="auto",
        metavar="NAME",
        help="where socket tables come from: sock_diag, psutil, proc_net or auto",
    )
    return new


def _integer(text: str) -> int:
    digits = text.removeprefix("-")  # a negative one has a refusal of its own
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no process number")
    return int(text)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no number from 1 up")
    return int(text)


def _time(text: str) -> float:
    from hermes_diag.core import units

    try:
        seconds = units.seconds(text)
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= 366 * 86400:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no time such as 500ms, 2s, 10m, 1h or 7d, 10ms at least")
    return seconds


def main(argv: Sequence[str]) -> int:
    """Run the command; the exit code. Raises HermesDiagError."""
    asked = parser().parse_args(argv)
    for name in ("interval", "duration", "count", "save"):
        if getattr(asked, name) is not None and not asked.watch:
            raise UsageError(f"--{name} needs --watch", "add --watch, or leave it out for a single look")
    if asked.force and not asked.save:
        raise UsageError("--force needs --save", "name the file to overwrite")
    _refuse_idle(asked)
    wanted: list[Condition] = []
    states: tuple[str, ...] = ()
    filters = None
    if asked.state or asked.remote or asked.fail_on:
        from hermes_diag.watch import filters as endpoints

        states = endpoints.states(asked.state)
        filters = endpoints.remotes(asked.remote, _addresses if asked.resolve else None) if asked.remote else None
    if asked.fail_on:
        from hermes_diag.watch import fail_on

        wanted = [fail_on.parse(one) for one in asked.fail_on]
        _check(wanted, states, asked)
    target = _target(asked.pid, asked.gateway, asked.profile)

    from hermes_diag.watch.observer import Eye

    eye = Eye(target, asked.backend, asked.children, states, filters)
    return _watch(eye, asked, tuple(one.text for one in wanted), states) if asked.watch else _look(eye, asked, wanted)


def _refuse_idle(asked: argparse.Namespace) -> None:
    """Refuse options that would do nothing."""
    if asked.group_by and (asked.watch or asked.json):
        other = "--watch" if asked.watch else "--json"
        raise UsageError(f"--group-by is for the table of one look, and {other} prints none", "leave one of them out")
    if asked.resolve and asked.watch and not asked.remote:
        raise UsageError("--resolve does nothing in a watch without --remote", "leave it out, or take one look")


def _check(wanted: list[Condition], states: tuple[str, ...], asked: argparse.Namespace) -> None:
    """Refuse conditions that could never be told."""
    from hermes_diag.watch import fail_on
    from hermes_diag.watch.filters import STATES

    bounded = asked.duration is not None or asked.count is not None
    for one in wanted:
        if one.kind == fail_on.GROWTH and not asked.watch:
            raise UsageError(f"--fail-on '{one.text}': one look shows no growth", "add --watch --duration 10m")
        if one.kind == fail_on.GROWTH and not bounded:
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
    from hermes_diag.hermes import home

    return _ask(home.gateways(home.home(), profile))


def _ask(found: Any) -> int:
    """The only gateway; of several the one that the user names, if there is a user."""
    from hermes_diag.hermes import home

    if len(found) > 1 and sys.stdin.isatty() and sys.stderr.isatty():
        for number, one in enumerate(found, start=1):
            sys.stderr.write(f"{number}  process {one.pid} ({home.named(one)})\n")
        sys.stderr.write(f"which gateway? [1-{len(found)}] ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip()
        if answer.isdigit() and 1 <= int(answer) <= len(found):
            return int(found[int(answer) - 1].pid)
    chosen = home.choose(found)
    if not chosen.checked:
        sys.stderr.write("hermes-diag: gateway.pid is of an old release and has no start time to check\n")
    return chosen.pid


def _look(eye: Eye, asked: argparse.Namespace, wanted: list[Condition]) -> int:
    from hermes_diag.cli.terminal import emit, paint, width
    from hermes_diag.core.errors import COULD_NOT_MEASURE, OK, PROBLEM

    look = eye.look()
    names = _names({row.remote[0] for row in look.rows if row.remote[1]}) if asked.resolve else {}
    held = []
    if wanted:
        from hermes_diag.watch import fail_on
        from hermes_diag.watch.watch import once

        held = [fail_on.at_tick(one, once(look)) for one in wanted]
    code = PROBLEM if any(one.held for one in held) else OK
    if code == OK and any(one.held is None for one in held):
        code = COULD_NOT_MEASURE
    if asked.json:
        from hermes_diag.reporters import sockets_json

        emit(sockets_json.look(look, held, code, names))
    else:
        from hermes_diag.reporters import sockets_text

        lines = sockets_text.look(look, width(), asked.group_by or "remote", asked.verbose, names)
        if held:
            lines += ["", *sockets_text.conditions(held, width())]
        emit(paint(lines))
    return code


def _watch(eye: Eye, asked: argparse.Namespace, wanted: tuple[str, ...], states: tuple[str, ...]) -> int:
    from contextlib import ExitStack

    from hermes_diag.cli.terminal import emit, is_live, paint, width
    from hermes_diag.reporters import sockets_json, sockets_text
    from hermes_diag.run.capture import create
    from hermes_diag.watch.capture import WatchCapture
    from hermes_diag.watch.records import Ended
    from hermes_diag.watch.timeline import Timeline
    from hermes_diag.watch.watch import Watch

    ears = Ears()
    watch = Watch(eye, asked.interval or 1.0, asked.duration, asked.count, ears.sleep)
    watched = watch.watched(states, tuple(asked.remote), wanted)
    timeline = Timeline(watched)
    gc.collect()
    gc.freeze()  # what is there now stays: the collector need not pass it at every sample
    with ExitStack() as stack:
        capture = WatchCapture(stack.enter_context(create(asked.save, asked.force)), watched) if asked.save else None
        view = None
        stack.enter_context(ears)
        try:
            if not asked.json and is_live():
                from rich.console import Console

                from hermes_diag.reporters.sockets_live import View

                view = stack.enter_context(View(timeline, Console(highlight=False)))
            for tick in watch:
                if capture:
                    capture.write(tick)
                timeline.add(tick)
                if view:
                    view(tick)
                elif not emit(sockets_json.sample(tick) if asked.json else sockets_text.sample(tick, watched.begun)):
                    watch.ended = Ended("done", "the reader has left")
                    break
                if any(one.held for one in timeline.held.values()):
                    watch.ended = Ended("condition", "a condition of --fail-on holds")
                    break
        except KeyboardInterrupt:
            watch.ended = Ended("interrupted", "interrupted: this is what was seen until then")
        summary = timeline.summary(watch.ended)
        if capture:
            capture.write(watch.ended)
            for held in summary.conditions:
                capture.write(held)
    if asked.json:
        emit(sockets_json.summary(summary))
    else:
        emit(("" if view else "\n") + paint(sockets_text.summary(summary, width(), asked.verbose)))
    if capture:
        failed = capture.failure and f"samples could not be written to {asked.save}: {capture.failure}"
        sys.stderr.write(f"{failed or f'samples written to {asked.save}'}\n")
    return summary.exit_code


class Ears:
    """Lets Ctrl-C and SIGTERM end a watch between two samples; the second one ends it anywhere. Context manager."""

    def __init__(self) -> None:
        self._asleep = self._told = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Ears:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup`, or a shell's background
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def sleep(self, seconds: float) -> None:
        self._asleep = True
        try:
            if self._told:
                raise KeyboardInterrupt
            time.sleep(seconds)
        finally:
            self._asleep = False

    def _hear(self, *_: object) -> None:
        if self._asleep or self._told:
            raise KeyboardInterrupt
        self._told = True


def show_capture(path: Path, json: bool, verbose: bool = False) -> int:
    """Judge and print a saved watch, for `hermes-diag report`."""
    from hermes_diag.cli.terminal import emit, paint, width
    from hermes_diag.reporters import sockets_json, sockets_text
    from hermes_diag.watch import capture as watch_capture

    timeline, ended = watch_capture.read(path)
    summary = timeline.summary(ended)
    if json:
        emit(sockets_json.summary(summary, indent=True))
    else:
        emit(paint(sockets_text.summary(summary, width(), verbose)))
    return summary.exit_code


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
