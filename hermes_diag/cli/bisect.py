"""`hermes-diag bisect`: which release or commit is the first that shows a finding, or the first without it?"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hermes_diag.cli.options import complete, load, target, trials
from hermes_diag.cli.options.output import Output, reporting
from hermes_diag.cli.options.target import BasePython
from hermes_diag.cli.options.trials import Spec, Workloads
from hermes_diag.cli.terminal import say
from hermes_diag.core import units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hermes_diag.core.errors import HermesDiagError
    from hermes_diag.core.trials import Tried
    from hermes_diag.run.bisection import Bisection
    from hermes_diag.run.environments.candidates import Candidates
    from hermes_diag.run.environments.wanted import Ready
    from hermes_diag.run.trials import Tasks

EXAMPLES = """
  hermes-diag bisect --good 0.19.0 --bad 0.15.0 --finding posts-unwanted
  hermes-diag bisect --good openai==2.24.0 --bad openai==3.3.0 --spec ./clients.py:make_client
  hermes-diag bisect --repo ~/src/hermes-agent --good v0.18.2 --bad main --workload interrupted
  hermes-diag bisect old/bin/python middle/bin/python new/bin/python --state found.json
"""

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET...",
        show_default=False,
        help="Instead of all releases between the ends: these targets, as in matrix, oldest first. The first is the "
        "good end and the last the bad one, unless --good and --bad name others.",
    ),
]
Good = Annotated[
    str | None,
    typer.Option(
        "--good", metavar="END", show_default=False, help="Does not show it: a release, with --repo a revision."
    ),
]
Bad = Annotated[
    str | None, typer.Option("--bad", metavar="END", show_default=False, help="Shows it. It may be older than --good.")
]
Repo = Annotated[
    Path | None,
    typer.Option(metavar="PATH", show_default=False, help="A checkout of Hermes Agent, whose commits are tried."),
]
Finding = Annotated[
    list[str] | None,
    typer.Option(
        "--finding",
        metavar="CODE",
        show_default="any problem of the bad end alone",
        autocompletion=complete.findings,
        help="What is looked for, such as posts-unwanted. Repeatable: any of them.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        show_default="in the cache",
        help="Where what is known is kept, so that another run goes on from there.",
    ),
]
#: Turns of a run unless asked: the fewest that show whether something grows.
_TURNS = 4
Turns = Annotated[int, load.turns_option(str(_TURNS))]


@reporting(without=("save", "force", "verbose"))
def command(
    targets: Targets = None,
    good: Good = None,
    bad: Bad = None,
    repo: Repo = None,
    finding: Finding = None,
    workload: Workloads = None,
    spec: Spec = None,
    turns: Turns = _TURNS,
    base_python: BasePython = None,
    state: State = None,
    *,
    output: Output,
) -> int:
    """Find the first release or commit that shows a finding, or the first without it.

    Both ends are tried first, each until it is sure. Exit code 0 when it was found, 2 when the ends are not as you
    said, 3 when it could not be told.
    """
    from hermes_diag.cli import telling
    from hermes_diag.judge import bisection as judged

    files = telling.report_files(output, **{"--state": state})
    asked = _findings(finding)
    what = trials.tasks(workload, spec, turns)
    interrupted, subject = False, f"good {good or (targets or ['?'])[0]}, bad {bad or (targets or ['?'])[-1]}"
    found = _candidates(targets, good, bad, repo, base_python)
    trials.refuse_idle(found.wanted, spec, base_python)
    run = _bisection(found, what, asked, base_python, state)
    try:
        run.run(asked)
    except KeyboardInterrupt:
        interrupted = True
    report = judged.report(run.steps(), run.good, run.bad, run.finding, run.at_bad, subject, interrupted)
    return telling.tell(report, output, files)


def _findings(given: Sequence[str] | None) -> set[str]:
    from hermes_diag.judge import rules

    known = [rule.CODE for rule in rules.modules() if rule.SEVERITY == "problem"]
    return set(load.chosen("--finding", given, known))


def _candidates(
    targets: Sequence[str] | None, good: str | None, bad: str | None, repo: Path | None, base_python: str | None
) -> Candidates:
    """What lies between the ends. Raises UsageError, CannotMeasure, KeyboardInterrupt."""
    from hermes_diag.core.errors import UsageError
    from hermes_diag.run.environments import base, candidates
    from hermes_diag.run.environments.installer import Installer

    if targets and repo:
        raise UsageError("targets and --repo: which of them?", "leave one of them out")
    if targets:
        if len(targets) < 2:
            raise UsageError("a bisection needs two targets at least", "name the good end first, the bad end last")
        return candidates.of_targets(list(dict.fromkeys(targets)), good, bad)
    if not good or not bad:
        raise UsageError("a bisection needs --good and --bad", "for example --good 0.19.0 --bad 0.15.0")
    if repo:
        return candidates.of_commits(repo, good, bad)
    return candidates.of_releases(good, bad, base.of(base_python or sys.executable), Installer(say))


def _bisection(
    found: Candidates, what: Tasks, asked: set[str], base_python: str | None, state: Path | None
) -> Bisection:
    """The bisection with what is known already."""
    from hermes_diag import __version__
    from hermes_diag.run import bisection
    from hermes_diag.run.environments import cache

    question = repr((__version__, what, sorted(asked), base_python or sys.executable, found.keys))
    key = hashlib.sha256(question.encode()).hexdigest()[:16]
    path = state
    if path is None and found.lasting and ":" not in what.spec:  # a file of the user's may be another one tomorrow
        path = cache.folder() / "bisect" / f"{key}.json"
    known = bisection.load(path, key) if path else bisection.Known(key)
    if known.runs and path:
        say(f"known from {path}: {units.count(sum(map(len, known.runs.values())), 'run')}")
    names = [one.name for one in found.wanted]
    once = Once(found, what, base_python)
    return bisection.Bisection(names, found.keys, found.good, found.bad, once, known, path)


class Once:
    """Runs a candidate once; its environment is made before its first run."""

    def __init__(self, found: Candidates, what: Tasks, base_python: str | None) -> None:
        self._found = found
        self._what = what
        self._base_python = base_python
        self._made: dict[int, Ready | HermesDiagError] = {}

    def __call__(self, at: int, run: int) -> Tried:
        """Raises KeyboardInterrupt."""
        from hermes_diag.core.errors import HermesDiagError
        from hermes_diag.core.trials import Tried
        from hermes_diag.run.trials import measure

        wanted = self._found.wanted[at]
        if at not in self._made:
            self._made[at] = target.make_one(wanted, self._base_python)
        ready = self._made[at]
        if isinstance(ready, HermesDiagError):
            return Tried(wanted.name, missing=ready.whole)
        say(f"{wanted.name}: run {run} ...")
        measured = measure(ready, self._what, load.body(None), trials.view)
        if measured.interrupted:
            raise KeyboardInterrupt
        return measured.tried
