"""Prints the JSON Schema of what --json prints (report), or of a line of a capture (capture), made from the types.

scripts/schema.py report > docs/schema/report.json; scripts/schema.py capture > docs/schema/capture.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from hermes_diag.cli.app import COMMANDS
from hermes_diag.core import capture
from hermes_diag.core.report import Finding, Row
from hermes_diag.core.status import Status
from hermes_diag.reporters.envelope import SCHEMA
from hermes_diag.run import capture as runs
from hermes_diag.watch import capture as watched
from hermes_diag.worker.contract import Hello


def schema() -> dict[str, Any]:
    """The envelope of every document. What only one command has comes beside it, and may be anything."""
    _, types = msgspec.json.schema_components((Finding, Row, Hello, Status), ref_template="#/$defs/{name}")
    every = {
        "schema": {"const": SCHEMA},
        "command": {
            "enum": [*COMMANDS, ""],
            "description": "the command that was run, or that wrote the capture; empty where an error came before",
        },
        "status": {"$ref": "#/$defs/Status"},
        "exit_code": {
            "type": "integer",
            "minimum": 0,
            "maximum": 255,
            "description": "of the verdict: 0, 1, 3, 130 when interrupted, 2 for wrong usage; of trace that of the "
            "program. The process exits with it, or with 3 where a file that was asked for could not be written",
        },
        "stack": {"anyOf": [{"$ref": "#/$defs/Hello"}, {"type": "null"}]},
        "findings": {"type": "array", "items": {"$ref": "#/$defs/Finding"}},
    }
    judged = {
        "subject": {"type": "string", "description": "what was put to the test, as the user named it"},
        "verdict": {"type": "string"},
        "interrupted": {"type": "boolean"},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
    }
    error = {
        "type": "object",
        "description": "only where the command ended with an error: what stderr says, and nothing was judged",
        "properties": {"message": {"type": "string"}, "cure": {"type": "string"}},
        "required": ["message", "cure"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What hermes-diag prints with --json",
        "description": "Keys that every document has; those of judging commands have more.",
        "type": "object",
        "properties": {**every, **judged, "error": error},
        "required": list(every),
        "if": {"properties": {"command": {"enum": ["serve", "faults"]}}},
        "else": {"anyOf": [{"required": list(judged)}, {"required": ["scenarios"]}]},
        "$defs": types,
    }


def captures() -> dict[str, Any]:
    """A line of a capture: the first one, and a record of each name. A later release may add fields and records."""
    kinds = {**runs.KINDS, "ended": runs.Ended}
    names = [*((name, kind) for name, kind in kinds.items()), *watched.RECORDS]
    _, types = msgspec.json.schema_components([kind for _, kind in names], ref_template="#/$defs/{name}")
    refs, _ = msgspec.json.schema_components([kind for _, kind in names], ref_template="#/$defs/{name}")
    records = [
        {"properties": {"record": {"const": name}}, "allOf": [ref]} for (name, _), ref in zip(names, refs, strict=True)
    ]
    first = {
        "properties": {
            "record": {"const": "capture"},
            "schema": {"const": capture.SCHEMA},
            "kind": {"enum": [runs.KIND, watched.WATCH, watched.LOOK, watched.TRACE]},
            "release": {"type": "string"},
        },
        "required": ["record", "schema", "kind", "release"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a capture of hermes-diag",
        "description": "docs/captures.md says what each record means.",
        "type": "object",
        "required": ["record"],
        "anyOf": [first, *records],
        "$defs": types,
    }


if __name__ == "__main__":
    print(json.dumps({"report": schema, "capture": captures}[sys.argv[1]](), indent=2))
