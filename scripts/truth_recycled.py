"""`scripts/truth recycled`: the workload `recycled` on closers of which it is known whether they are right.

Each of tests/closers.py runs through `replay --workload recycled` again and again: in every run of a wrong one damage
is found and named, a right one is clean in all of them. Exit 1 when one run says something else.
With --hermes PYTHON (repeatable) nothing of that is run, but that Hermes, and printed is what each run found.

    ./scripts/truth recycled --runs 100
    ./scripts/truth recycled --runs 3 --busy 2 --hermes ~/hermes-0.13.0/bin/python --hermes ~/hermes-0.19.0/bin/python
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hermes_diag.core import matrix
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.matrix import Sizes
from hermes_diag.core.plan import FRESH, Cell, Conditions, Plan
from hermes_diag.hermes import cells as hermes_cells
from hermes_diag.judge import verdicts
from hermes_diag.run import lanes, payload, runner
from hermes_diag.run.interpreter import Target

CLOSERS = Path(__file__).parent.parent / "tests" / "closers.py"
#: Name -> (how the workload gives the stream up, what is true of it). A shutdown wakes the reader, and whether the
#: number comes again before it has seen the end is a race: the early close is named each time, damage if done.
CASES = {
    "stock": ("close", "wrong"),
    "closes_the_number": ("close", "wrong"),
    "detaches": ("close", "wrong"),
    "turn_that_closes": ("", "wrong"),
    "cuts_and_closes": ("close", "racy"),
    "wakes_the_reader": ("close", "right"),
    "stock, shut down": ("shutdown", "right"),
    "turn_that_wakes": ("", "right"),
}
HARM, EARLY = "descriptor-recycled", "descriptor-freed-early"
TURNS = 4  # one for each kind of bystander


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--runs", type=int, default=100, metavar="N", help="of each (default 100)")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="busy loops beside")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="whose SDK (default: this one)")
    parser.add_argument("--hermes", action="append", metavar="PYTHON", help="drive the Hermes of that interpreter")
    options = parser.parse_args()
    if unknown := set(options.cases) - CASES.keys():
        parser.error(f"no case {', '.join(sorted(unknown))}")
    with busy(options.busy):
        if options.hermes:
            for python in options.hermes:
                print(of_hermes(python, options.runs), flush=True)
            return 0
        return max([tried(name, options.runs, options.python) for name in options.cases or CASES])


@contextlib.contextmanager
def busy(number: int) -> Iterator[None]:
    """So many processes that do nothing but run."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def tried(name: str, runs: int, python: str) -> int:
    """Run one case and print how often it was found; the exit code."""
    abort, truth = CASES[name]
    spec = f"{CLOSERS}:{name.partition(',')[0]}"
    info = payload.load(None).info
    cells = []
    for seed in range(runs):
        sizes = Sizes(turns=TURNS, seed=seed, conditions=Conditions(abort=abort))
        plan = matrix.for_factory(info, spec, workloads=("recycled",), sizes=sizes)
        cells += [cell for cell in plan.cells if cell.workload != FRESH]
    reports = [verdicts.cell(one) for one in evidence_of(cells, python)]
    codes = Counter(finding.code for report in reports for finding in report.findings)
    damaged = sum(int(one.numbers["damaged"]) for report in reports for one in report.findings if one.code == HARM)
    words = Counter(report.word for report in reports)
    as_known = {
        "right": words == {"ok": runs} and not codes[EARLY],
        "wrong": words == {"corrupts": runs} and codes[EARLY] == runs,
        "racy": words["corrupts"] > 0 and codes[EARLY] == runs,
    }[truth]
    said = f"{damaged} of {runs * TURNS} damaged, {EARLY} in {codes[EARLY]} of {runs} runs; {dict(words)}"
    print(f"{truth}  {name}: {said}", "" if as_known else "  <- not as known", flush=True)
    return 0 if as_known else 1


def of_hermes(python: str, runs: int) -> str:
    """What the runs of a release have found, in one line."""
    (cell,) = hermes_cells.make(("recycled",), Sizes(turns=TURNS), (), mutate=False)
    found = evidence_of([replace(cell, seed=seed) for seed in range(runs)], python)
    release = next((one.stack.hermes for one in found if one.stack), "?")
    seen: Counter[str] = Counter()
    for one in found:
        fact: dict[str, Any] = one.facts.get("recycled", {"harm": ()})
        seen.update({name: count for name, count in fact.items() if isinstance(count, int)}, damaged=len(fact["harm"]))
    words = dict(Counter(verdicts.cell(one).word for one in found))
    names = ("turns", "numbers", "again", "closed_early", "early", "damaged")
    return f"{release}: {', '.join(f'{name} {seen[name]}' for name in names)}; {words}"


def evidence_of(cells: Sequence[Cell], python: str) -> list[Evidence]:
    """The evidence of each. Raises CannotMeasure."""
    body = payload.load(None)
    under_way = runner.Runner(Plan(tuple(cells), body.info), [body.wire], lanes.interpreters(Target(python)))
    if not runner.finish(under_way):
        raise KeyboardInterrupt
    return under_way.evidence()


if __name__ == "__main__":
    sys.exit(main())
