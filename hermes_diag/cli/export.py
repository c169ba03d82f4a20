"""`hermes-diag export`: the numbers of many processes, for Prometheus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hermes_diag.core.errors import UsageError

EXAMPLES = """
  hermes-diag export --gateway
  hermes-diag export --pid 4242 --pid 4243 --listen 127.0.0.1:9464
  hermes-diag export --discover 'hermes*' --max-remotes 10
  hermes-diag export --gateway --textfile /var/lib/node_exporter/hermes-diag.prom
"""

Pids = Annotated[
    list[int] | None, typer.Option("--pid", metavar="PID", show_default=False, help="A process. Repeatable.")
]
Gateway = Annotated[bool, typer.Option("--gateway", help="All running gateways of HERMES_HOME or ~/.hermes.")]
Discover = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN", show_default=False, help="Processes of this name (with * and ?), as they come and go."
    ),
]
Listen = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        show_default="127.0.0.1:9464",
        help="Where to serve /metrics; port 0 lets the kernel choose.",
    ),
]
AllowRemote = Annotated[bool, typer.Option("--allow-remote", help="Let --listen be an address that others can reach.")]
Textfile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", show_default=False, help="Write the metrics there instead, for node_exporter."),
]
Interval = Annotated[str, typer.Option(metavar="TIME", help="From look to look.")]
MaxRemotes = Annotated[
    int, typer.Option(metavar="N", min=0, max=500, help="Remote endpoints with labels of their own.")
]


def command(
    pid: Pids = None,
    gateway: Gateway = False,
    discover: Discover = None,
    listen: Listen = None,
    allow_remote: AllowRemote = False,
    textfile: Textfile = None,
    interval: Interval = "15s",
    max_remotes: MaxRemotes = 20,
) -> int:
    """Serve what `sockets --watch` sees of many processes as metrics for Prometheus, until Ctrl-C.

    Sockets by state and remote, ages, descriptors, threads, memory, growth per hour with its interval, and the
    verdict of the last hours. It only reads, as `sockets` does.
    """
    from hermes_diag.cli import exporting
    from hermes_diag.core import units

    if sum((bool(pid), gateway, discover is not None)) != 1:
        raise UsageError("which processes?", "give one of --pid, --gateway and --discover")
    if textfile and (listen or allow_remote):
        raise UsageError("--textfile serves nothing: --listen and --allow-remote have no effect", "leave them out")
    if allow_remote and not listen:
        raise UsageError("--allow-remote needs --listen", "name the address")
    return exporting.run(
        exporting.Asked(
            pids=tuple(pid or ()),
            discover=discover,
            listen=exporting.address(listen or "127.0.0.1:9464", allow_remote),
            textfile=textfile,
            interval=units.time("--interval", interval, least=0.1, most=3600),
            most=max_remotes,
        )
    )
