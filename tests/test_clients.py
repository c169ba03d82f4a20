"""docs/clients.md says what real clients do: the Codex CLI, the Node SDK and the Vercel AI SDK, without a network."""

from __future__ import annotations

import re
import shutil

import client_table
import pytest


def documented() -> dict[str, dict[str, tuple[str, str]]]:
    """What the document says of each client and fault: the outcome and the requests."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for line in client_table.DOCUMENT.read_text().splitlines():
        if line.startswith("## "):
            told = found.setdefault(line[3:].rpartition(" ")[0], {})
        elif match := re.match(r"\| `(\S+)` \| (.*?) \| (\d+) \|", line):
            told[match[1]] = match[2], match[3]
    return found


def test_every_fault_is_in_the_document() -> None:
    """A new fault needs the document to be generated again."""
    for client, told in documented().items():
        assert set(told) == set(client_table.specs(client)), client


@pytest.mark.skipif(not client_table.MODULES, reason="HERMES_DIAG_CLIENTS_NODE names no folder with the clients")
@pytest.mark.skipif(not shutil.which("unshare"), reason="no unshare: the network cannot be cut off")
@pytest.mark.timeout(900)
def test_the_document_is_what_clients_do() -> None:
    """Outcome and requests of each client at each fault. What differs is tried again by itself: clients wait for
    seconds at most, and other tests may keep both cores busy for as long."""
    told = documented()

    def differing(chosen: list[client_table.Case], at_once: int) -> dict[client_table.Case, tuple[str, str]]:
        found = zip(chosen, client_table.rows_without_network(chosen, at_once), strict=True)
        outcomes = {case: (row.outcome, str(row.requests)) for case, row in found}
        return {case: one for case, one in outcomes.items() if told[case[0]].get(case[1]) != one}

    differs = differing(client_table.cases(), client_table.AT_ONCE)
    assert len(differs) <= 8, differs
    assert not differing(list(differs), 2)
