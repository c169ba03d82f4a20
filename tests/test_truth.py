"""The labelled corpus of clients: a twentieth of it is run at every change, and its labels and arithmetic are tried."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import truth_labels
import truth_matrix
import truth_run
from truth_labels import Case, WrongLabel
from truth_matrix import ANY, Said

CASES = truth_labels.cases()


def label(text: str) -> Case:
    """The case of a function with that docstring."""
    (case,) = truth_labels.read("file", f'def make(kwargs):\n    """{text}"""\n')
    return case


def twentieth() -> list[Case]:
    """Always the same: chosen by a hash of the name."""
    chosen = [case for case in CASES if not case.slow and case.kind != "ambiguous"]
    chosen.sort(key=lambda case: hashlib.sha256(case.full_name.encode()).hexdigest())
    return chosen[: len(CASES) // 20]


@pytest.mark.timeout(600)  # on a machine that others use it takes a few minutes
def test_a_twentieth_is_told_right() -> None:
    """One run of all of them: no innocent client is accused, and each fault is found by its name."""
    _, chosen = truth_run.fitting(twentieth(), sys.executable)
    said = truth_run.run(chosen, sys.executable)
    held = [case for case in chosen if not case.wrong]
    wrong = {case.full_name: words for case in held if (words := truth_matrix.wrong(case, said[case.full_name]))}
    assert wrong == {}


def test_the_corpus_is_large_and_half_of_it_is_healthy() -> None:
    """A detector is only as good as what it was kept quiet on."""
    kinds = [case.kind for case in CASES]
    assert len(CASES) >= 150
    assert kinds.count("healthy") >= len(CASES) / 2
    assert len({case.full_name for case in CASES}) == len(CASES)


def test_every_finding_of_a_label_exists() -> None:
    """A slip in a label would be a finding that is always missed."""
    from hermes_diag.judge import expectations, settings

    known = {*settings.codes(), "first-turn"}
    for case in CASES:
        assert {code for one in case.codes for code in one.split("|")} <= known, case
        assert set(case.also) <= known, case
        expectations.parse(case.expect)


def test_a_label_is_read() -> None:
    """Kind, findings, sentence and conditions; a helper without a label is none."""
    case = label(
        "faulty a-b, c|d: it leaks. [openai 3] [needs aiohttp] [fault http-500] [expect timeout=20s] [also e f]"
    )
    assert (case.kind, case.codes, case.sentence) == ("faulty", ("a-b", "c|d"), "it leaks.")
    assert (case.openai, case.needs, case.faults, case.expect) == ("3", ("aiohttp",), ("http-500",), ("timeout=20s",))
    assert (case.also, case.slow) == (("e", "f"), False)
    assert list(truth_labels.read("file", 'def helper():\n    """Helps."""\n\n\nnumber = 5\n')) == []


def test_the_text_behind_a_name_is_its_label() -> None:
    """A client that a module makes has no docstring."""
    (case,) = truth_labels.read("file", 'client = OpenAI()\n"""healthy: one for all. [slow]"""\n')
    assert (case.name, case.kind, case.slow) == ("client", "healthy", True)


@pytest.mark.parametrize(
    "text",
    [
        "healthy a-b: a finding too many.",
        "faulty: no finding.",
        "choice a, b: two.",
        "healthy: a [strange] word.",
        "healthy:",
    ],
)
def test_a_label_that_cannot_be_read_is_refused(text: str) -> None:
    """Else a case would silently count as something else."""
    with pytest.raises(WrongLabel):
        label(text)


def test_the_matrix_counts_each_finding_by_itself() -> None:
    """Found, wrongly said, missed, not told; and what may be said besides counts for nothing."""
    faulty, healthy = label("faulty a|b: leaks. [also c]"), label("healthy: fine.")
    judged = [
        (faulty, Said(1, failed=("b", "c"))),
        (faulty, Said(0)),
        (faulty, Said(3, untold=(("a", "no socket"),))),
        (healthy, Said(1, failed=("c",))),
        (healthy, Said(0)),
        (label("ambiguous: who knows."), Said(1, failed=("c",))),
    ]
    found = truth_matrix.matrices(judged)
    assert (found[ANY].hit, found[ANY].false, found[ANY].missed, found[ANY].untold, found[ANY].quiet) == (1, 1, 1, 1, 1)
    assert (found[ANY].precision, found[ANY].recall) == (0.5, pytest.approx(1 / 3))
    assert (found["a|b"].hit, found["a|b"].missed, found["a|b"].untold) == (1, 1, 1)
    assert (found["c"].hit, found["c"].false, found["c"].precision, found["c"].recall) == (0, 1, 0.0, None)
    assert truth_matrix.could_not_tell(judged)[:2] == (1, 5)


@pytest.mark.parametrize(
    ("text", "said", "words"),
    [
        ("faulty a, b: x.", Said(1, failed=("a", "b")), ""),
        ("faulty a, b: x.", Said(1, failed=("a", "c")), "accused of c; b not found"),
        ("choice a: x.", Said(0, noted=("a",)), ""),
        ("choice a: x.", Said(0), "a not noted"),
        ("healthy: x.", Said(3, untold=(("a", "why"),)), "could not tell a"),
        ("untellable: x.", Said(3), ""),
        ("untellable: x.", Said(1, failed=("a",)), "exit code 1, and nothing can be measured"),
        ("ambiguous: x.", Said(1, failed=("a",)), ""),
    ],
)
def test_what_is_wrong_with_a_verdict(text: str, said: Said, words: str) -> None:
    """Said in words that name the findings."""
    assert truth_matrix.wrong(label(text), said) == words


def test_a_flip_is_another_verdict_and_not_another_time() -> None:
    """Times and sentences may differ between repetitions."""
    runs = {"a": [Said(0, seconds=1.0), Said(0, seconds=2.0)], "b": [Said(0), Said(1, failed=("x",))]}
    assert truth_matrix.flips(runs) == ["b"]


def test_the_page_says_what_is_wrong_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The section is replaced, and what stands around it is left alone."""
    import truth_docs
    from truth_matrix import Result

    page = tmp_path / "truth.md"
    page.write_text(f"# Title\n\n{truth_docs.BEGIN}\nof last year\n{truth_docs.END}\n\nby hand\n")
    monkeypatch.setattr(truth_docs, "PAGE", page)
    case = label("healthy: fine.")
    said = Said(1, failed=("a",), seconds=2.0)
    truth_docs.write({case.full_name: case}, [Result("openai 2", False, {case.full_name: [said]})], [])
    text = page.read_text()
    assert "of last year" not in text
    assert text.endswith("by hand\n")
    assert text.index("file:make` (healthy: fine.) accused of a (1 of 1 runs)") < text.index("| stack |")
