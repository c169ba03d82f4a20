"""`hermes-diag check`: a guard for CI, an audit and the decisive workloads in one run."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hermes_diag.cli.target import Env

if TYPE_CHECKING:
    from hermes_diag.settings import Settings

EXAMPLES = """\b
Examples:
  hermes-diag check
  hermes-diag check ./clients.py:make_client --junit check.xml --markdown check.md
  hermes-diag check ./clients.py:make_client --limit close_wait_left=0 --fault rst-mid-stream
  hermes-diag check ./clients.py:make_client --save main.jsonl
  hermes-diag check ./clients.py:make_client --baseline main.jsonl
  hermes-diag check ./clients.py:make_client --allow 'default-limits:2027-01-31:ten connections are plenty'
"""


def command(
    spec: Annotated[
        str | None,
        typer.Argument(
            metavar="[SPEC]",
            show_default=False,
            help="The factory, pool or client, as in audit; or fixed, buggy. Default: fixed, our own, as a self-test.",
        ),
    ] = None,
    cwd: Annotated[
        Path | None, typer.Option(metavar="DIR", show_default=False, help="Folder in which the factory is imported.")
    ] = None,
    env: Env = None,
    python: Annotated[
        str | None, typer.Option(metavar="PATH", show_default=False, help="Interpreter whose SDK is put to the test.")
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Option(show_default=False, help="Only this of steady, interrupted, overlapping. Repeatable."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE][:KEY=VALUE]...",
            show_default=False,
            help="The workloads once more under this fault of the provider. Repeatable.",
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FINDING:DATE:REASON", show_default=False, help="Do not fail on it up to that day. Repeatable."
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=N",
            show_default=False,
            help="close_wait_left, close_wait_peak or established_left: at most so many sockets. Repeatable.",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="Fail on what got worse only since this file of --save."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="Write the evidence as JSON Lines, as it happens."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --save overwrite.")] = False,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", show_default=False, help="Write the result as JUnit XML.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", show_default=False, help="Write the result as markdown.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Guard a client factory: what `audit` tries and the decisive workloads of `repro`, in a few seconds.

    Settings come from here, else from HERMES_DIAG_..., else from [tool.hermes-diag] in the nearest
    pyproject.toml. Exit code 0 when nothing failed, 1 when something did, 3 when something could not be told.
    """
    from hermes_diag import checks, payload, run
    from hermes_diag.capture import Capture, create
    from hermes_diag.cli import github, output, target
    from hermes_diag.cli.files import ReportFile
    from hermes_diag.errors import CannotMeasure
    from hermes_diag.reporters import check as reporter
    from hermes_diag.reporters import junit as junit_xml
    from hermes_diag.reporters import markdown as summary
    from hermes_diag.reporters.live import Progress

    given = {
        "factory": spec, "python": python, "cwd": str(cwd) if cwd else None,
        "workloads": workload, "faults": fault, "allow": allow,
    }  # fmt: skip
    settings = _settings(given, limit or ())
    folder = Path(settings.cwd) if settings.cwd else None
    where = target.make(settings.python or sys.executable, folder, env)
    before = _baseline(baseline)
    body = payload.load(None)
    plan = checks.make(body.info, settings)
    trouble, interrupted, said = "", False, []
    with ExitStack() as stack:
        files = [
            (stack.enter_context(ReportFile(path)), render)
            for path, render in ((junit, junit_xml.render), (markdown, summary.render))
            if path
        ]
        capture = Capture(stack.enter_context(create(save, force)), plan) if save else None
        progress = stack.enter_context(Progress(plan, output.progress_console()))
        run_ = run.Run(plan, body.wire, where, capture, progress)
        try:
            interrupted = not run.finish(run_)
        except CannotMeasure as exc:  # is a result too: the files must not show an older one
            trouble = "; ".join(filter(None, (exc.message, exc.hint)))
        report = checks.judge(plan, run_.evidence(), settings, before, trouble)
        said += [file.write(render(report)) for file, render in files]
    if capture:
        failure = f"evidence could not be written to {save}: {capture.failure}"
        said.append(failure if capture.failure else f"evidence written to {save}")
    output.put(reporter.as_json(report) if json else None, lambda width: reporter.render(report, width))
    if github.is_there():
        said.append(github.tell(report, folder or Path(), pure=json))
    output.leave(report.exit_code, interrupted, "\n".join(filter(None, said)))


def _settings(given: dict[str, Any], limits: Any) -> Settings:
    """What holds, checked as far as it can be without a run. Raises UsageError."""
    import datetime

    from hermes_diag import settings as settings_
    from hermes_diag.cli import target
    from hermes_diag.errors import UsageError
    from hermes_diag.plan import STRATEGIES

    layers = [settings_.flags(given, limits), settings_.environment(os.environ)]
    if found := _nearest(Path.cwd()):
        layers.append(settings_.document(_read(found), os.path.relpath(found)))
    settings = settings_.resolve(layers, datetime.date.today())

    def checked(path: tuple[str | int, ...], check: Any, *arguments: Any) -> None:
        layer = settings.origins.get(str(path[0]))
        try:
            check(*arguments)
        except UsageError as exc:
            if layer is None or layer.name == "flag":
                raise
            layer.wrong(path, "; ".join(filter(None, (exc.message, exc.hint))))

    checked(("cwd",), _check_folder, settings.cwd)
    checked(("python",), _check_python, settings.python)
    if settings.factory not in STRATEGIES:
        checked(("factory",), target.check_spec, settings.factory, Path(settings.cwd) if settings.cwd else None)
    for number, spec in enumerate(settings.faults):
        checked(("faults", number), target.check_fault, spec)
    return settings


def _nearest(folder: Path) -> Path | None:
    return next(
        (one / "pyproject.toml" for one in (folder, *folder.parents) if (one / "pyproject.toml").exists()), None
    )


def _read(path: Path) -> bytes:
    from hermes_diag.errors import UsageError

    try:
        return path.read_bytes()
    except OSError as exc:
        raise UsageError(f"{os.path.relpath(path)}: cannot be read: {exc.strerror}") from None


def _check_folder(cwd: str | None) -> None:
    from hermes_diag.errors import UsageError

    if cwd is not None and not os.path.isdir(cwd):
        raise UsageError(f"there is no folder {cwd}", "name the folder that your package is in")


def _check_python(python: str | None) -> None:
    from hermes_diag.errors import UsageError

    if python is not None and shutil.which(python) is None:
        raise UsageError(f"there is no interpreter {python}", "name one that has the SDK, like .venv/bin/python")


def _baseline(path: Path | None) -> Any:
    if path is None:
        return None
    from hermes_diag import capture
    from hermes_diag.baseline import Baseline

    return Baseline(str(path), capture.read(path)[1])
