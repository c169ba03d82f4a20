"""Other ends of a reply than a good one, made of the events or the body of the healthy reply. Pure.

What a Responses client is told in a last event, a Chat client is told in its last chunks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hermes_diag.provider.answers import recorded, replies

#: Why a response may have failed, by the code in its `error`: the status of an answer without a stream, and the words.
#: Codex (codex-api/src/sse/responses.rs) tells these apart, and of a rate limit reads "try again in 1.5s".
FAILURES: dict[str, tuple[int, str]] = {
    "server_error": (500, "The server had an error while processing your request."),
    "rate_limit_exceeded": (
        429,
        "Rate limit reached for {model} in organization org-hermes-diag on tokens per min (TPM): Limit 30000, "
        "Used 29900, Requested 850. Please try again in {seconds:g}s.",
    ),
    "insufficient_quota": (
        429,
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
    ),
    "context_length_exceeded": (
        400,
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
    ),
    "server_is_overloaded": (503, "Our servers are currently overloaded. Please try again later."),
}
#: Why a response may be incomplete, and what a Chat client reads as its finish reason.
INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}
#: The type that goes with a code in an error body, where it is not the code itself.
_TYPES = {"rate_limit_exceeded": "tokens", "context_length_exceeded": "invalid_request_error"}


def failure(code: str, model: str, seconds: float) -> tuple[int, str]:
    """(status, message) of a failure. seconds: until a rate limit is over."""
    status, words = FAILURES[code]
    return status, words.format(model=model or "the model", seconds=seconds)


def failure_body(code: str, message: str) -> bytes:
    """The error body of an answer without a stream."""
    return replies.error(message, _TYPES.get(code, code), code=code)


def failed(api: str, healthy: tuple[bytes, ...], sent: int, code: str, message: str) -> bytes:
    """The last event of a stream that fails after `sent` of the healthy events."""
    if api != "responses":
        return replies.sse(json.loads(failure_body(code, message)))
    error = {"code": code, "message": message}
    response = {**(recorded.response(healthy) or {}), "status": "failed", "error": error, "output": [], "usage": None}
    return replies.sse({"type": "response.failed", "response": response, "sequence_number": sent})


def incomplete(healthy: Iterable[bytes], reason: str) -> tuple[bytes, ...]:
    """The events of a stream whose reply stops short: all of the healthy ones, the ends in other words."""
    return tuple(_stopped_event(event, reason) for event in healthy)


def incomplete_body(body: bytes, reason: str) -> bytes:
    """The same of a body without a stream."""
    document = json.loads(body)
    if "choices" in document:
        return json.dumps(_stopped_choices(document, reason)).encode()
    return json.dumps(_stopped_response(document, reason)).encode()


def _stopped_event(event: bytes, reason: str) -> bytes:
    payload = next(iter(recorded.payloads([event])), {})
    if payload.get("type") == "response.completed":
        response = _stopped_response(payload["response"], reason)
        return replies.sse({**payload, "type": "response.incomplete", "response": response})
    if payload.get("type") == "response.output_item.done" and payload["item"].get("type") == "message":
        return replies.sse({**payload, "item": {**payload["item"], "status": "incomplete"}})
    if any(choice.get("finish_reason") for choice in payload.get("choices") or ()):
        return replies.sse(_stopped_choices(payload, reason))
    return event


def _stopped_response(response: dict[str, Any], reason: str) -> dict[str, Any]:
    output = [
        {**item, "status": "incomplete"} if item.get("type") == "message" else item for item in response["output"]
    ]
    return {**response, "status": "incomplete", "incomplete_details": {"reason": reason}, "output": output}


def _stopped_choices(document: dict[str, Any], reason: str) -> dict[str, Any]:
    choices = [{**choice, "finish_reason": INCOMPLETE[reason]} for choice in document["choices"]]
    return {**document, "choices": choices}
