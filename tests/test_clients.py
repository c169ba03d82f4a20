"""docs/clients.md says what real clients do: the Codex CLI, the Node SDK and the Vercel AI SDK, without a network."""

from __future__ import annotations

import shutil

import client_table
import pytest


def test_every_fault_is_in_the_document() -> None:
    """A new fault needs the document to be generated again."""
    assert set(client_table.documented()) == set(client_table.cases())


@pytest.mark.skipif(not client_table.MODULES, reason="HERMES_DIAG_CLIENTS_NODE names no folder with the clients")
@pytest.mark.skipif(not shutil.which("unshare"), reason="no unshare: the network cannot be cut off")
@pytest.mark.timeout(900)
def test_the_document_is_what_clients_do() -> None:
    """Outcome and requests of each client at each fault. What differs is tried again by itself: clients wait for
    seconds at most, and other tests may keep both cores busy for as long."""
    told = client_table.documented()

    def differing(chosen: list[client_table.Case], at_once: int) -> dict[client_table.Case, tuple[str, int]]:
        found = zip(chosen, client_table.rows_without_network(chosen, at_once), strict=True)
        outcomes = {case: (row.outcome, row.requests) for case, row in found}
        return {case: one for case, one in outcomes.items() if one != (told[case].outcome, told[case].requests)}

    differs = differing(client_table.cases(), client_table.AT_ONCE)
    assert len(differs) <= 8, differs
    assert not differing(list(differs), 2)
