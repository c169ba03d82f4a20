"""The control path: a test script changes faults and reads what the provider saw. Never subject to faults.

    GET    /_diag/faults         {"faults": ["idle-close=0.5", ...]}
    PUT    /_diag/faults         the same document: these faults from now on; counting starts again
    DELETE /_diag/faults         none
    GET    /_diag/connections    the tally, every open connection, and the last ones that closed

Only loopback can reach it, and it tells no more than counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hermes_diag.core.errors import UsageError
from hermes_diag.provider import replies
from hermes_diag.provider.exchange import Exchange

if TYPE_CHECKING:
    from hermes_diag.provider.server import Provider

PREFIX = "/_diag/"
#: All there is below it; what else is asked for could be anything, also a secret.
PATHS = {PREFIX + "connections": ("GET",), PREFIX + "faults": ("GET", "PUT", "DELETE")}


class _Faults(msgspec.Struct, forbid_unknown_fields=True):
    faults: list[str]


def answer(provider: Provider, exchange: Exchange) -> None:
    """Answer a request below PREFIX."""
    status, document = _document(provider, exchange.request.method, exchange.request.path, exchange.request.body)
    exchange.fault = "control"
    headers = (("allow", ", ".join(PATHS[exchange.request.path])),) if status == 405 else ()
    exchange.whole(status, document, headers=headers)


def _document(provider: Provider, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    if path not in PATHS:
        return 404, _error("There is /_diag/faults and /_diag/connections.")
    if method not in PATHS[path]:
        return 405, _error("This method is not for this path.")
    if path == PREFIX + "faults":
        return _faults(provider, method, body)
    return 200, msgspec.json.encode(connections(provider))


def _faults(provider: Provider, method: str, body: bytes) -> tuple[int, bytes]:
    try:
        if method == "PUT":
            provider.set_faults(msgspec.json.decode(body, type=_Faults).faults)
        elif method == "DELETE":
            provider.set_faults([])
    except UsageError as exc:
        return 400, _error(f"{exc.message}; {exc.hint}")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 400, _error('The body must be like {"faults": ["idle-close=0.5"]}.')
    return 200, msgspec.json.encode({"faults": [str(fault) for fault in provider.faults]})


def connections(provider: Provider) -> dict[str, Any]:
    """What the provider has seen, as numbers."""
    return {
        "tally": provider.tally(),
        "open": [
            {
                "serial": one.serial,
                "requests": one.requests,
                "bytes_in": one.bytes_in,
                "bytes_out": one.bytes_out,
                "idle": one.idle,
            }
            for one in sorted(provider.open, key=lambda one: one.serial)
        ],
        "closed": list(provider.seen),
    }


def _error(message: str) -> bytes:
    return replies.error(message, "control_error")
