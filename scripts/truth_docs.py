"""What came of the corpus, as text and as a section of docs/truth.md: what we get wrong first."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import truth_matrix
from truth_labels import Case
from truth_matrix import ANY, Matrix, Result, Said

PAGE = Path(__file__).parents[1] / "docs" / "truth.md"
#: The section of the page that is written here; what stands around it is written by hand or by other scripts.
BEGIN, END = "<!-- clients: written by scripts/truth clients --docs -->", "<!-- end of clients -->"

Peers = Sequence[tuple[str, Mapping[str, Mapping[str, bool]]]]


def text(cases: Mapping[str, Case], result: Result) -> str:
    """One result for a terminal."""
    judged = [(cases[name], said) for name, all_said in result.runs.items() for said in all_said]
    lines = [result.stack, ""]
    for name, words in mistakes(cases, [result]):
        case = cases[name]
        lines.append(f"wrong: {name} ({_label(case)}): {words}")
        for said in {one.seen: one for one in result.runs[name]}.values():
            lines += [f"    {code}: {sentence}" for code, sentence in (*said.seen, *said.untold)]
    for name in truth_matrix.flips(result.runs):
        told = Counter(f"exit {one.exit_code} {' '.join(one.failed)}" for one in result.runs[name])
        lines.append(f"flips: {name}: {'; '.join(f'{words} x{count}' for words, count in told.items())}")
    lines += ["", *_table(truth_matrix.matrices(judged)), "", *_untold(judged), *_times([said for _, said in judged])]
    return "\n".join(lines)


def mistakes(cases: Mapping[str, Case], results: Iterable[Result]) -> list[tuple[str, str]]:
    """(case, what is wrong with its verdict and how often), wrong verdicts as a whole first."""
    counts: dict[str, Counter[str]] = {}
    runs: Counter[str] = Counter()
    harm: Counter[str] = Counter()
    for result in results:
        for name, all_said in result.runs.items():
            for said in all_said:
                runs[name] += 1
                if words := truth_matrix.wrong(cases[name], said):
                    counts.setdefault(name, Counter())[words] += 1
                    harm[name] += truth_matrix.harmful(cases[name], said)
    told = [
        (name, "; or ".join(f"{words} ({count} of {runs[name]} runs)" for words, count in all_words.most_common()))
        for name, all_words in counts.items()
    ]
    return sorted(told, key=lambda one: (-harm[one[0]], one[0]))


def _table(matrices: Mapping[str, Matrix]) -> Iterator[str]:
    yield "| finding | found | wrongly said | missed | could not tell | rightly quiet | precision | recall |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, one in matrices.items():
        share = map(_share, (one.precision, one.recall))
        numbers = [one.hit, one.false, one.missed, one.untold, one.quiet, *share]
        yield f"| {name.replace('|', ' or ')} | {' | '.join(map(str, numbers))} |"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _untold(judged: Sequence[tuple[Case, Said]]) -> Iterator[str]:
    told, all_, reasons = truth_matrix.could_not_tell(judged)
    yield f"Could not tell: {told} of {all_} verdicts ({100 * told / max(1, all_):.1f} %)."
    for reason, count in reasons.most_common():
        yield f"- {count} times {re.sub(r'/[^ ]*/(?=tests/truth/)', '', reason)}"  # no path of this machine
    yield ""


def _times(said: Sequence[Said]) -> Iterator[str]:
    seconds = [one.seconds for one in said]
    middle, high = (truth_matrix.quantile(seconds, share) for share in (0.5, 0.95))
    yield (
        f"A verdict took {middle:.1f} s of one process at a time in the middle, {high:.1f} s at most in 95 of 100, "
        f"{max(seconds, default=0):.1f} s at most."
    )


def _label(case: Case) -> str:
    return " ".join((case.kind, ", ".join(case.codes).replace("|", " or "))).strip()


# --- the page ----------------------------------------------------------------------------------------


def write(cases: Mapping[str, Case], results: Sequence[Result], peers: Peers) -> None:
    """Put the section into the page. Cases that are no longer in the corpus are left out."""
    results = merged(results)
    for one in results:
        one.runs = {name: told for name, told in one.runs.items() if name in cases}
    peers = [(stack, {name: said for name, said in found.items() if name in cases}) for stack, found in peers]
    page = PAGE.read_text() if PAGE.exists() else f"# How often the tool is right\n\n{BEGIN}\n{END}\n"
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{chr(10).join(section(cases, results, peers))}\n{END}{after}")


def merged(results: Iterable[Result]) -> list[Result]:
    """One result for each stack and load: runs of single files belong together."""
    found: dict[tuple[str, bool], Result] = {}
    for one in results:
        into = found.setdefault((one.stack, one.busy), Result(one.stack, one.busy))
        into.load = max(into.load, one.load)
        for name, told in one.runs.items():
            into.runs[name] = [*into.runs.get(name, []), *told]
    return list(found.values())


def section(cases: Mapping[str, Case], results: Sequence[Result], peers: Peers) -> Iterator[str]:
    """The section on clients: what is wrong, how often, then the numbers."""
    yield "## Clients: `check`\n"
    yield from _mistaken(cases, results)
    yield from _numbers(cases, results)
    yield "\n### The findings, over all these runs\n"
    judged = [(cases[n], said) for one in results for n, all_said in one.runs.items() for said in all_said]
    yield from _table(truth_matrix.matrices(judged))
    yield ""
    yield from _untold(judged)
    if peers:
        yield "\n### Who finds which\n"
        yield peer_table(cases, peers)
    yield ""
    yield from _composition(cases)


def _mistaken(cases: Mapping[str, Case], results: Sequence[Result]) -> Iterator[str]:
    yield "### What it gets wrong\n"
    wrong = mistakes(cases, results)
    if not wrong:
        yield "Nothing, of the cases and runs below."
    for name, words in wrong:
        yield f"- `{name}` ({_label(cases[name])}: {cases[name].sentence}) {words.replace('|', ' or ')}"
    changed = sorted({name for one in results for name in truth_matrix.flips(one.runs)})
    yield f"\nNot the same in every repetition: {', '.join(f'`{name}`' for name in changed) or 'none'}.\n"


def _numbers(cases: Mapping[str, Case], results: Sequence[Result]) -> Iterator[str]:
    yield "### How often it is right\n"
    yield "A problem found or not, whatever it is called. What could not be told counts as not found. The load is how"
    yield f"many processes wanted one of the {os.cpu_count()} cores on average, those of others included.\n"
    yield "| stack | runs | load | verdicts | precision | recall | untold | flips | seconds: middle, 95 %, most |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for one in results:
        judged = [(cases[name], said) for name, all_said in one.runs.items() for said in all_said]
        any_ = truth_matrix.matrices(judged)[ANY]
        told, all_, _ = truth_matrix.could_not_tell(judged)
        seconds = [said.seconds for _, said in judged]
        times = ", ".join(
            f"{value:.1f}" for value in (*(truth_matrix.quantile(seconds, s) for s in (0.5, 0.95)), max(seconds))
        )
        fewest, most = (pick(map(len, one.runs.values())) for pick in (min, max))
        runs = f"{fewest} to {most}" if fewest < most else str(most)
        yield (
            f"| {one.stack} | {runs}{', busy' if one.busy else ''} | {one.load:.0f} | {len(judged)} | "
            f"{_share(any_.precision)} | {_share(any_.recall)} | {100 * told / max(1, all_):.1f} % | "
            f"{len(truth_matrix.flips(one.runs))} | {times} |"
        )


def peer_table(cases: Mapping[str, Case], peers: Peers) -> str:
    """Of how many faulty cases each peer says something, and of how many healthy ones."""
    lines = ["| check | stack | faulty cases found | healthy cases accused |", "|---|---|---|---|"]
    for stack, found in peers:
        told = {name: answers for name, answers in found.items() if cases[name].kind in ("healthy", "choice", "faulty")}
        for peer in dict.fromkeys(peer for answers in told.values() for peer in answers):
            groups = [
                [
                    answers[peer]
                    for name, answers in told.items()
                    if (cases[name].kind == "faulty") == faulty and peer in answers
                ]
                for faulty in (True, False)
            ]
            lines.append(f"| {peer} | {stack} | " + " | ".join(f"{sum(one)} of {len(one)}" for one in groups) + " |")
    return "\n".join(lines)


def _composition(cases: Mapping[str, Case]) -> Iterator[str]:
    kinds = Counter(case.kind for case in cases.values())
    yield f"The corpus has {len(cases)} cases: {', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}."
    yield "Labels stand in the docstrings of `tests/truth/`; what was found to be ambiguous is called so."
