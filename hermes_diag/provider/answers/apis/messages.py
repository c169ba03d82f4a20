"""A reply in the form of Anthropic's Messages API: as one body, and as the events of a stream. Pure."""

from __future__ import annotations

import json
from typing import Any

from hermes_diag.provider.answers.reply import CALL, REASONING, REFUSAL, STEM, Item, Reply

#: The type of an error by its status.
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def _usage(reply: Reply, output: int) -> dict[str, Any]:
    usage = {"input_tokens": reply.usage.input, "output_tokens": output, "cache_creation_input_tokens": 0}
    return {**usage, "cache_read_input_tokens": reply.usage.cached, "service_tier": "standard"}


def _stop(reply: Reply) -> str:
    if any(item.kind == CALL for item in reply.items):
        return "tool_use"
    return "refusal" if any(item.kind == REFUSAL for item in reply.items) else "end_turn"


def _block(item: Item, number: int) -> dict[str, Any]:
    if item.kind == REASONING:
        return {"type": "thinking", "thinking": item.text, "signature": f"sig{STEM}"}
    if item.kind == CALL:
        tool = {"type": "tool_use", "id": f"toolu_{STEM}{number:02x}", "name": item.name}
        return {**tool, "input": {"input": item.text} if item.custom else json.loads(item.text)}
    return {"type": "text", "text": item.text}


def _message(model: str, reply: Reply, done: bool) -> dict[str, Any]:
    return {
        "id": f"msg_{STEM}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_block(item, number) for number, item in enumerate(reply.items)] if done else [],
        "stop_reason": _stop(reply) if done else None,
        "stop_sequence": None,
        "usage": _usage(reply, reply.usage.output if done else 1),
    }


def document(model: str, reply: Reply) -> dict[str, Any]:
    """The body of a reply that is not streamed."""
    return _message(model, reply, True)


def events(model: str, reply: Reply) -> list[dict[str, Any]]:
    """The events of a stream, in order."""
    rows: list[dict[str, Any]] = [
        {"type": "message_start", "message": _message(model, reply, False)},
        {"type": "ping"},
    ]
    for number, item in enumerate(reply.items):
        rows += _block_events(item, number)
    ending = {"stop_reason": _stop(reply), "stop_sequence": None}
    rows.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": reply.usage.output}})
    return [*rows, {"type": "message_stop"}]


def _block_events(item: Item, number: int) -> list[dict[str, Any]]:
    block = _block(item, number)
    if item.kind == REASONING:
        empty, kind, key = {**block, "thinking": "", "signature": ""}, "thinking_delta", "thinking"
    elif item.kind == CALL:
        empty, kind, key = {**block, "input": {}}, "input_json_delta", "partial_json"
    else:
        empty, kind, key = {**block, "text": ""}, "text_delta", "text"
    words = (json.dumps(block["input"]),) if item.custom else item.words
    deltas: list[dict[str, Any]] = [{"type": kind, key: word} for word in words]
    if item.kind == REASONING:
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return [
        {"type": "content_block_start", "index": number, "content_block": empty},
        *({"type": "content_block_delta", "index": number, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": number},
    ]


def delta(model: str, text: str) -> dict[str, Any]:
    """One more delta of the first block."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def error_event(message: str, number: int) -> dict[str, Any]:
    """The event of an error in a stream; number: how many events came before it."""
    return {"type": "error", "error": {"type": "api_error", "message": message}}
