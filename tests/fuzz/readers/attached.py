"""What a process writes that is asked by `sockets --attach`, and what py-spy prints of one."""

from __future__ import annotations

import json

from fuzz.frame import as_file
from hermes_diag.core.errors import CannotMeasure
from hermes_diag.leakguard.attach import ask

READS = ("hermes_diag.leakguard.attach.ask", "hermes_diag.watch.attached")


def seeds() -> list[bytes]:
    found = {
        "why": "", "blocks": 10, "frozen": 0,
        "holders": [[3, "socket.socket", "module", ["app", "client", "_sock"]]],
        "pools": [["httpcore.ConnectionPool", "module", ["app"], 100, 1, 0, 0, 0]],
    }  # fmt: skip
    refused = {"refused": "large"}
    return [f"{json.dumps(one)}\n0.004\n".encode() for one in (found, refused, {"failed": "KeyError", "line": 3})]


def run(data: bytes) -> str:
    with as_file(data, "found.json") as path:
        found = ask._read(1, path)
    if not found:
        raise CannotMeasure("nothing")
    return repr(found)
