"""The report section of `--sockets`: the tests that left most sockets behind."""

from __future__ import annotations

from typing import Any

import pytest

#: Tests and lines of code of each that are listed.
_TESTS, _PLACES = 10, 3


class Section:
    """Collects from the reports, which under xdist come from the workers, and writes at the end."""

    def __init__(self) -> None:
        self._left: dict[str, dict[str, Any]] = {}
        self._tests: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._tests.add(report.nodeid)
        left = getattr(report, "limit_sockets_left", None)
        if left is not None:
            self._left[report.nodeid] = left

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.write_sep("=", f"sockets left behind by {len(self._left)} of {len(self._tests)} tests")
        worst = sorted(self._left.items(), key=lambda one: (-one[1]["count"], one[0]))
        for nodeid, left in worst[:_TESTS]:
            terminalreporter.write_line(f"{left['count']:4}  {nodeid}: {left['states']}")
            for place in left["places"][:_PLACES]:
                terminalreporter.write_line(f"        {place}")
        if len(worst) > _TESTS:
            terminalreporter.write_line(f"      ... and {len(worst) - _TESTS} more tests")
