"""How each request is answered: by a reply of an API, an endpoint beside them, the control path; and what is refused.

Requests are refused as the real provider refuses them where a client can tell the difference. Faults
apply to valid requests for a reply only, unless a fault names another path: a client that asks for
/v1/models first must not use up a fault that applies once.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from hermes_diag.provider.answers import asked, refusals, replies
from hermes_diag.provider.answers.due import Understood
from hermes_diag.provider.answers.place import Place
from hermes_diag.provider.answers.refusals import INVALID
from hermes_diag.provider.answers.reply import Reply, Usage
from hermes_diag.provider.answers.store import Answer
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.faults import Fault
from hermes_diag.provider.plans import active
from hermes_diag.provider.protocols import visitors
from hermes_diag.provider.protocols.http1 import Wire, decoded
from hermes_diag.provider.protocols.request import Request
from hermes_diag.provider.routing import control, metering, models, upgrade
from hermes_diag.provider.routing.endpoints.asked import Asked, Refused
from hermes_diag.provider.routing.paths import place
from hermes_diag.provider.service import Service
from hermes_diag.provider.transport.connection import Connection
from hermes_diag.provider.turns import Turn
from hermes_diag.worker.contract import FAULT_HEADER

if TYPE_CHECKING:
    from hermes_diag.provider.protocols.stream import Stream

#: The part of an answer that has not gone out at once.
Rest = Coroutine[Any, Any, None]

#: faults/hold.py
HOLD = "hold"
#: What the log and the tally call an answer that no fault gave.
REFUSED, NOT_HERE, PASSED_ON = "refused", "not here", "passed on"

_NO_KEY = 401, replies.error("You didn't provide an API key.", INVALID, code="missing_api_key")
_NOT_HERE = replies.error("Unknown request URL. Please check the URL for typos.", INVALID, code="unknown_url")
_METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "POST")


def exchange(service: Service, connection: Connection, wire: Wire | Turn | Stream, request: Request) -> Exchange:
    """The exchange that a request begins; what of it cannot be understood is left empty."""
    at = place(request.path)
    if at.path != request.path:
        request = replace(request, path=at.path)
    upgrades = at.api == "responses" and upgrade.asked(request)
    api = "" if upgrades else at.api
    if isinstance(wire, Turn):
        body = wire.asked
    else:
        wanted = request.body and (at.handlers or (at.api and request.method == "POST"))
        body = decoded(request.body) if wanted else None
    told = body or {}
    model = told.get("model") or at.model
    model = model if isinstance(model, str) else ""
    understood = Understood(request, at, api, model, told.get("stream") is True, body)

    def take() -> tuple[Reply, int | None]:
        return _reply(service, wire, api, told, request)

    def beside() -> bytes:
        return _beside(service, at, request, told)[1]

    begun = Exchange(connection, wire, understood, take, beside, service.body_limit)
    begun.phase = service.phase
    return begun


def keep(service: Service, exchange: Exchange) -> None:
    """Keep an answer that was given in full, as far as its API keeps answers; its tokens count for a quota."""
    if service.faults.quota is not None:
        service.faults.quota.spend(exchange.reply.usage.output, time.monotonic())
    body = exchange.asked or {}
    question = body.get("input", body.get("messages"))
    answer = Answer(exchange.api, exchange.model, exchange.reply, exchange.marks, question)
    if isinstance(metadata := body.get("metadata"), dict):
        answer.metadata = metadata
    if exchange.in_background:
        answer.states = ["in_progress"]
    service.store.keep(answer, body, len(exchange.request.body))


def _reply(
    service: Service, wire: Wire | Turn | Stream, api: str, body: dict[str, Any], request: Request
) -> tuple[Reply, int | None]:
    number: int | None = None
    if isinstance(wire, Turn) and wire.warm_up:
        reply = Reply((), Usage(output=0))
    else:
        reply, number = service.next_reply(api)
    return asked.fitted(reply, body, request.headers), number


def dispatch(service: Service, exchange: Exchange) -> Rest | None:
    """Answer; what takes time is returned as a coroutine, to be awaited."""
    request, at = exchange.request, exchange.place
    over = "WebSocket" if exchange.turn else "upgrade" if at.api and not exchange.api else ""
    exchange.connection.say("request", method=_method(request.method), path=at.name, over=over)
    if why := visitors.why_refused(request.headers):
        _say(service, exchange, 403, replies.error(why, INVALID, code="forbidden"))
        return None
    if request.path.startswith(control.PREFIX):
        control.answer(service.subject or service, exchange)
        return None
    if service.subject is not None:
        exchange.fault = NOT_HERE
        exchange.whole(404, replies.error("Only the control path is served here.", INVALID, code="unknown_url"))
        return None
    if at.api and request.method == "POST":
        service.posts += 1
        refusal = _refusal(service, exchange)
        if refusal is None and exchange.turn is not None and exchange.turn.warm_up:
            exchange.healthy()  # it uses up no fault: it is not what a client waits for
            return None
        if refusal is None:
            return _misbehave(service, exchange)
    elif at.methods and _lacks_key(service, request):
        refusal = _NO_KEY
    elif over:
        return upgrade.answer(service, exchange)
    elif (fault := service.faults.for_request(exchange) if service.faults.covers(request.path) else None) is not None:
        return _led_by(fault, exchange)
    else:
        refusal = _beside(service, at, request, exchange.asked or {})
    _say(service, exchange, *refusal)
    return None


def _say(service: Service, exchange: Exchange, status: int, body: bytes) -> None:
    """Answer what no reply answers; an error in the form of its API."""
    at = exchange.place
    if status >= 400:
        exchange.fault = REFUSED if at.methods else NOT_HERE
        body = replies.error_of("messages" if at.name.startswith("/v1/messages") else exchange.api, status, body)
    if not at.methods and at.name not in service.not_here:
        service.not_here.add(at.name)
        exchange.connection.say("asked for and not here", method=_method(exchange.request.method), path=at.name)
    exchange.whole(status, body, headers=(("allow", ", ".join(at.methods)),) if status == 405 else ())


def _misbehave(service: Service, exchange: Exchange) -> Rest | None:
    if service.faults.quota is not None and metering.refuses(service.faults.quota, exchange):
        return None
    wanted = exchange.request.headers.get(FAULT_HEADER)
    if not wanted and service.hold_next:
        service.hold_next, wanted = False, HOLD
    fault = active.by_header(wanted) if wanted else service.faults.for_request(exchange)
    if fault is None and wanted:
        _say(service, exchange, 400, replies.error("No such fault.", INVALID))
    elif fault is None and service.upstream is not None:
        exchange.fault = PASSED_ON
        return service.upstream.answer(exchange)
    elif fault is None:
        exchange.healthy()
    else:
        return _led_by(fault, exchange)
    return None


def _led_by(fault: Fault, exchange: Exchange) -> Rest | None:
    """Let a fault answer, unless it means nothing to this kind of answer."""
    lacks = "no stream" if fault.entry.streams_only and not exchange.streamed else ""
    lacks = lacks or ("no HTTP/2" if fault.entry.needs_http2 and exchange.stream is None else "")
    if not lacks:
        exchange.fault = fault.name
        return fault.answer(exchange)
    exchange.fault = f"{fault.name} (not applied: {lacks})"
    exchange.healthy()
    return None


def _refusal(service: Service, exchange: Exchange) -> tuple[int, bytes] | None:
    """Why a request for a reply is refused, None when it is not."""
    if _lacks_key(service, exchange.request):
        return _NO_KEY
    if exchange.turn is not None and exchange.turn.refusal is not None:
        return exchange.turn.refusal
    body = exchange.asked
    if body is None:
        return 400, replies.error("We could not parse the JSON body of your request.", INVALID)
    if not service.has_reply(exchange.api):
        return 400, replies.error(f"The transcript holds no stream of {exchange.place.name}.", INVALID)
    if service.models is None:
        return None
    if not exchange.model:
        return 400, replies.error("you must provide a model parameter", INVALID, param="model")
    if not models.known(exchange.model, service.models):
        return 404, refusals.no_model()
    if exchange.api in ("chat", "messages") and not isinstance(body.get("messages"), list):
        message = "Missing required parameter: 'messages'."
        return 400, replies.error(message, INVALID, param="messages", code="missing_required_parameter")
    previous = body.get("previous_response_id")
    if exchange.turn is None and isinstance(previous, str) and service.store.answer("responses", previous) is None:
        return 400, refusals.no_previous(previous)
    return None


def _lacks_key(service: Service, request: Request) -> bool:
    """Whether a key is missing where one is needed: a bearer key, Azure's or Anthropic's header."""
    if not service.require_key:
        return False
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    given = scheme.lower() == "bearer" and key.strip()
    return not (given or request.headers.get("api-key") or request.headers.get("x-api-key"))


def _beside(service: Service, at: Place, request: Request, body: dict[str, Any]) -> tuple[int, bytes]:
    """The answer of an endpoint beside the APIs that reply."""
    if not at.methods:
        return 404, _NOT_HERE
    method = "GET" if request.method == "HEAD" else request.method
    handler = at.handler(method)
    if handler is None:
        return 405, replies.error(f"Not allowed to {_method(request.method)} on {at.name}", INVALID)
    if method == "POST" and request.body and not body and request.body.strip() != b"{}":
        return 400, replies.error("We could not parse the JSON body of your request.", INVALID)
    try:
        return 200, msgspec.json.encode(handler(Asked(service, method, body, request.query, at.ids, request.headers)))
    except Refused as refused:
        return refused.status, refused.body


def _method(method: str) -> str:
    return method if method in _METHODS else "do that"
