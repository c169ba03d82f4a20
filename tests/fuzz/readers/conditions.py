"""What is written behind options: conditions, filters, faults, expectations, times and sizes; one a line."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from hermes_diag.core import conditions, units
from hermes_diag.core.errors import HermesDiagError
from hermes_diag.core.sockets import SocketRow
from hermes_diag.judge import expectations, settings
from hermes_diag.provider import faults
from hermes_diag.watch import fail_on, filters

READS = (
    "hermes_diag.core.conditions",
    "hermes_diag.judge.expectations",
    "hermes_diag.provider.faults",
    "hermes_diag.watch.fail_on",
    "hermes_diag.watch.filters",
)
_ROW = SocketRow("ESTABLISHED", ("127.0.0.1", 1), ("::ffff:10.0.0.1", 443))

HOW: tuple[Callable[[str], Any], ...] = (
    fail_on.parse,
    lambda text: filters.remotes([text])(_ROW),
    lambda text: filters.states([text]),
    faults.parse,
    lambda text: expectations.parse([text]),
    lambda text: conditions.parse(text, "it", "write another"),
    lambda text: units.time("--interval", text, 0.01, 1e6),
    lambda text: units.size_of("--max-body", text),
    lambda text: settings.environment({"HERMES_DIAG_ALLOW": text, "HERMES_DIAG_FAIL_ON": text}),
)


def seeds() -> list[bytes]:
    return [
        b"close_wait.growth > 5/h\nfds > 80%\nrss.growth > 10M/h\nclose_wait.age > 10m\n",
        b"10.0.0.0/8\n[::1]:443\n127.0.0.1:80\n::ffff:10.0.0.0/104\nfe80::1%eth0\n",
        b"close-wait\nCLOSED\nestablished\n",
        b"rst-mid-stream:every=3\nstall-before-headers=10s\nhttp-429=date:probability=0.1:seed=7\nidle-close=0.5\n",
        b"timeout=600s\nlimits=1000/100\nkeepalive=30/10/3\nproxy=none\nseparate\n",
        b"500ms\n1.5h\n64K\n1G\nclose-releases:2027-01-31:known upstream; x:y:z\n",
    ]


def run(data: bytes) -> str:
    shown, refused = [], None
    lines = data.decode("utf-8", "replace").split("\n")
    begin = zlib.crc32(data) % len(lines)
    for line in lines[begin : begin + 2]:
        for how in HOW:
            try:
                shown.append(repr(how(line)))
            except HermesDiagError as exc:
                refused = exc
    if refused and not shown:
        raise refused
    return ""
