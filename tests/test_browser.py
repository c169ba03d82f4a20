"""Pages in a real browser: Debian's Chromium, driven by Playwright, looked at by axe-core.

HERMES_DIAG_BROWSER_PYTHON names a Python with Playwright, HERMES_DIAG_CHROMIUM the browser, HERMES_DIAG_AXE axe.min.js.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import GOLDEN, ROOT
from pictures import compared, poisoned, report, watch

from hermes_diag.cli.report import read
from hermes_diag.reporters import formats

NAMES = ("HERMES_DIAG_BROWSER_PYTHON", "HERMES_DIAG_CHROMIUM", "HERMES_DIAG_AXE")
PROGRAMS = [os.environ.get(name, "") for name in NAMES]
pytestmark = pytest.mark.skipif(not all(PROGRAMS), reason=f"{', '.join(NAMES)} name no browser")
#: A cell in which a socket stays, captures side by side, a watch, and a look, and markup in every text.
PAGES = {
    "run": report,
    "comparison": compared,
    "watch": watch,
    "look": lambda: read(GOLDEN / "captures" / "look.jsonl.gz")[0],
    "markup": lambda: poisoned(report()),
}
#: Those with charts.
PICTURES = ("run", "watch", "markup")


def seen(path: Path) -> dict[str, Any]:
    """What the browser saw of one page, by the way of looking at it."""
    python, chromium, axe = PROGRAMS
    done = subprocess.run(
        [python, ROOT / "tests" / "browser.py", chromium, axe, path],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)[path.name]
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_page(tmp_path: Path, name: str) -> None:
    """Nothing goes wrong on it, everybody can read it, and a phone, a keyboard and paper are enough for it."""
    path = tmp_path / f"{name}.html"
    path.write_text(formats.load("html").render(PAGES[name](), 80, False), "utf-8")
    found = seen(path)
    for way, one in found.items():
        assert one["errors"] == [], way  # on the console, or a dialog
        assert one.get("asked", []) == [], way  # nothing is asked for but the file itself
    light, dark, keyboard, paper, plain = (found[way] for way in ("light", "dark", "keyboard", "paper", "plain"))
    assert light["axe"] == dark["axe"] == []  # WCAG 2 A and AA
    assert light["ground"] == "rgb(255, 255, 255)" != dark["ground"]
    assert found["phone"]["widths"] == [360, 360]  # folded and unfolded
    assert keyboard["reached"] == keyboard["expected"] >= 2
    assert paper["shut"] == paper["hidden"] == 0  # everything is unfolded, by the script and without it
    assert paper["torn"] == 0  # no picture but one of very many lines
    assert paper["ground"] == "rgb(255, 255, 255)"  # also for who likes it dark
    assert paper["wide"] <= 700
    assert paper["size"] > 10_000
    assert plain["verdict"]
    assert (plain["pictures"] > 0) == (name in PICTURES)  # without its script, too
    if (
        name == "run"
    ):  # Home, right and End read the numbers of a moment; Enter on a link shows the lifeline it is about
        assert keyboard["readings"] == ["0.1 s: no sockets", "0.3 s: let go 1", "0.7 s: CLOSE_WAIT 1, ESTABLISHED 1"]
        assert keyboard["link"] is True
