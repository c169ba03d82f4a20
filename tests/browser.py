"""Opens pages in a real Chromium and says what it saw. test_browser.py runs it in the Python that has Playwright.

usage: browser.py CHROMIUM AXE FILE...   prints a JSON object: by file what each check found
"""

import json
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import sync_playwright

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
#: What the Tab key is to reach: all that is not in something folded.
REACHABLE = """() => [...document.querySelectorAll('a[href], summary, [tabindex="0"]')]
    .filter((one) => one.checkVisibility() && one.tabIndex >= 0)
    .map((one, number) => (one.dataset.number = number)).length"""

#: What paper does not show of cells and of what else is folded, without any script.
HIDDEN = """() => [...document.querySelectorAll('details.cell > figure, section > .data > :not(summary)')]
    .filter((one) => !one.checkVisibility()).length"""
#: Pictures that may be torn over two pages: only those of many lines.
TORN = """() => [...document.querySelectorAll('figure')]
    .filter((one) => one.querySelectorAll('.lives > li').length <= 30 && getComputedStyle(one).breakInside !== 'avoid')
    .length"""


class Opened:
    """A page of a file, with what went wrong on it. Whatever it asks for but the file itself is refused and kept."""

    def __init__(self, browser, path, **options):
        self.asked, self.errors = [], []
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.errors.append("a dialog"), dialog.dismiss()))
        self._path = Path(path).resolve()
        self.context.route("**/*", self._route)
        self.page.goto(self._path.as_uri())

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _route(self, route):
        address = urlsplit(route.request.url)
        if address.scheme == "file" and Path(unquote(address.path)) == self._path:
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.context.close()


def scheme(browser, path, colours, axe):
    """In light or dark: errors, requests, and what axe finds of WCAG A and AA."""
    with Opened(browser, path, color_scheme=colours, viewport={"width": 1280, "height": 900}) as one:
        one.page.evaluate("() => document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        one.page.evaluate(axe)
        found = one.page.evaluate("(rules) => axe.run(document, rules)", RULES)
        violations = [f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found["violations"]]
        ground = one.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        return {"errors": one.errors, "asked": one.asked, "axe": violations, "ground": ground}


def phone(browser, path):
    """At 360 pixels: how wide the page is, folded and with everything unfolded."""
    with Opened(browser, path, viewport={"width": 360, "height": 740}, has_touch=True) as one:
        widths = [one.page.evaluate("() => document.documentElement.scrollWidth")]
        one.page.evaluate("() => document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        widths.append(one.page.evaluate("() => document.documentElement.scrollWidth"))
        return {"widths": widths, "errors": one.errors, "asked": one.asked}


def keyboard(browser, path):
    """What Tab reaches of what there is to reach, and what keys do there."""
    with Opened(browser, path, viewport={"width": 1280, "height": 900}) as one:
        page = one.page
        expected, reached = page.evaluate(REACHABLE), set()
        for _ in range(expected):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("() => document.activeElement.dataset.number"))
        said = {"expected": expected, "reached": len(reached - {None}), "errors": one.errors}
        if page.locator("[data-points] .drawing").count():
            page.locator("details.cell").first.evaluate("(cell) => (cell.open = true)")
            page.locator("[data-points] .drawing").first.focus()
            readings = []
            for key in ("Home", "ArrowRight", "End"):
                page.keyboard.press(key)
                readings.append(page.locator("[data-points] output").first.inner_text())
            said["readings"] = readings
        link = page.locator(".found a[href*='life-'], .found a[href*='turn-']").first
        if link.count():
            page.evaluate("() => document.querySelectorAll('details.cell').forEach((cell) => (cell.open = false))")
            link.focus()
            page.keyboard.press("Enter")
            target = page.locator(f"[id='{link.get_attribute('href')[1:]}']")
            target.wait_for(state="visible", timeout=3000)
            said["link"] = target.evaluate(
                "(one) => { const box = one.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight }"
            )
        return said


def paper(browser, path):
    """Printed: nothing stays folded, nothing is wider than the paper, the ground is white."""
    with Opened(browser, path, color_scheme="light") as one:
        page = one.page
        page.evaluate(
            "() => { window.shut = null; addEventListener('beforeprint', () =>"
            " { window.shut = document.querySelectorAll('section > details:not([open])').length }) }"
        )
        size = len(page.pdf(format="A4"))
        shut = page.evaluate("() => window.shut")
        page.emulate_media(media="print", color_scheme="dark")
        page.set_viewport_size({"width": 700, "height": 1000})
        ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        said = {"hidden": page.evaluate(HIDDEN), "torn": page.evaluate(TORN), "shut": shut, "size": size}
        return {**said, "ground": ground, "wide": wide, "errors": one.errors, "asked": one.asked}


def without_script(browser, path):
    """What is there for who runs no script."""
    with Opened(browser, path, java_script_enabled=False) as one:
        page = one.page
        return {
            "verdict": page.locator("h1").inner_text(),
            "pictures": page.locator("svg.plot, svg.line").count(),
            "errors": one.errors,
        }


def main(chromium, axe, *paths):
    source = Path(axe).read_text("utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found = {
            Path(path).name: {
                "light": scheme(browser, path, "light", source),
                "dark": scheme(browser, path, "dark", source),
                "phone": phone(browser, path),
                "keyboard": keyboard(browser, path),
                "paper": paper(browser, path),
                "plain": without_script(browser, path),
            }
            for path in paths
        }
        browser.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
