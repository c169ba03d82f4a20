"""What a record of a cell says in words of the user's, without what looks like a secret. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hermes_diag.core import redact
from hermes_diag.core.evidence import Outcome
from hermes_diag.worker.contract import ClientBuilt, Fact


def redacted(record: Any) -> Any:
    """The record as it may be kept and shown: names of keys, files and hosts, and how a cell ended."""
    if isinstance(record, ClientBuilt):
        return replace(record, mutated=redact.within(record.mutated))
    if isinstance(record, Fact):
        return replace(record, value=redact.within(record.value))
    if isinstance(record, Outcome):
        return replace(record, detail=redact.name(record.detail), frames=redact.within(record.frames))
    return record
