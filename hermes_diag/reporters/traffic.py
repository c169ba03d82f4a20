"""What happens on the provider's connections, one line each, and the tally; for people and for machines."""

from __future__ import annotations

import time
from dataclasses import asdict

from hermes_diag.core import units
from hermes_diag.core.escape import fields_of
from hermes_diag.core.evidence import Happened
from hermes_diag.reporters.envelope import encoded

#: Fields that are left out of a JSON line when they say nothing.
_OPTIONAL = ("method", "path", "over", "status", "events", "fault", "closed_first", "how", "phase")


def line(happened: Happened) -> str:
    """`12:00:01.250  #3  closed by provider (fin) after 2 requests, 812 bytes in, 9 014 out`"""
    happened = fields_of(happened)
    clock = time.strftime("%H:%M:%S", time.localtime(happened.at)) + f".{int(happened.at * 1000) % 1000:03d}"
    if happened.what == "phase":  # of the whole provider, no connection's
        return f"{clock}  phase {happened.phase}"
    return f"{clock}  #{happened.connection:<4} {happened.what}{_details(happened)}"


def _details(happened: Happened) -> str:
    if happened.what == "request":
        over = {"WebSocket": " over WebSocket", "upgrade": ", asks for a WebSocket"}.get(happened.over, "")
        return f" {happened.requests} {happened.method} {happened.path}{over}"
    if happened.what == "upgrade":
        return f" {happened.status} {happened.path}" + (f", {happened.fault}" if happened.fault else "")
    if happened.what == "asked for and not here":
        return f": {happened.method} {happened.path}"
    if happened.what in ("proxy opened", "proxy refused"):
        status = f" {happened.status}" if happened.status else ""
        return status + ("" if happened.fault == "healthy" else f", {happened.fault}")
    if happened.what == "proxy closed":
        who = f" first by the {happened.closed_first} ({happened.how})" if happened.closed_first else ""
        return f"{who}, {happened.bytes_in} bytes in, {happened.bytes_out} out"
    if happened.what == "TLS refused":
        return f": {happened.how}" + (", told by the client" if happened.how.startswith("alert ") else "")
    if happened.what in ("answered", "broken off"):
        fault = "" if happened.fault == "healthy" else f", {happened.fault}"
        status = f" {happened.status}" if happened.status else " without a status"
        return f"{status}, {units.count(happened.events, 'event')}{fault}"
    if happened.what == "closed":
        who = f" first by the {happened.closed_first} ({happened.how})" if happened.closed_first else ""
        requests = units.count(happened.requests, "request")
        return f"{who}, {requests}, {happened.bytes_in} bytes in, {happened.bytes_out} out"
    return ""


def as_json(happened: Happened) -> str:
    """The same as one JSON object a line."""
    fields = {key: value for key, value in asdict(happened).items() if value or key not in _OPTIONAL}
    return encoded({"event": fields.pop("what"), **fields})


def tally(counts: dict[str, int]) -> str:
    """The counts, one a line."""
    width = max(map(len, counts), default=0)
    return "\n".join(f"{name:<{width}}  {count}" for name, count in counts.items())
