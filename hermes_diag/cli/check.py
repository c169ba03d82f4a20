"""`hermes-diag check`: a guard for CI, an audit and the decisive workloads in one run."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from hermes_diag.cli.target import Env

EXAMPLES = """\b
Examples:
  hermes-diag check
  hermes-diag check ./clients.py:make_client --junit check.xml --markdown check.md
  hermes-diag check ./clients.py:make_client --limit close_wait_left=0 --fault rst-mid-stream
  hermes-diag check ./clients.py:make_client --save main.jsonl
  hermes-diag check ./clients.py:make_client --baseline main.jsonl
  hermes-diag check ./clients.py:make_client --allow 'default-limits:2027-01-31:ten connections are plenty'
"""


def _annotated(command: Callable[..., None]) -> Callable[..., None]:
    """On GitHub what is refused is an annotation, too."""

    @functools.wraps(command)
    def annotated(*given: Any, **named: Any) -> None:
        from hermes_diag.cli import github

        with github.refusals():
            command(*given, **named)

    return annotated


@_annotated
def command(
    spec: Annotated[
        str | None,
        typer.Argument(
            metavar="SPEC",
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
        typer.Option(
            metavar="NAME", show_default=False, help="Only this of steady, interrupted, overlapping. Repeatable."
        ),
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
    from hermes_diag.cli import configuration, github, output, target
    from hermes_diag.cli.files import ReportFile, refuse_same_files
    from hermes_diag.core.errors import CannotMeasure
    from hermes_diag.judge import check
    from hermes_diag.reporters import check as reporter
    from hermes_diag.reporters import junit as junit_xml
    from hermes_diag.reporters import markdown as summary
    from hermes_diag.reporters.live import Progress
    from hermes_diag.run import lanes, payload, runner
    from hermes_diag.run.capture import Capture, create

    given = {
        "factory": spec, "python": python, "cwd": str(cwd) if cwd else None,
        "workloads": workload, "faults": fault, "allow": allow,
    }  # fmt: skip
    settings = configuration.load(given, limit or ())
    refuse_same_files({"--save": save, "--junit": junit, "--markdown": markdown, "--baseline": baseline})
    folder = Path(settings.cwd) if settings.cwd else None
    where = target.make(settings.python or sys.executable, folder, env)
    before = _baseline(baseline)
    body = payload.load(None)
    plan = check.make(body.info, settings)
    reports = ((junit, junit_xml.render), (markdown, summary.render))
    files = [(ReportFile(path), render) for path, render in reports if path]
    trouble, interrupted = "", False
    with ExitStack() as stack:
        capture = Capture(stack.enter_context(create(save, force)), plan) if save else None
        progress = stack.enter_context(Progress(plan, output.progress_console()))
        run_ = runner.Runner(plan, [body.wire], lanes.interpreters(where), capture, progress)
        try:
            # A module's factory may turn out to be missing only when its interpreter has looked.
            with configuration.blamed_on(settings, "factory"):
                interrupted = not runner.finish(run_)
        except CannotMeasure as exc:  # is a result too: the files must not show an older one
            trouble = "; ".join(filter(None, (exc.message, exc.hint)))
    report = check.judge(plan, run_.evidence(), settings, before, trouble, interrupted)
    said = [file.write(render(report)) for file, render in files]
    if capture:
        failure = f"evidence could not be written to {save}: {capture.failure}"
        said.append(failure if capture.failure else f"evidence written to {save}")
    output.put(reporter.as_json(report) if json else None, lambda width: reporter.render(report, width))
    if github.is_there():
        said.append(github.tell(report, folder or Path(), pure=json))
    output.leave(report.exit_code, interrupted, "\n".join(filter(None, said)))


def _baseline(path: Path | None) -> Any:
    if path is None:
        return None
    from hermes_diag.judge.baseline import Baseline
    from hermes_diag.run import capture

    return Baseline(str(path), capture.read(path)[1])
