"""What simpler checks say of the cases: the same factory or turn, used a few times in a plain process.

A peer speaks up when, after TURNS turns

-W error::ResourceWarning   Python warned at least once of something that was not closed
descriptors                 the process has more descriptors than after the second turn
CLOSE_WAIT > 3              it has more than three sockets in CLOSE_WAIT (counted in /proc/net/tcp by inode, which is
                            what `lsof | grep -c CLOSE_WAIT` counts)
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from truth_labels import Case

from hermes_diag.provider.server import Provider
from hermes_diag.provider.thread import ProviderThread

TURNS = 10
PATIENCE = 40.0
_PLAIN = Path(__file__).with_name("truth_plain.py")


def run(cases: Sequence[Case], python: str) -> dict[str, dict[str, bool]]:
    """What each peer says of each case it can be tried on; a case that raises or hangs has no answers."""
    with ProviderThread() as thread:
        provider = Provider(idle_close=0.05)
        thread.run(provider.start(), PATIENCE)
        try:
            with ThreadPoolExecutor(2) as pool:
                answers = pool.map(lambda case: _ask(case, python, provider.base_url), cases)
                found = {case.full_name: answer for case, answer in zip(cases, answers, strict=True)}
        finally:
            thread.run(provider.stop(), PATIENCE)
    return {name: answer for name, answer in found.items() if answer}


def _ask(case: Case, python: str, url: str) -> dict[str, bool]:
    if case.faults:  # it would take a provider of its own
        return {}
    environment = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none", "PYTHONWARNINGS": "always"}
    command = [python, str(_PLAIN), case.spec, url, str(TURNS)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        seen = json.loads(done.stdout.strip().splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        return {}
    return {
        "`-W error::ResourceWarning`": seen["warnings"] > 0,
        "descriptors before and after": seen["after"] > seen["before"],
        "CLOSE_WAIT > 3": seen["close_wait"] > 3,
    }
