"""The HTML page: what it says, that nothing in it is markup but our own, and that it stays small."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from conftest import GOLDEN, Cli
from pictures import EVIL, PAYLOAD, check, compared, evidence, large, poisoned, report, turn

from hermes_diag.cli.report import read
from hermes_diag.core.evidence import Connection, Moved, Sample, Served
from hermes_diag.core.plan import Plan
from hermes_diag.core.report import Finding, Report, Row, Scenario, ScenariosReport
from hermes_diag.core.sockets import SocketRow
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.judge import verdicts
from hermes_diag.reporters import formats
from hermes_diag.reporters.formats import terminal
from hermes_diag.reporters.page import lives, svg, timeline
from hermes_diag.run import capture
from hermes_diag.watch import reports as watched
from hermes_diag.watch.opened import Kept, Opened, Remains
from hermes_diag.watch.records import Held, Look, Process

HTML = formats.load("html")


def page(given: Report) -> Any:
    """The page as a tree."""
    return lxml.html.document_fromstring(HTML.render(given, 80, False))


def text(tree: Any) -> str:
    return " ".join(tree.text_content().split())


# --- lifelines ---------------------------------------------------------------------------------------


def life(opened: float | None, closed: float | None, first: str, *moves: tuple[float, str]) -> tuple[Any, ...]:
    """Stretches of the only connection, and whether it ends. The last look is at 10 s."""
    connections = () if opened is None else (Connection(1, 1, 1, 1, first, "fin", 7, opened, closed),)
    moved = tuple(Moved(at, {state: (7,)}) for at, state in moves)
    (one,) = lives.of(evidence(connections=connections, moved=moved, samples=(look(10.0),)))
    return tuple((part.begin, part.end, part.state) for part in one.stretches), one.ends


def look(at: float, label: str = "idle", **states: int) -> Sample:
    return Sample(at, 0.0, label, 1, states, states, 0, 0, 5, 1, 1)


UP, WAITS = "ESTABLISHED", "CLOSE_WAIT"


@pytest.mark.parametrize(
    ("seen", "stretches", "ends"),
    [
        pytest.param((1.0, 2.0, "client"), [(1.0, 2.0, UP)], True, id="between two looks"),
        pytest.param((1.0, 2.0, "client", (3.0, "TIME_WAIT")), [(1.0, 2.0, UP)], True, id="the provider knows when"),
        pytest.param((1.0, 20.0, "client", (3.0, UP)), [(1.0, 10.0, UP)], False, id="ends with its process"),
        pytest.param((1.0, None, "", (3.0, UP)), [(1.0, 10.0, UP)], False, id="never closed"),
        pytest.param(
            (1.0, 2.0, "provider", (3.0, WAITS)), [(1.0, 2.0, UP), (2.0, 10.0, WAITS)], False, id="left in CLOSE_WAIT"
        ),
        pytest.param(
            (1.0, 2.0, "provider", (3.0, WAITS), (4.0, "")),
            [(1.0, 2.0, UP), (2.0, 4.0, WAITS)],
            True,
            id="left in CLOSE_WAIT for a while",
        ),
        pytest.param((1.0, 2.0, "provider", (3.0, "")), [(1.0, 2.0, UP)], True, id="closed on both sides at once"),
        pytest.param((1.0, 5.0, "client", (0.9, UP)), [(0.9, 10.0, UP)], False, id="seen before it was accepted"),
        pytest.param((None, None, "", (2.0, UP), (4.0, "")), [(2.0, 4.0, UP)], True, id="the provider did not see it"),
    ],
)
def test_a_life(seen: tuple[Any, ...], stretches: list[tuple[float, float, str]], ends: bool) -> None:
    assert life(*seen) == (tuple(stretches), ends)


def test_a_port_that_comes_again() -> None:
    """Two connections, one port: each has the states that were seen while it lived."""
    two = (
        Connection(1, 1, 1, 1, "client", "fin", 7, 1.0, 2.0),
        Connection(2, 1, 1, 1, "provider", "fin", 7, 5.0, 6.0),
    )
    moved = (Moved(2.5, {"TIME_WAIT": (7,)}), Moved(7.0, {WAITS: (7,)}))
    served = (Served("1/1/1", 1, 200, 1, True), Served("1/2/1", 2, 200, 1, True))
    first, second = lives.of(evidence(connections=two, moved=moved, served=served, samples=(look(10.0),)))
    assert (first.ends, first.end, first.turns) == (True, 2.0, ("1/1/1",))
    assert (second.ends, second.state, second.turns) == (False, WAITS, ("1/2/1",))


def test_a_turn_that_names_no_request() -> None:
    """A connection belongs to the turn in which it was opened, where only one was under way."""
    served = (Served("", 1, 200, 1, True), Served("", 2, 200, 1, True), Served("", 3, 200, 1, True))
    opened = [Connection(number, 1, 1, 1, "client", "fin", number, at, at + 0.1) for number, at in
              ((1, 1.2), (2, 2.2), (3, 9.0))]  # fmt: skip
    turns = tuple(replace(turn(number, number + 0.5), ms=400.0) for number in (1, 2))
    beside = replace(turn(1, 2.4, session=2), ms=300.0)  # of another session, and at the same time as the second
    seen = {"connections": tuple(opened), "served": served, "samples": (look(10.0),)}
    assert [one.turns for one in lives.of(evidence(turns=turns, **seen))] == [("1/1/1",), ("1/2/1",), ()]
    assert [one.turns for one in lives.of(evidence(turns=(*turns, beside), **seen))] == [("1/1/1",), (), ()]


def test_those_that_never_end_are_drawn_first() -> None:
    short = [Connection(number, 1, 1, 1, "client", "fin", number, 0.1, 0.2) for number in range(1, 100)]
    moved = (Moved(3.0, {UP: (200, 201)}),)
    kept = [Connection(number, 1, 1, 1, "", "", number, 3.0, None) for number in (200, 201)]
    known = lives.of(evidence(connections=(*short, *kept), moved=moved, samples=(look(10.0),)))
    drawn = lives.chosen(known, 10)
    assert len(drawn) == 10
    assert {one.port for one in drawn} >= {200, 201}


# --- the timeline ------------------------------------------------------------------------------------


def test_peaks_survive() -> None:
    """One look among 100,000 that saw 500 sockets is on the chart, and so is its number."""
    looks = [timeline.Look(float(at), {"established": 500 if at == 77_777 else 3}) for at in range(100_000)]
    shown, together = timeline.gathered(looks)
    assert len(shown) <= timeline.STRETCHES < together < len(looks)
    assert [look.counts["established"] for look in shown].count(500) == 1
    (peak,) = [look for look in shown if look.counts["established"] == 500]
    assert peak.at <= 77_777 < peak.at + together


@pytest.mark.parametrize(
    ("begin", "end"), [(0.0, 0.003), (0.2, 1.9), (0.0, 47.0), (0.0, 3600.0), (100.0, 9e5), (3.0, 3.0)]
)
def test_an_axis_has_few_labels(begin: float, end: float) -> None:
    labels = [label for _, label in svg.Time(begin, end).ticks()]
    assert len(labels) == len(set(labels)) <= 6
    assert len(labels) >= 2 or begin == end


# --- the page ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.jsonl")), ids=lambda path: path.stem)
def test_every_capture_has_a_page(path: Path) -> None:
    """Of earlier releases, too: one h1 with the verdict, names that are unique, and links that lead somewhere."""
    judged = verdicts.report(*capture.read(path))
    tree = page(judged)
    assert len(tree.xpath("//h1")) == 1
    assert judged.verdict in tree.text_content()
    names = tree.xpath("//@id")
    assert len(names) == len(set(names))
    for link in tree.xpath("//a/@href"):
        assert link.startswith("#")
        assert link[1:] in names
    levels = [int(one.tag[1]) for one in tree.xpath("//h1|//h2|//h3|//h4")]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_it_needs_no_network() -> None:
    """Nothing is loaded: no address in any attribute, and the policy names the style and the script by their hashes."""
    tree = page(report())
    for one in tree.iter():
        for name, value in one.attrib.items():
            assert name not in ("src", "srcset", "action", "style"), name
            assert not name.startswith("on"), name
            if name in ("href", "xlink:href"):
                assert value.startswith("#") or value == "data:,"
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (inside,) = tree.xpath(f"//{tag}/text()")
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert not re.search(r"https?:|//[a-z]|@import", inside.replace(f'"{svg_name()}"', ""))


def svg_name() -> str:
    """The name of SVG's elements, which no browser loads."""
    return "http://www.w3.org/2000/svg"


def test_what_a_run_says() -> None:
    """Verdict, matrix, findings with links to lifelines, pictures with a sentence each; plan and stack are folded."""
    tree = page(report())
    assert "No problem was found" not in text(tree)
    (matrix,) = tree.xpath("//table[@class='matrix']")
    (cell,) = matrix.xpath(".//a/@href")
    (section,) = tree.xpath(f"//*[@id='{cell[1:]}']")
    assert [one.text_content() for one in section.xpath(".//h4")] == ["Timeline", "Lifelines", "Pool"]
    for picture in section.xpath(".//svg[@role='img']"):
        assert len(picture.get("aria-label")) > 20
    lines = section.xpath(".//ol[@class='lives']/li")
    assert len(lines) == 3
    assert "session 1, turn 2" in text(lines[1])
    assert "agent.py:14 in ask" in text(lines[1])
    assert ["never closed" in text(line) for line in lines] == [False, True, True]
    found = tree.xpath("//article[@class='found']//a/@href")
    assert lines[1].get("id") in [link[1:] for link in found]
    assert {one.text_content() for one in tree.xpath("//details/summary")} >= {"Plan", "Stack"}


def test_headings_of_the_other_reports() -> None:
    """An audit, a check and scenarios have their rows, failed ones first."""
    tree = page(check())
    assert [one.text for one in tree.xpath("//ul[@class='rows']//h3")] == ["bad-one", "good-one"]
    assert "1 problem found" in tree.xpath("string(//h1)")
    assert "Change it" in tree.xpath("string(//ol[@class='steps'])")
    assert "defined in a.py:3" in text(tree)
    scenario = Scenario("name", "what", "#1", Status.CLEAN, "shown both ways", "CLOSE_WAIT", "")
    told = ScenariosReport(
        command="scenarios", subject="reports", status=Status.CLEAN, verdict="as reported", stack=None,
        rows=(Row("scenario", "name", "", "what", RowStatus.PASSED, "shown both ways"),), scenarios=(scenario,),
    )  # fmt: skip
    assert "bad client: CLOSE_WAIT" in text(page(told))
    plain = Report(
        command="trace", subject="x", status=Status.FAILING, verdict="1 left", stack=None,
        findings=(Finding("left-open", "problem", "1 socket", {}, (), "", "", "process 7"),),
    )  # fmt: skip
    assert "process 7: 1 socket" in text(page(plain))


def test_a_check_has_pictures() -> None:
    """Of each workload, called as its row says; the row leads to them. So do scenarios to both of their clients."""
    (seen,) = report().evidence
    row = Row("workload", "steady", "", "every turn ends well", RowStatus.PASSED, "3 of 3")
    tree = page(replace(check(), rows=(row,), evidence=(seen,)))
    (link,) = tree.xpath("//ul[@class='rows']//a/@href")
    (section,) = tree.xpath(f"//details[@id='{link[1:]}']")
    assert "passed" in section.xpath("string(summary)")
    assert len(section.xpath(".//ol[@class='lives']/li")) == 3
    sides = tuple(replace(seen, cell=replace(seen.cell, scenario=f"name/{side}")) for side in ("bad", "good"))
    told = ScenariosReport(
        command="scenarios", subject="reports", status=Status.CLEAN, verdict="as reported", stack=None, evidence=sides,
        rows=(Row("scenario", "name", "", "what", RowStatus.PASSED, "shown both ways"),), scenarios=(),
    )  # fmt: skip
    assert page(told).xpath("//ul[@class='rows']//a/text()") == [
        "the bad client in pictures",
        "the good client in pictures",
    ]


def test_a_page_of_many_cells_is_bounded() -> None:
    """Forty cells of sixty connections each: each has fewer lines, and says so."""
    (seen,) = report().evidence
    many = tuple(Connection(number, 1, 1, 1, "client", "fin", number, 0.2, 0.3) for number in range(1, 61))
    cells = [replace(seen, connections=many, moved=(), cell=replace(seen.cell, fault=f"fault-{n}")) for n in range(40)]
    tree = page(verdicts.report(Plan(tuple(one.cell for one in cells), PAYLOAD), cells))
    assert len(tree.xpath("//ol[@class='lives']/li")) == 40 * 25
    assert "35 more are not drawn" in text(tree)


def test_the_page_of_a_look() -> None:
    """Sockets by endpoint and one by one; one look accuses nobody."""
    rows = (
        SocketRow("CLOSE_WAIT", ("10.0.0.1", 4001), ("192.0.2.7", 443), 7, 5, 11),
        SocketRow("ESTABLISHED", ("10.0.0.1", 4002), ("192.0.2.7", 443), 7, 6, 12),
    )
    process = Process(7, "gateway", 0.0, 3, 1, 40, 1024)
    seen = Look(0.0, (process,), rows, (), (), frozenset(), (), "sock_diag", "as asked")
    tree = page(watched.of_look(seen))
    said = "One look: the process has 2 TCP sockets, 1 of them closed by the other side alone."
    assert tree.xpath("string(//h1)") == said
    assert tree.xpath("string(//details[@open][.//th='endpoint']//tbody)").split() == [
        "192.0.2.7:443CLOSE_WAIT1", "192.0.2.7:443ESTABLISHED1",
    ]  # fmt: skip


def test_a_look_is_not_called_clean() -> None:
    """Nothing was asked of it; with a condition it has the status of that. What a terminal shows is on the page."""
    kept, _ = read(GOLDEN / "captures" / "look.jsonl.gz")
    assert isinstance(kept, watched.LookReport)
    tree = page(kept)
    assert "not judged" in tree.xpath("string(//section[contains(@class, 'verdict')]/span)")
    assert "clean" not in tree.xpath("string(//title)")
    (shown,) = tree.xpath("//details[@open]/pre")
    assert "Recv-Q 1: the bare FIN, nothing is" in shown.text
    assert "62 of 62 CLOSE_WAIT: path-3:5 in f" in shown.text
    assert f"sockets {kept.look.processes[0].pid} --watch" in tree.xpath("string(//ol[@class='steps'])")
    asked = watched.of_look(kept.look, [Held("count > 99", False, "63")])
    assert "clean" in page(asked).xpath("string(//section[contains(@class, 'verdict')]/span)")


def test_what_a_cell_without_a_result_shows() -> None:
    """Nothing of what was predicted: nothing was measured."""
    judged = verdicts.report(*capture.read(GOLDEN / "captures" / "run.jsonl.gz"))
    lost = replace(judged, cells=tuple(replace(one, word="no result", missing="cut") for one in judged.cells))
    for given, told in ((judged, True), (lost, False)):
        said = [one.text for one in page(given).xpath("//span[@class='remark']")]
        assert bool(said) == told
        shown = terminal.render(given, 80, False)
        assert ("as reported" in shown.partition("What the bug report claims")[0]) == told
        assert (", never closed" in shown) == told
    assert not page(lost).xpath("//span[contains(@class, 'never')]")


def test_measurements_are_told_in_words() -> None:
    """As the claims and findings say them, with as many digits as mean something."""
    said = text(page(verdicts.report(*capture.read(GOLDEN / "isolation-price.fires.jsonl"))))
    assert "a fresh http_client costs 82.4 ms, with a shared SSLContext 0.04 ms" in said
    assert "answered after 10.4 s, effective timeout 600 s" in said
    assert "of an injected httpx.Client(): 100/20 instead of the SDK's 1000/100" in said
    lines = page(verdicts.report(*capture.read(GOLDEN / "captures" / "run.jsonl.gz"))).xpath(
        "//span[@class='who']/text()"
    )
    assert "a measurement " in lines
    assert not [line for line in lines if "session 0" in line]
    for word in ("bool", "sdk stall", "82.4017"):
        assert word not in said


def test_the_page_of_a_trace() -> None:
    """What was left open, by the line that opened it."""
    opened = Opened(0.0, ("agent.py:14 in ask",))
    kept = tuple(Kept(number, "socket", "192.0.2.7:443", opened) for number in (5, 6))
    tree = page(watched.of_trace([Remains(7, "3.11", "agent.py", "ended", kept)], 0))
    assert tree.xpath("string(//h1)") == "The program left 2 descriptors open."
    assert "Close what is opened at agent.py:14 in ask" in text(tree)
    assert len(tree.xpath("//details[@open]//tbody/tr")) == 2
    assert "agent.py is to leave nothing open" in text(tree)  # which it did not


def test_the_page_of_a_comparison() -> None:
    """A row for what changed, a column for each capture; what is the same is folded."""
    tree = page(compared())
    assert tree.xpath("string(//h1)") == "1 thing got worse. 1 problem is fixed."
    (matrix,) = tree.xpath("//table[@class='matrix']")
    assert [one.text for one in matrix.xpath(".//th[@scope='col']")] == ["before", "after"]
    assert [one.text for one in matrix.xpath(".//th[@scope='row']")] == ["a", "b"]
    assert "worse" in matrix.xpath("string(.//tbody/tr[1])")
    assert "Find out why a got worse." in text(tree)


def test_markup_in_any_text_is_shown_as_text() -> None:
    """The only script, and the only handler of anything, is the page's own."""
    whole = HTML.render(poisoned(report()), 80, False)
    assert whole.count("<script") == 1
    assert whole.count("&lt;script&gt;alert(1)") > 50
    tree = lxml.html.document_fromstring(whole)
    assert len(tree.xpath("//script")) == 1
    assert EVIL in tree.xpath("string(//h1/following-sibling::p)")
    for path in sorted(GOLDEN.glob("*.jsonl"))[::6]:
        judged = verdicts.report(*capture.read(path))
        assert HTML.render(poisoned(judged), 80, False).count("<script") == 1


def test_a_large_run_is_a_small_page() -> None:
    """10,000 turns and 100,000 looks: under 2 MB, and it says what was taken together and left out."""
    whole = HTML.render(large(), 80, False)
    assert 100_000 < len(whole.encode()) < 2_000_000
    assert "shows the highest count of each state" in whole
    assert "more are not drawn" in whole
    assert "more turns are left out" in whole


def test_from_the_command_line(cli: Cli, tmp_path: Path) -> None:
    done = cli("report", GOLDEN / "close-wait-grows.fires.jsonl", "--output", "page.html")
    assert "saved to page.html" in done.stderr
    tree = lxml.html.document_fromstring((tmp_path / "page.html").read_text())
    assert tree.xpath("string(//h1)") == "The fix works."


def test_what_is_known_is_not_called_nothing() -> None:
    """A check whose problems are all in its baseline."""
    kept, _ = read(GOLDEN / "captures" / "check.jsonl.gz")
    head = lxml.html.document_fromstring(formats.load("html").render(kept, 0, False)).xpath("string(//h1)")
    assert head == "No new problem was found; 4 are known or allowed."
