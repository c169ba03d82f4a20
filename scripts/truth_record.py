"""A plugin of pytest that writes what became of each test into the file that TRUTH_RECORD names, one line of JSON each.

Used by truth_marker.py, in the environment of another project.
"""

import json
import os


def pytest_runtest_logreport(report):
    if hasattr(report, "context"):  # of a subtest
        return
    text = report.longreprtext
    line = {
        "test": report.nodeid,
        "when": report.when,
        "outcome": "x" + report.outcome if hasattr(report, "wasxfail") else report.outcome,
        "left": text if text.startswith("left behind: ") else "",
    }
    with open(os.environ["TRUTH_RECORD"], "a") as file:
        file.write(json.dumps(line) + "\n")
