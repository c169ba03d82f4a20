"""The file in which `bisect` keeps what it has found out."""

from __future__ import annotations

from fuzz.frame import as_file
from hermes_diag.run import bisection

READS = ("hermes_diag.run.bisection",)


def seeds() -> list[bytes]:
    trial = (
        '{"workload":"steady","word":"ok","codes":["a"],"summaries":["b"],"turns":4,"left":{"fds":0.5,"posts":null},'
    )
    runs = '{"a":[[' + trial + '"seconds":1.5,"missing":""}]]}'
    return [('{"question":"q","runs":' + runs + ',"schema":1}').encode(), b'{"question":"q","runs":{},"schema":1}']


def run(data: bytes) -> str:
    with as_file(data, "state.json") as path:
        return repr(bisection.load(path, "q"))
