"""How the upgrade of a connection to a WebSocket is answered: `GET /v1/responses` with `Upgrade: websocket`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from hermes_diag.provider.answers import replies
from hermes_diag.provider.answers.refusals import INVALID
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.protocols.request import Request
from hermes_diag.provider.service import Service

_NOT_HERE = replies.error("WebSockets are not served here; use POST.", INVALID)


def asked(request: Request) -> bool:
    """Whether a request asks for a WebSocket."""
    return request.method == "GET" and request.headers.get("upgrade", "").strip().lower() == "websocket"


def answer(service: Service, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
    """Accept, refuse or misbehave. With an upstream there is nobody to pass turns on to: Codex and others go on
    with POST at once when they are answered 426."""
    if not service.websocket or service.upstream is not None:
        exchange.whole(426, _NOT_HERE)
        return None
    fault = service.faults.for_upgrade(exchange)
    if fault is not None:
        exchange.fault = fault.name
        return fault.answer(exchange)
    exchange.accept()
    return None
