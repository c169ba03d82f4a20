"""The pictures at the end of a report, and whole reports for people, as they were recorded, in tests/golden/pictures/.

golden_text.py writes them anew. `matrix.jsonl` is `repro --sessions 2 --turns 8`
without its ticks, `watch.jsonl` a watch of `tests/target.py leak 0.25` with `--interval 100ms --set count=60`.
"""

from __future__ import annotations

import re
from dataclasses import replace

import golden_text
import pytest
from conftest import GOLDEN, Cli
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from hermes_diag.core.capture import Reader
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.report import RunReport
from hermes_diag.judge import verdicts
from hermes_diag.reporters import picture
from hermes_diag.reporters.formats import terminal
from hermes_diag.reporters.picture import BLOCKS, DIGITS, Curve
from hermes_diag.run import capture
from hermes_diag.watch import capture as watch_capture
from hermes_diag.watch import reports

FOLDER = GOLDEN / "pictures"
WIDTHS = (60, 80, 120)
POINTS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 5000)), min_size=2, max_size=40).map(
    lambda found: sorted(found, key=lambda one: one[0])
)


def run_report(name: str = "pictures/matrix") -> RunReport:
    return verdicts.report(*capture.read(GOLDEN / f"{name}.jsonl"))


def matrix(width: int, colour: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    """A whole report of a run, as a terminal gets it."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR" if colour else "NO_COLOR", "1")
    return terminal.render(run_report(), width, False, colour)


def watch(width: int, colour: bool, blocks: bool = True) -> str:
    """A whole report of a watch."""
    timeline, ended = watch_capture.watch(Reader(FOLDER / "watch.jsonl"))
    report = reports.of_watch(timeline, timeline.summary(ended))
    return terminal.render(report, width, False, colour, blocks)


@pytest.mark.parametrize("colour", [False, True], ids=["plain", "colour"])
@pytest.mark.parametrize("kind", ["matrix", "watch"])
def test_reports_are_as_recorded(kind: str, colour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 60, 80 and 120 columns; without colour there is no escape sequence, and with it no other word."""
    texts = {
        width: matrix(width, colour, monkeypatch) if kind == "matrix" else watch(width, colour) for width in WIDTHS
    }
    for width, text in texts.items():
        bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert (bare == text) is not colour
        assert max(map(cell_len, bare.splitlines())) <= width
        assert "first, course, last" in bare
    shown = "".join(f"--- {width} columns\n{text}" for width, text in texts.items()).replace("\x1b", "␛")
    golden_text.same(FOLDER / f"{kind}.{'colour' if colour else 'plain'}.txt", shown)


def bars(text: str) -> dict[str, str]:
    """The bars of each line of a picture by its name."""
    found = re.findall(rf"^  (\S.*?)  +[\d,]+ ([{BLOCKS}]+) +[\d,]+$", text, re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("width", WIDTHS)
def test_growth_is_seen(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What leaks rises all the way, what is kept once rises and stays, and what is closed is flat."""
    lines = bars(matrix(width, False, monkeypatch))
    leak = lines["fixed/abandon/steady"]
    assert list(leak) == sorted(leak, key=BLOCKS.index)
    assert len(set(leak)) == len(BLOCKS)
    kept = lines["buggy/abandon/steady"]
    assert len(set(kept[len(kept) // 2 :])) == 1
    assert set(lines["buggy/close/steady and 5 more"]) == {BLOCKS[0]}
    watched = bars(watch(width, colour=False))
    assert set(watched) == {"CLOSE_WAIT", "fds"}
    assert all(list(one) == sorted(one, key=BLOCKS.index) and one[-1] == BLOCKS[-1] for one in watched.values())


def test_the_worst_come_first_and_there_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 cells a few lines are shown: those that grow first, how many are left out is said."""
    report = run_report()
    evidence = tuple(
        replace(one, cell=replace(one.cell, payload=f"{number}.json"))
        for number in range(20)
        for one in report.evidence
    )
    text = terminal.render(replace(report, evidence=evidence), 80, verbose=False)
    part = text[text.index("CLOSE_WAIT over turns") : text.index("\nVerdict")]
    assert len(part.splitlines()) <= 9
    left = re.search(r"and (\d+) cells with less", part)
    assert left
    assert int(left[1]) == 6 * 20 - 5


def test_what_never_was_is_not_drawn() -> None:
    """No picture of cells without one CLOSE_WAIT; beside one that has some they are a line."""
    report = run_report()
    never = tuple(one for one in report.evidence if not any(sample.states.get("CLOSE_WAIT") for sample in one.samples))
    assert never
    assert "over turns" in terminal.render(report, 80, verbose=False)
    assert "over turns" not in terminal.render(replace(report, evidence=never), 80, verbose=False)


def peaked(evidence: Evidence) -> Evidence:
    """The same with one high count in the middle."""
    idle = [sample for sample in evidence.samples if sample.label == "idle"]
    high = replace(idle[len(idle) // 2], states={"CLOSE_WAIT": 900})
    return replace(evidence, samples=tuple(high if one is idle[len(idle) // 2] else one for one in evidence.samples))


def test_a_peak_survives() -> None:
    """A count that was high once is the highest bar, however few columns there are."""
    one = peaked(next(one for one in run_report().evidence if one.cell.name == "fixed/close/steady"))
    text = terminal.render(replace(run_report(), evidence=(one,)), 40, verbose=False)
    (shown,) = bars(text).values()
    assert shown.count(BLOCKS[-1]) >= 1
    assert shown[0] == shown[-1] == BLOCKS[0]


@given(POINTS, st.integers(1, 120), st.integers(0, 100), st.booleans())
def test_any_numbers_fit(points: list[tuple[int, int]], width: int, name: int, blocks: bool) -> None:
    """Every line keeps within 20 columns or more, begins and ends with its numbers, and has its highest value."""
    curves = [Curve("x" * name, points), Curve("short", [(0, 0), (1, 0)])]
    columns = width + 20
    for one in picture.draw(curves, columns, blocks):
        lines = [f"  {one.name}", f"  {one.before} {one.bars} {one.after}"]
        stacked = picture.is_stacked(columns, one)
        for line in lines if stacked else [f"  {one.name}  {one.before} {one.bars} {one.after}"]:
            assert len(line) <= columns
        signs = BLOCKS if blocks else DIGITS
        assert set(one.bars) <= set(signs)
        values = [value for _, value in one.curve.points]
        assert (one.before.strip(), one.after.strip()) == (f"{values[0]:,}", f"{values[-1]:,}")
        assert (signs[-1] in one.bars) is (max(values) > picture.SMALL * (1 - 0.5 / (len(signs) - 1)))
        assert (one.bars == signs[0] * len(one.bars)) is (max(values) == 0)


@pytest.mark.parametrize("command", ["matrix", "watch"])
def test_without_blocks_there_are_digits(cli: Cli, command: str) -> None:
    """A terminal whose encoding has no block characters gets digits, and no question marks."""
    out = cli("report", FOLDER / f"{command}.jsonl", PYTHONIOENCODING="ascii", COLUMNS="80").stdout
    assert re.search(r"^  \S.*  +\d+ 0*1+2+3+[0-9]*9 +\d+$", out, re.MULTILINE), out
    assert "?" not in out.partition("\n")[2]


def test_there_is_no_picture_in_json(cli: Cli) -> None:
    for name in ("matrix", "watch"):
        out = cli("report", FOLDER / f"{name}.jsonl", "--json").stdout
        assert "course, last" not in out
        assert not set(BLOCKS) & set(out)
