"""`hermes-diag serve`: a provider that fails on demand, for a real client to be pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hermes_diag.cli.options import complete

EXAMPLES = """
  hermes-diag serve
  hermes-diag serve --fault idle-close=0.5 --fault rst-mid-stream:every=3 --tls
  hermes-diag serve --plan list
  hermes-diag serve --as-proxy --tls --fault proxy-cut-after=2s:every=3
  hermes-diag serve --port 8080 --reply script.json --require-key
  hermes-diag serve --for codex
  hermes-diag serve --json | jq -c 'select(.event == "closed")'
"""

Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="NAME[=VALUE][:KEY=VALUE]...",
        show_default=False,
        autocompletion=complete.faults,
        help="How to misbehave, see `hermes-diag faults`. Repeatable; the first that applies answers.",
    ),
]
PlanOf = Annotated[
    str | None,
    typer.Option(
        "--plan",
        metavar="FILE|DAY|list",
        show_default=False,
        autocompletion=complete.plans,
        help="Faults as a timeline: a file, or a named day; `list` shows those.",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="PATTERN",
        show_default="gpt-*, o[0-9]*, codex-*, chatgpt-*",
        help="A model there is; any other is answered 404. `*`: any model, and any id of a response. Repeatable.",
    ),
]
Reply = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|echo", show_default=False, help="What to reply: a JSON script, an SSE transcript, or echo."
    ),
]
Record = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        show_default=False,
        help="With --upstream: write the streams that come back, as a transcript for --reply.",
    ),
]
Upstream = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        show_default=False,
        help="With --record: the base URL of a real provider to which requests are passed on.",
    ),
]
AsProxy = Annotated[
    bool, typer.Option("--as-proxy", help="Put a proxy in front of it, too, with faults of its own (proxy-...).")
]
RequireKey = Annotated[bool, typer.Option("--require-key", help="Answer 401 to a request without a bearer key.")]
NoWebsocket = Annotated[
    bool, typer.Option("--no-websocket", help="Answer 426 to an upgrade: clients of WebSockets go on over HTTP.")
]
For = Annotated[
    str,
    typer.Option(
        "--for",
        metavar="CLIENT",
        show_default=False,
        autocompletion=complete.clients,
        help="Print what that client needs: anthropic, azure, codex, codex-login, curl, hermes, litellm, node, python.",
    ),
]
MaxBody = Annotated[str, typer.Option(metavar="SIZE", help="Largest request body; beyond it 413.")]
ControlPort = Annotated[
    int, typer.Option(metavar="PORT", min=0, max=65535, help="Port of the control path; 0 lets the kernel choose.")
]


def command(
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0 lets the kernel choose.")] = 0,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to bind; loopback only.")] = "127.0.0.1",
    fault: Faults = None,
    plan: PlanOf = None,
    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS, with a certificate made on the spot.")] = False,
    as_proxy: AsProxy = False,
    reply: Reply = None,
    model: Models = None,
    require_key: RequireKey = False,
    no_websocket: NoWebsocket = False,
    max_body: MaxBody = "64M",
    control_port: ControlPort = 0,
    client: For = "",
    record: Record = None,
    upstream: Upstream = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line and nothing else.")] = False,
) -> int:
    """Serve the local stand-in for openai-codex until Ctrl-C: any client can be pointed at it.

    Prints the base URL, the lines to copy, a minimal configuration for Hermes, then one line for each
    thing that happens on a connection; Ctrl-C prints the tally. No header, key, body or prompt is shown.
    """
    given = dict(locals())
    from hermes_diag.cli import serving
    from hermes_diag.core import units

    understood = {
        "fault": _faults(fault or ()),
        "model": tuple(model or ()),
        "client": _client(client, tls),
        "max_body": units.size_of("--max-body", max_body),
    }
    return serving.run(serving.Options(**{**given, **understood}))


def _client(name: str, tls: bool) -> str:
    """Raises UsageError for a client that is not known, and for one that asks https only where there is none."""
    from hermes_diag.cli.clients import CLIENTS
    from hermes_diag.core.errors import UsageError
    from hermes_diag.core.text import did_you_mean

    if name and name not in CLIENTS:
        raise UsageError(f"--for {name!r} is no client that is known", did_you_mean(name, CLIENTS, ", ".join(CLIENTS)))
    if name == "codex-login" and not tls:
        raise UsageError("--for codex-login: a Codex with a ChatGPT login asks https only", "add --tls")
    return name


def _faults(given: Sequence[str]) -> tuple[str, ...]:
    """Refuse a fault that would never apply. Raises UsageError."""
    from hermes_diag.core.errors import UsageError
    from hermes_diag.provider import faults
    from hermes_diag.provider.plans import active

    hidden = active.always_first([*map(faults.parse, given)])
    if hidden is not None:
        always, fault = hidden
        raise UsageError(f"--fault {fault}: {always} answers every request first", f"write {always}:every=2")
    return tuple(given)
