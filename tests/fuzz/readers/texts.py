"""Texts of users, peers and files in a report: in no format do they make anything but text."""

from __future__ import annotations

import re
from functools import cache

import cmarkgfm
from cmarkgfm.cmark import Options
from lxml import etree, html

from hermes_diag.core.report import CheckReport, Finding, Place, Row
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.reporters import formats

#: What is read is what reporters have written: by GitHub's parser of markdown, and by parsers of XML and HTML.
READS = ()
#: What a line of a job's log on GitHub may not begin with, unless it is ours.
_COMMAND = re.compile(r"^\s*(?:::|##\[)", re.M)


def seeds() -> list[bytes]:
    return [
        b"plain words\nof two lines",
        b"<script>alert(1)</script> <img src=x onerror=y> &lt; ]]> <!-- --> <?xml ?>",
        b"**bold** _it_ `code` [a](http://b) ![c](d) @user #12 GH-7 www.x.com http://x.com | a | b |\n|-|-|",
        b"# head\n> quote\n- list\n1. one\n    code\n```\nfence\n---\n$x$ :tada: <details>",
        b"::error file=x::y\n##[error]z\n::add-mask::q %0A%0D",
        "\u202egnp.exe \u200b \x00 \x1b[31m \x07 \U0001f600 \u0085 \u2028".encode(),
    ]


def _report(text: str) -> CheckReport:
    row = Row("workload", text, text, text, RowStatus.FAILED, text, text, text, text, note=text)
    return CheckReport(
        command="check",
        subject=text,
        status=Status.FAILING,
        verdict=text,
        stack=None,
        rows=(row, Row("promise", text, text, text, RowStatus.COULD_NOT_TELL, text, text)),
        findings=(Finding(text, "problem", text, {}, (), text, text, text),),
        defined=Place(text, 1),
        settings=((text, text, text),),
        better=(text,),
        notes=(text,),
    )


def _shape(text: str, page: bool = True) -> dict[str, object]:
    """What each format makes of a report beside its texts. page: also HTML, which takes the longest."""
    report = _report(text)
    names = ("junit", "markdown", "github", *(["html"] if page else []))
    shown = {name: formats.load(name).render(report, 80, True) for name in names}
    parsed = html.document_fromstring(shown["html"].encode()).iter() if page else ()
    xml = etree.fromstring(shown["junit"].encode())
    seen = cmarkgfm.github_flavored_markdown_to_html(shown["markdown"], Options.CMARK_OPT_UNSAFE)
    tags = (str(one.tag) for one in html.fragment_fromstring(seen, create_parent=True).iter())
    return {
        "html": sorted(str(one.tag) for one in parsed),
        "junit": [str(one.tag) for one in xml.iter()],
        "markdown": sorted(tag for tag in tags if tag != "span"),  # around a $, which would begin a formula
        "commands": len(_COMMAND.findall(shown["github"])),
    }


@cache
def _plain() -> dict[str, object]:
    return _shape("x")


def run(data: bytes) -> str:
    text = data.decode("utf-8", "replace")[:2000].strip() or "x"
    page = len(data) % 4 == 0
    found = _shape(text, page)
    for name, expected in _plain().items():
        assert found[name] == expected or (name == "html" and not page), f"{name} is not as it is with plain text"
    return ""
