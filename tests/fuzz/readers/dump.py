"""A Hermes request dump, and what it says of its failure."""

from __future__ import annotations

import json

from conftest import SAMPLES

from fuzz.frame import as_file
from hermes_diag.run import payload

READS = ("hermes_diag.run.payload",)


def seeds() -> list[bytes]:
    whole = next(SAMPLES.glob("request_dump_*.json")).read_bytes()
    small = json.loads(whole)
    small["request"]["body"] = {"model": "gpt-5", "input": "hi"}
    error = {"type": "BadRequestError", "message": "Error code: 400 - {'error': {'message': 'no'}}", "status_code": 400}
    return [whole, json.dumps(small).encode(), json.dumps({**small, "error": error}).encode()]


def run(data: bytes) -> str:
    with as_file(data, "request_dump_s_20261101_080000_000000.json") as path:
        return repr(payload.load_dump(path).info)
