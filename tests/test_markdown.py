"""Markdown as GitHub's own parser reads it: bounded, whole, and what a field holds stays text."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from conftest import GOLDEN
from hypothesis import example, given
from hypothesis import strategies as st
from test_check import NASTY, largest, nasty, table

from hermes_diag.cli.report import read
from hermes_diag.core.plan import PayloadInfo
from hermes_diag.core.report import AuditReport, Claim, Finding, Report, Row
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.core.text import one_line
from hermes_diag.judge import verdicts
from hermes_diag.reporters import gfm
from hermes_diag.reporters.formats import markdown, terminal
from hermes_diag.run import capture
from hermes_diag.watch.records import Held
from hermes_diag.watch.reports import LookReport, of_look

CAPTURES = sorted(GOLDEN.glob("*.jsonl"))
NOTHING = "​"
#: What GitHub makes links, mentions and pictures of after rendering.
FOUND_LATER = re.compile(r"@[\w-]|#\d|GH-\d|https?://|www\.|:[\w+-]+:|\$", re.IGNORECASE)
PIECES = [
    "@user", "#123", "GH-12", "org/repo#1", "https://example.com/a?b=c", "www.example.com", "a@b.example", ":100:",
    ":+1:", "|", "\\", "`", "``", "*", "**", "_", "~~", "[", "](x)", "![", "<b>", "</details>", "<!--", "-->", "&lt;",
    "&#64;",
    "$", "$$", "# ", "- ", "1. ", "10) ", "1234567. ", "> ", "===", "---", "\n", "\r\n", " ", "\t", "    ", "[ ] ",
    "[^1]", "|---|", "x", "é", "\U0001f600", "\0", "\x1b[31m", "\udcff", "​", "\u202e", "::error::",
]  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))


def rendered(text: str) -> str:
    """As GitHub's parser has it, with raw HTML, before it is cleaned."""
    return str(cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES))


def tags(document: str) -> list[str]:
    """Every tag without what a `$` is put into."""
    return re.findall(r"<[^>]*>", document.replace("<span>$</span>", ""))


def shown(document: str) -> str:
    """The text that a reader sees."""
    return html.unescape(re.sub(r"<[^>]*>", "", document.replace("<span>$</span>", "&#36;")))


def found_later(document: str) -> list[str]:
    """What would become a link, a mention or a picture, of the text between two tags."""
    parts = re.split(r"<[^>]*>", document.replace("<span>$</span>", " "))
    return [found[0] for part in parts for found in FOUND_LATER.finditer(html.unescape(part))]


def check_report(text: str) -> Report:
    """A check with the text in every field."""
    one = Finding(text, text, text, {}, (), text, text, text)
    row = Row("workload", text, text, text, RowStatus.FAILED, text, text, text, text, note=text)
    return replace(nasty(text), rows=(row, replace(row, kind=text, status=RowStatus.NOTED)), findings=(one,))


def run_report(text: str) -> Report:
    """A run with the text in what a user or a file may name."""
    made = verdicts.report(*capture.read(GOLDEN / "turns-failed.fires.jsonl"))
    payload = PayloadInfo(text, text, text, 1)
    cells = tuple(replace(one, cell=replace(one.cell, payload=text, endpoint=text)) for one in made.cells)
    evidence = tuple(
        replace(
            one,
            cell=replace(one.cell, strategy=text, payload=text),
            turns=tuple(replace(turn, chain=(text,)) for turn in one.turns),
        )
        for one in made.evidence
    )
    claims = (Claim(text, text, "not tested", text, text),)
    plan = replace(made.plan, payload=payload, further=(payload,))
    return replace(made, plan=plan, cells=cells, evidence=evidence, claims=claims, subject=text, verdict=text)


def audit_report(text: str) -> Report:
    """An audit with the text in every field."""
    return AuditReport(
        command=text, subject=text, status=Status.FAILING, verdict=text, stack=None, kind=text, client=text,
        frames=(text,), notes=(text,), interrupted=True,
    )  # fmt: skip


@given(TEXTS)
@example(NASTY)
@example("x" * 500)
def test_a_field_is_shown_as_it_is(text: str) -> None:
    """What a reader sees of a field is its text on one line; nothing of it is found later as a mention or a link."""
    document = rendered(f"- {gfm.escaped(text)}\n")
    plain = one_line(text)
    plain = plain if len(plain) <= gfm.LONGEST else plain[: gfm.LONGEST] + "..."
    assert shown(document).replace(NOTHING, "").strip() == plain
    assert [tag for tag in tags(document) if tag not in ("<ul>", "<li>", "</li>", "</ul>")] == []
    assert found_later(document) == []


@pytest.mark.parametrize("make", [check_report, run_report, audit_report])
@given(TEXTS.filter(lambda text: bool(text.strip())))
@example(NASTY)
@example(":0")
def test_text_stays_text(make: object, text: str) -> None:
    """Whatever stands in any field, the document has the tags that it has with a harmless word, and no link."""
    document = rendered(markdown.render(make(text), 0, verbose=False))  # type: ignore[operator]
    assert tags(document) == tags(rendered(markdown.render(make("word"), 0, verbose=False)))  # type: ignore[operator]
    assert "<a" not in tags(document)
    assert found_later(document) == []


def test_nasty_text_in_the_table() -> None:
    """One table, three cells a row."""
    rows = table(markdown.render(nasty(), 0, verbose=False))
    assert [len(row) for row in rows] == [3] * (len(RowStatus) + 1)
    assert rows[1][0] == "failed"


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_capture(path: object) -> None:
    """Of each recorded run: small, every part closed, the verdict on top, what is folded has its table or list."""
    report = verdicts.report(*capture.read(path))  # type: ignore[arg-type]
    text = markdown.render(report, 0, verbose=False)
    document = rendered(text)
    assert len(text.encode()) < markdown.MOST
    assert document.count("<details>") == document.count("</details>") == text.count("<details>")
    assert shown(document).replace(NOTHING, "").splitlines()[1] == report.verdict
    assert re.search(r"<details><summary>[^<]*</summary>\n<(table|ul)>", document)
    assert len({len(row) for row in table(text)} - {3, 5}) == 0
    assert "|" not in shown(document)


def test_the_largest_plan() -> None:
    """Under 60,000 bytes, cut between rows, and it says how many are left out."""
    text = markdown.render(largest(), 0, verbose=False)
    assert 40_000 < len(text.encode()) < 60_000
    rows = table(text)
    assert {len(row) for row in rows} == {3}
    left = re.search(r"^Left out, as there was no room: ([\d,]+) of ([\d,]+) further rows\.", text, re.MULTILINE)
    assert left, text[-500:]
    missing, further = (int(number.replace(",", "")) for number in left.groups())
    assert further == len(largest().rows) - markdown.ROWS
    assert len(rows) - 2 == markdown.ROWS + further - missing


@pytest.mark.parametrize("make", [check_report, run_report, audit_report])
def test_it_is_small_whatever_it_holds(make: object) -> None:
    """Fields as long as can be, of signs that take most room."""
    text = markdown.render(make("$" * 10_000), 0, verbose=False)  # type: ignore[operator]
    assert len(text.encode()) < markdown.MOST
    assert "Left out" in text or make is not run_report


@pytest.mark.parametrize("name", ["look", "watch", "trace"])
def test_what_a_terminal_shows_is_folded_in(name: str) -> None:
    """Of a live process there are few rows: the view for terminals stands below them as a block of code."""
    report, _ = read(GOLDEN / "captures" / f"{name}.jsonl.gz")
    text = markdown.render(report, 0, verbose=True)
    (code,) = re.findall(r"<code>(.*?)</code>", rendered(text), re.DOTALL)
    seen = [line.rstrip() for line in html.unescape(code).splitlines()]
    assert seen == [line.rstrip() for line in terminal.render(report, 80, verbose=True).splitlines()]


def test_a_look_is_not_called_clean() -> None:
    """Unless a condition was set that does not hold."""
    kept, _ = read(GOLDEN / "captures" / "look.jsonl.gz")
    assert isinstance(kept, LookReport)
    neutral = "\N{INFORMATION SOURCE}\N{VARIATION SELECTOR-16}"
    assert markdown.render(kept, 0, verbose=False).startswith(f"## {neutral} hermes-diag sockets")
    asked = of_look(kept.look, [Held("count > 99", False, "63")])
    assert markdown.render(asked, 0, verbose=False).startswith("## ✅ hermes-diag sockets")


def test_a_view_makes_no_markup() -> None:
    """Whatever a process is called."""
    report, _ = read(GOLDEN / "captures" / "look.jsonl.gz")
    assert isinstance(report, LookReport)
    process = replace(report.look.processes[0], name="``` </details> @user #1")
    evil = replace(report, look=replace(report.look, processes=(process,)))
    document = rendered(markdown.render(evil, 0, verbose=False))
    assert document.count("</details>") == 1
    assert "``` &lt;/details&gt; @user #1" in document
