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
    """Outcome and requests of each client at each fault."""
    told, differs = documented(), []
    for client, rows in client_table.rows_without_network().items():
        for row in rows:
            found = (row.outcome, str(row.requests))
            if told[client].get(row.spec) != found:
                differs.append((client, row.spec, told[client].get(row.spec), found))
    assert not differs
