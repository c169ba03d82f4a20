"""gateway.pid of Hermes."""

from __future__ import annotations

import json
import os

from fuzz.frame import as_file
from hermes_diag.hermes import home

READS = ("hermes_diag.hermes.home",)


def seeds() -> list[bytes]:
    pid = os.getpid()
    return [b"%d\n" % pid, json.dumps({"pid": pid, "kind": "gateway", "argv": ["x"], "start_time": 1}).encode()]


def run(data: bytes) -> str:
    with as_file(data, home.PID_FILE) as path:
        return repr(home.gateways(path.parent))
