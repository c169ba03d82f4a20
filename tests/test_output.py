"""--format, --output and --open: every kind of report in every format, and nothing else on stdout."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from conftest import GOLDEN, ROOT, Cli

from hermes_diag.reporters import formats

WATCH = GOLDEN / "pictures" / "watch.jsonl"
RUN = GOLDEN / "close-wait-grows.fires.jsonl"


def is_json(text: str) -> bool:
    return bool(json.loads(text)["verdict"])


def is_junit(text: str) -> bool:
    return ET.fromstring(text).tag == "testsuites"


def is_markdown(text: str) -> bool:
    return text.startswith("## ") and "**" in text


def is_html(text: str) -> bool:
    return text.startswith("<!doctype html>") and text.rstrip().endswith("</html>")


def is_terminal(text: str) -> bool:
    return bool(text.strip()) and "\x1b" not in text


def is_github(text: str) -> bool:
    return all(line.startswith("::error ") for line in text.splitlines())


CHECKS: dict[str, Callable[[str], bool]] = {
    "json": is_json,
    "junit": is_junit,
    "markdown": is_markdown,
    "html": is_html,
    "terminal": is_terminal,
    "github": is_github,
}
COMMANDS = {
    "audit": ["audit", "fixed"],
    "check": ["check", "fixed", "--workload", "steady"],
    "look": ["sockets", os.getpid()],
    "watch": ["sockets", os.getpid(), "--watch", "--interval", "20ms", "--set", "count=3"],
    "run": ["report", RUN],
    "saved watch": ["report", WATCH],
    "comparison": ["report", RUN, GOLDEN / "close-wait-grows.quiet.jsonl"],
}


def test_every_format_is_tried() -> None:
    assert sorted(CHECKS) == formats.names()


@pytest.mark.parametrize("form", sorted(set(CHECKS) - {"terminal"}))
@pytest.mark.parametrize("what", COMMANDS)
def test_stdout_is_the_document(cli: Cli, what: str, form: str) -> None:
    """Also of a watch, whose samples would stand before it; with JSON they are lines of JSON, too."""
    done = cli(*COMMANDS[what], "--format", form)
    assert done.returncode in (0, 1, 3), done.stderr
    text = done.stdout.splitlines()[-1] if (what, form) == ("watch", "json") else done.stdout
    assert CHECKS[form](text), text


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_traced_program_speaks_on_stderr(cli: Cli, form: str) -> None:
    """Its stdout is then the report's alone; without --format it is the program's."""
    program = ["trace", "--save", "t.jsonl", "--output", "t.md"]
    command = ["--", sys.executable, "-c", "print('hello'); open('/dev/null')"]
    done = cli(*program, "--format", form, *command)
    assert CHECKS[form](done.stdout)
    assert "hello" in done.stderr
    plain = cli(*program, "--force", *command)
    assert plain.stdout == "hello\n"
    assert "saved to t.jsonl" in plain.stderr


@pytest.mark.parametrize("source", [RUN, WATCH], ids=["run", "watch"])
def test_a_file_by_its_ending(cli: Cli, tmp_path: Path, source: Path) -> None:
    """All at once; a text file has no colour codes, whatever the terminal takes."""
    names = {"a.json": "json", "a.xml": "junit", "a.md": "markdown", "a.html": "html", "a.txt": "terminal"}
    done = cli(
        "report", source, *(word for name in names for word in ("--output", name)), FORCE_COLOR="1", TERM="xterm"
    )
    assert "\x1b[" in done.stdout
    for name, form in names.items():
        assert CHECKS[form]((tmp_path / name).read_text()), name


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "htm"], "there is no format 'htm'\n  did you mean html?"),
        (["--json", "--format", "html"], "--json and --format html: which of them?"),
        (["--output", "x.pdf"], "the ending names no format"),
        (["-v", "--format", "json"], "-v has no effect with --json"),
    ],
)
def test_wrong_usage(cli: Cli, arguments: list[str], says: str) -> None:
    done = cli("report", RUN, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == "" or json.loads(done.stdout)["error"]["message"] in done.stderr


def browser(folder: Path) -> str:
    """A browser that writes down which file it was given, and a copy of it."""
    script = folder / "browser.sh"
    script.write_text(f'#!/bin/sh\necho "$1" >{shlex.quote(str(folder / "shown"))}\n')
    script.chmod(0o755)
    return f"{script} %s"


@pytest.mark.parametrize("arguments", [[], ["--output", "a.html"]], ids=["a new file", "that of --output"])
def test_open_shows_the_page(cli: Cli, tmp_path: Path, arguments: list[str]) -> None:
    """A page of --output, else one of this user alone in the temporary folder; the exit code is that of the verdict."""
    done = cli("report", RUN, "--open", *arguments, BROWSER=browser(tmp_path), TMPDIR=str(tmp_path))
    assert done.returncode == cli("report", RUN).returncode
    shown = Path((tmp_path / "shown").read_text().strip().removeprefix("file://"))
    assert is_html(shown.read_text())
    if arguments:
        assert shown == tmp_path / "a.html"
    else:
        assert shown.parent == tmp_path
        assert shown.stat().st_mode & 0o077 == 0


def test_open_without_a_browser(cli: Cli, tmp_path: Path) -> None:
    """It says where the page is; the verdict stands."""
    done = cli("report", RUN, "--open", BROWSER="/bin/false %s", TMPDIR=str(tmp_path), PATH="/nowhere", DISPLAY="")
    assert done.returncode == cli("report", RUN).returncode
    assert "no browser could be opened: open " in done.stderr
    named = Path(done.stderr.split("open ")[-1].split(" yourself")[0])
    assert is_html(named.read_text())


def test_the_docs_name_them() -> None:
    page = (ROOT / "docs" / "options.md").read_text()
    assert all(f"`{name}`" in page for name in formats.names())
