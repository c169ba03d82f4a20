"""The table stays readable wherever it is printed."""

from __future__ import annotations

import os
import re
import threading

import pytest
from conftest import GOLDEN, Cli

from hermes_diag.cli import terminal as screen
from hermes_diag.judge import verdicts
from hermes_diag.reporters.formats import terminal
from hermes_diag.run import capture as captures

CAPTURES = ["stream-killed.fires.jsonl", "isolation-price.fires.jsonl", "worker-hung.fires.jsonl"]


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_the_terminal(capture: str, columns: int, verbose: bool) -> None:
    """At every width the report keeps within it and cuts nothing off."""
    report = verdicts.report(*captures.read(GOLDEN / capture))
    out = terminal.render(report, columns, verbose)
    assert "Verdict" in out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= columns


@pytest.mark.parametrize(
    "environment", [{}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, {"TERM": "dumb"}, {"PYTHONIOENCODING": "ascii"}]
)
def test_no_escape_sequences_without_a_terminal(cli: Cli, environment: dict[str, str]) -> None:
    """Pipes, NO_COLOR and dumb terminals get plain text, and an ASCII stdout does not break."""
    done = cli("report", GOLDEN / CAPTURES[0], **environment)
    assert done.stderr == ""
    colours = re.findall(r"\x1b\[(?!0m|1m|2m|22m|3m)\d+", done.stdout)
    assert not colours
    assert "stream-killed" in done.stdout


def test_verbose_has_a_row_per_turn(cli: Cli) -> None:
    """-v shows each attempt with both sides' counts and its cause chain."""
    out = cli("report", GOLDEN / CAPTURES[0], "-v", COLUMNS="160").stdout
    rows = [line for line in out.splitlines() if re.match(r" ?\d/\d/1", line)]
    assert len(rows) == 10
    assert any("socket closed here while in use: ReadError" in row or "httpx.ReadError" in row for row in rows)


def test_a_colour_terminal_gets_colour(cli: Cli) -> None:
    """FORCE_COLOR proves that the check above can fail."""
    environment = {key: value for key, value in os.environ.items() if key == "TERM"} | {"FORCE_COLOR": "1"}
    assert "\x1b[" in cli("report", GOLDEN / CAPTURES[0], **{**environment, "TERM": "xterm-256color"}).stdout


@pytest.mark.parametrize("live", [True, False])
def test_what_takes_long_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], live: bool
) -> None:
    """On a terminal alone, and the line is gone at the end."""
    named = threading.Event()
    monkeypatch.setattr(screen, "SLOW", 0.0)
    monkeypatch.setattr(screen, "is_live", lambda stream: live)
    redraw = screen.redraw
    monkeypatch.setattr(screen, "redraw", lambda line: (redraw(line), named.set()))
    with screen.meanwhile("reading run.jsonl ..."):
        assert named.wait(20 if live else 0.1) == live
    assert capsys.readouterr().err == ("\r\x1b[Kreading run.jsonl ...\r\x1b[K" if live else "")
