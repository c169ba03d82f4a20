"""How each path is answered: the two APIs, the list of models, the control path; and what is refused.

Requests are refused as the real provider refuses them where a client can tell the difference. Faults
apply to valid requests of the two APIs only, unless a fault names another path: a client that asks for
/v1/models first must not use up a fault that applies once.
"""

from __future__ import annotations

import re
import string
from collections.abc import Coroutine
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from hermes_diag.provider import active, control, replies
from hermes_diag.provider.connection import Connection
from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.reply import Reply
from hermes_diag.provider.service import Service
from hermes_diag.provider.wire import Request, Wire
from hermes_diag.worker.contract import FAULT_HEADER

if TYPE_CHECKING:
    from hermes_diag.provider.stream import Stream

#: The part of an answer that has not gone out at once.
Rest = Coroutine[Any, Any, None]

APIS = {
    "/v1/responses": "responses",
    "/backend-api/codex/responses": "responses",
    "/v1/chat/completions": "chat",
}
MODELS = "/v1/models"
#: faults/hold.py
HOLD = "hold"
#: An Azure client names the deployment in the path; one that was led to /v1 does so there.
_AZURE = re.compile(r"/(openai|openai/v1|v1)(/deployments/[^/]+)?(?P<api>/responses|/chat/completions)")
#: The model that is named where one must be.
MODEL = "gpt-5"
#: The models that `serve` knows unless told otherwise.
KNOWN_MODELS = ("gpt-*", "o[0-9]*", "codex-*", "chatgpt-*")

_INVALID = "invalid_request_error"
_NO_KEY = 401, replies.error("You didn't provide an API key.", _INVALID, code="missing_api_key")


def name(path: str) -> str:
    """A path as it may be logged. One that the provider does not know could hold a secret."""
    return path if path in APIS or path in control.PATHS or path == MODELS else "another path"


def exchange(service: Service, connection: Connection, wire: Wire | Stream, request: Request) -> Exchange:
    """The exchange that a request begins; what of it cannot be understood is left empty."""
    request = _meant(request)
    api = APIS.get(request.path, "")
    body = (_decoded(request.body) if api and request.method == "POST" else None) or {}
    model = body.get("model")

    def reply() -> Reply:
        return service.next_reply(api).for_request(body, request.headers)

    model = model if isinstance(model, str) else ""
    streamed = body.get("stream") is True
    return Exchange(connection, wire, request, api, model, streamed, reply, model_names(service.models))


def _meant(request: Request) -> Request:
    """A request by the path that it means: of Azure's paths those of the APIs."""
    match = _AZURE.fullmatch(request.path)
    return replace(request, path=f"/v1{match['api']}") if match else request


@cache
def model_names(patterns: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names to list as models: at least one, each matched by one of the patterns (None: any name)."""
    if patterns is None:
        return (MODEL,)
    names = [MODEL, *(pattern for pattern in patterns if not set(pattern) & set("*?["))]
    known = tuple(dict.fromkeys(name for name in names if _is_known(name, patterns)))
    return known or tuple(name for name in map(_instance, patterns) if _is_known(name, patterns))[:1]


def _is_known(model: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in patterns)


def _instance(pattern: str) -> str:
    """A name that matches a pattern: "" for each `*`, for each other wildcard the first character that it takes."""

    def character(wildcard: re.Match[str]) -> str:
        letters = string.ascii_lowercase + string.digits + string.punctuation
        return next((letter for letter in letters if fnmatchcase(letter, wildcard[0])), "")

    return re.sub(r"\?|\[!?\]?[^\]]*\]", character, pattern.replace("*", ""))


def _decoded(body: bytes) -> dict[str, Any] | None:
    """A body that is a JSON object, else None."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def dispatch(service: Service, exchange: Exchange) -> Rest | None:
    """Answer; what takes time is returned as a coroutine, to be awaited."""
    request = exchange.request
    exchange.connection.say("request", path=name(request.path))
    if request.path.startswith(control.PREFIX):
        control.answer(service.subject or service, exchange)
        return None
    if service.subject is not None:
        exchange.whole(404, replies.error("Only the control path is served here.", _INVALID, code="unknown_url"))
        return None
    if exchange.api:
        service.posts += 1
        refusal = _refusal(service, exchange)
        if refusal is None:
            return _misbehave(service, exchange)
    elif request.path == MODELS and _lacks_key(service, request):
        refusal = _NO_KEY
    else:
        fault = service.faults.for_request(exchange) if service.faults.covers(request.path) else None
        if fault is not None:
            exchange.fault = fault.name
            return fault.answer(exchange)
        refusal = _elsewhere(service, exchange)
    status, body = refusal
    headers = (("allow", "GET" if request.path == MODELS else "POST"),) if status == 405 else ()
    exchange.whole(status, body, headers=headers)
    return None


def _misbehave(service: Service, exchange: Exchange) -> Rest | None:
    wanted = exchange.request.headers.get(FAULT_HEADER)
    if not wanted and service.hold_next:
        service.hold_next, wanted = False, HOLD
    fault = active.by_header(wanted) if wanted else service.faults.for_request(exchange)
    if fault is None and wanted:
        exchange.whole(400, replies.error("No such fault.", _INVALID))
    elif fault is None and service.upstream is not None:
        exchange.fault = "passed on"
        return service.upstream.answer(exchange)
    elif fault is None:
        exchange.healthy()
    else:
        exchange.fault = fault.name
        return fault.answer(exchange)
    return None


def _refusal(service: Service, exchange: Exchange) -> tuple[int, bytes] | None:
    """Why a request to one of the APIs is refused, None when it is not."""
    request = exchange.request
    if request.method != "POST":
        return 405, replies.error(f"Not allowed to {_method(request.method)} on {request.path}", _INVALID)
    if _lacks_key(service, request):
        return _NO_KEY
    body = _decoded(request.body)
    if body is None:
        return 400, replies.error("We could not parse the JSON body of your request.", _INVALID)
    if not service.has_reply(exchange.api):
        return 400, replies.error(f"The transcript holds no stream of {request.path}.", _INVALID)
    if service.models is None:
        return None
    if not exchange.model:
        return 400, replies.error("you must provide a model parameter", _INVALID, param="model")
    if not _is_known(exchange.model, service.models):
        message = "The model does not exist or you do not have access to it."
        return 404, replies.error(message, _INVALID, param="model", code="model_not_found")
    if exchange.api == "chat" and not isinstance(body.get("messages"), list):
        message = "Missing required parameter: 'messages'."
        return 400, replies.error(message, _INVALID, param="messages", code="missing_required_parameter")
    return None


def _lacks_key(service: Service, request: Request) -> bool:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return service.require_key and not (scheme.lower() == "bearer" and key.strip())


def _elsewhere(service: Service, exchange: Exchange) -> tuple[int, bytes]:
    method, path = exchange.request.method, exchange.request.path
    if path != MODELS:
        return 404, replies.error("Unknown request URL. Please check the URL for typos.", _INVALID, code="unknown_url")
    if method != "GET":
        return 405, replies.error(f"Not allowed to {_method(method)} on {path}", _INVALID)
    return 200, replies.models(model_names(service.models))


def _method(method: str) -> str:
    return method if method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "POST") else "do that"
