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
from conftest import ROOT
from pictures import check, poisoned, report

from hermes_diag.judge import verdicts
from hermes_diag.reporters import formats
from hermes_diag.run import capture

NAMES = ("HERMES_DIAG_BROWSER_PYTHON", "HERMES_DIAG_CHROMIUM", "HERMES_DIAG_AXE")
PROGRAMS = [os.environ.get(name, "") for name in NAMES]
pytestmark = [
    pytest.mark.skipif(not all(PROGRAMS), reason=f"{', '.join(NAMES)} name no browser"),
    pytest.mark.xdist_group("browser"),  # one browser looks at all pages, once
]
#: A cell in which a socket stays, a cell without times, an audit's rows, and markup in every text.
PAGES = {
    "run": lambda: report(),
    "earlier": lambda: verdicts.report(*capture.read(ROOT / "tests" / "golden" / "turns-failed.fires.jsonl")),
    "check": check,
    "markup": lambda: poisoned(report()),
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the browser saw of each page."""
    folder = tmp_path_factory.mktemp("pages")
    paths = [folder / f"{name}.html" for name in PAGES]
    for path in paths:
        path.write_text(formats.load("html").render(PAGES[path.stem](), 80, False), "utf-8")
    python, chromium, axe = PROGRAMS
    done = subprocess.run(
        [python, ROOT / "tests" / "browser.py", chromium, axe, *paths],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {Path(name).stem: one for name, one in json.loads(done.stdout).items()}


@pytest.mark.parametrize("name", PAGES)
class TestPage:
    """Each page is good in each of these ways."""

    def test_nothing_goes_wrong(self, seen: dict[str, Any], name: str) -> None:
        """No error on the console, no dialog, and nothing is asked for but the file itself."""
        for way, one in seen[name].items():
            assert one["errors"] == [], way
            assert one.get("asked", []) == [], way

    def test_all_can_read_it(self, seen: dict[str, Any], name: str) -> None:
        """axe finds nothing against WCAG 2 A and AA, in light and in dark, which are two looks."""
        assert seen[name]["light"]["axe"] == []
        assert seen[name]["dark"]["axe"] == []
        assert seen[name]["light"]["ground"] == "rgb(255, 255, 255)" != seen[name]["dark"]["ground"]

    def test_a_phone_shows_it(self, seen: dict[str, Any], name: str) -> None:
        """Nothing is wider than 360 pixels, folded or unfolded."""
        assert seen[name]["phone"]["widths"] == [360, 360]

    def test_the_keyboard_reaches_everything(self, seen: dict[str, Any], name: str) -> None:
        said = seen[name]["keyboard"]
        assert said["reached"] == said["expected"] >= 2

    def test_paper_has_everything(self, seen: dict[str, Any], name: str) -> None:
        """Every cell is unfolded, the ground is white also for who likes it dark, and nothing is cut off."""
        said = seen[name]["paper"]
        assert said["shut"] == 0
        assert said["ground"] == "rgb(255, 255, 255)"
        assert said["wide"] <= 700
        assert said["size"] > 10_000

    def test_it_can_be_read_without_its_script(self, seen: dict[str, Any], name: str) -> None:
        said = seen[name]["plain"]
        assert said["verdict"]
        assert said["pictures"] > 0 or name == "check"


def test_keys_on_a_picture(seen: dict[str, Any]) -> None:
    """Home, right and End read the numbers of a moment; Enter on a link of a finding unfolds and shows its lifeline."""
    said = seen["run"]["keyboard"]
    assert said["readings"] == ["0.1 s: no sockets", "0.3 s: let go 1", "0.7 s: CLOSE_WAIT 1, ESTABLISHED 1"]
    assert said["link"] is True
