"""How often `hermes-diag check` is right about clients: runs the labelled cases of tests/truth/.

    scripts/truth clients                              all cases, once
    scripts/truth clients pools turns_sync:forgets     files, or cases whose name holds a word
    scripts/truth clients --repeat 3 --busy            three times, while every core is kept busy
    scripts/truth clients --python PATH                the SDK of another interpreter
    scripts/truth clients --save FILE                  keep what was said, one JSON line for each run
    scripts/truth clients --docs FILE ...              write docs/truth.md from such files; runs nothing
    scripts/truth clients --peers --save FILE          what simpler checks say of the same cases

Exit code 0: every verdict right; 1: not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import truth_docs
import truth_labels
import truth_matrix
import truth_peers
import truth_run
from flake import busy_cores
from truth_labels import Case
from truth_matrix import Result, Said


def main() -> int:
    options = _parser().parse_args()
    cases = {case.full_name: case for case in truth_labels.cases()}
    if options.docs:
        results = [result for path in options.docs for result in load(path)]
        truth_docs.write(cases, results, [peers for path in options.docs for peers in load_peers(path)])
        return 0
    meant = [case for case in cases.values() if _meant(case, options)]
    words, chosen = truth_run.fitting(meant, options.python)
    if not chosen:
        sys.exit("no case of that name")
    if options.peers:
        found = truth_peers.run(chosen, options.python)
        _save(options.save, {"peers": words, "found": found})
        print(truth_docs.peer_table(cases, [(words, found)]))
        return 0
    result = Result(words, options.busy, {case.full_name: [] for case in chosen})
    with busy_cores() if options.busy else nullcontext(), suppress(KeyboardInterrupt):
        for number in range(options.repeat):
            for file in dict.fromkeys(case.file for case in chosen):
                found = truth_run.run([case for case in chosen if case.file == file], options.python)
                for name, said in found.items():
                    result.runs[name].append(said)
                print(f"run {number + 1} of {options.repeat}: {file} on {words}", file=sys.stderr, flush=True)
    result.runs = {name: told for name, told in result.runs.items() if told}  # all of them, unless interrupted
    result.load = round(os.getloadavg()[2], 1)
    document = asdict(result)
    _save(options.save, document)
    judged = [(cases[name], said) for name, all_said in result.runs.items() for said in all_said]
    print(json.dumps(document) if options.json else truth_docs.text(cases, result))
    return int(any(truth_matrix.wrong(case, said) for case, said in judged) or bool(truth_matrix.flips(result.runs)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only cases whose FILE:NAME holds one of these")
    parser.add_argument("--repeat", type=int, default=1, metavar="N")
    parser.add_argument("--quick", action="store_true", help="leave out what is labelled [slow]")
    parser.add_argument("--busy", action="store_true", help="keep every core busy meanwhile")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="interpreter whose SDK is tried")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--save", type=Path, metavar="FILE", help="add a JSON line to this file")
    parser.add_argument("--peers", action="store_true", help="try simpler checks on the same cases")
    parser.add_argument("--docs", type=Path, nargs="+", metavar="FILE", help="write docs/truth.md from saved runs")
    return parser


def _meant(case: Case, options: argparse.Namespace) -> bool:
    named = not options.words or any(word in case.full_name for word in options.words)
    return named and not (options.quick and case.slow)


def _save(path: Path | None, document: dict[str, Any]) -> None:
    if path:
        with path.open("a") as file:
            file.write(json.dumps(document) + "\n")


def load(path: Path) -> list[Result]:
    """Runs of the corpus that were saved."""
    documents = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        Result(
            one["stack"],
            one["busy"],
            {name: [_said(said) for said in all_said] for name, all_said in one["runs"].items()},
            one.get("load", 0.0),
        )
        for one in documents
        if "runs" in one
    ]


def _said(one: dict[str, Any]) -> Said:
    pairs = {key: tuple((name, text) for name, text in one[key]) for key in ("untold", "seen")}
    return Said(one["exit_code"], tuple(one["failed"]), tuple(one["noted"]), seconds=one["seconds"], **pairs)


def load_peers(path: Path) -> list[tuple[str, dict[str, dict[str, bool]]]]:
    """Runs of the peers that were saved."""
    documents = [json.loads(line) for line in path.read_text().splitlines()]
    return [(one["peers"], one["found"]) for one in documents if "peers" in one]


if __name__ == "__main__":
    sys.exit(main())
