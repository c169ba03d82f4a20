"""The control path: a test script changes faults and reads what the provider saw. Faults do not apply to it.

    GET    /_diag/faults         {"faults": ["idle-close=0.5", ...]}
    PUT    /_diag/faults         the same document: these faults from now on; counting starts again
    DELETE /_diag/faults         none
    GET    /_diag/plan           where the plan of `serve --plan` stands; {"plan": null} without one
    GET    /_diag/connections    the tally, every open connection, and the last ones that closed

Only loopback can reach it, and its answers hold no more than counts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hermes_diag.core.errors import UsageError
from hermes_diag.provider.answers import replies
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.service import Service

PREFIX = "/_diag/"
#: All paths below it, with their methods. No other path is logged: it could hold a secret.
PATHS = {
    PREFIX + "connections": ("GET",),
    PREFIX + "faults": ("GET", "PUT", "DELETE"),
    PREFIX + "plan": ("GET",),
}


class _Faults(msgspec.Struct, forbid_unknown_fields=True):
    faults: list[str]


def answer(service: Service, exchange: Exchange) -> None:
    """Answer a request below PREFIX."""
    status, document = _document(service, exchange.request.method, exchange.request.path, exchange.request.body)
    exchange.fault = "control"
    headers = (("allow", ", ".join(PATHS[exchange.request.path])),) if status == 405 else ()
    exchange.whole(status, document, headers=headers)


def _document(service: Service, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    if path not in PATHS:
        return 404, _error("There is /_diag/faults, /_diag/plan and /_diag/connections.")
    if method not in PATHS[path]:
        return 405, _error("This method is not for this path.")
    if path == PREFIX + "faults":
        return _faults(service, method, body)
    if path == PREFIX + "plan":
        return 200, msgspec.json.encode({"plan": None} if service.schedule is None else service.schedule.document())
    return 200, msgspec.json.encode(connections(service))


def _faults(service: Service, method: str, body: bytes) -> tuple[int, bytes]:
    try:
        if method == "PUT":
            service.set_faults(msgspec.json.decode(body, type=_Faults).faults)
        elif method == "DELETE":
            service.set_faults([])
    except UsageError as exc:
        return 400, _error(f"{exc.message}; {exc.hint}")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 400, _error('The body must be like {"faults": ["idle-close=0.5"]}.')
    return 200, msgspec.json.encode({"faults": [str(fault) for fault in service.faults.all]})


def connections(service: Service) -> dict[str, Any]:
    """What the provider has seen, as numbers."""
    return {
        "tally": service.tally(),
        "open": [
            {
                "serial": connection.serial,
                "requests": connection.requests,
                "bytes_in": connection.bytes_in,
                "bytes_out": connection.bytes_out,
                "idle": connection.idle,
            }
            for connection in sorted(service.open, key=lambda connection: connection.serial)
        ],
        "closed": list(service.seen),
    }


def _error(message: str) -> bytes:
    return replies.error(message, "control_error")
