"""What a healthy provider says: Responses and Chat Completions, streamed and not. Pure.

A reply is a sequence of encoded SSE events (bytes), cached: it does not depend on the request.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

TEXT = ("Every", " socket", " you", " open", " is", " yours", " to", " close.")
CREATED_AT = 1_700_000_000  # fixed, so that the same request gets the same bytes
#: Ends a chat stream; a mark and no event, which the SDK swallows.
DONE = b"data: [DONE]\n\n"
USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": len(TEXT),
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 12 + len(TEXT),
}


def sse(payload: dict[str, Any]) -> bytes:
    """One server-sent event; a typed one carries its name, as the real provider's do."""
    name = f"event: {payload['type']}\n" if "type" in payload else ""
    return f"{name}data: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()


@lru_cache(maxsize=64)
def stream(api: str, model: str) -> tuple[bytes, ...]:
    """The events of one streamed reply, in order, the terminal one last."""
    if api == "responses":
        return tuple(sse(event) for event in _responses_events(model))
    return (*(sse(chunk) for chunk in _chat_chunks(model)), DONE)


@lru_cache(maxsize=64)
def whole(api: str, model: str) -> bytes:
    """The body of a reply that is not streamed."""
    return json.dumps(_response(model, "completed") if api == "responses" else _chat(model)).encode()


def models() -> bytes:
    """The body of GET /v1/models."""
    one = {"id": "gpt-5", "object": "model", "created": CREATED_AT, "owned_by": "hermes-diag"}
    return json.dumps({"object": "list", "data": [one]}).encode()


def error(message: str, kind: str) -> bytes:
    """An error body in the provider's form."""
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": None}}).encode()


def _message(status: str, text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}] if text else []
    return {"id": "msg_1", "type": "message", "status": status, "role": "assistant", "content": content}


def _response(model: str, status: str) -> dict[str, Any]:
    done = status == "completed"
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED_AT,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": model,
        "output": [_message("completed", "".join(TEXT))] if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": USAGE if done else None,
        "user": None,
    }


def _responses_events(model: str) -> list[dict[str, Any]]:
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    text = "".join(TEXT)
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(model, "in_progress")},
        {"type": "response.in_progress", "response": _response(model, "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": _message("in_progress", "")},
        {"type": "response.content_part.added", **where, "part": part},
        *({"type": "response.output_text.delta", **where, "delta": word, "logprobs": []} for word in TEXT),
        {"type": "response.output_text.done", **where, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **where, "part": {**part, "text": text}},
        {"type": "response.output_item.done", "output_index": 0, "item": _message("completed", text)},
        {"type": "response.completed", "response": _response(model, "completed")},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _chat_usage() -> dict[str, int]:
    return {
        "prompt_tokens": USAGE["input_tokens"],  # type: ignore[dict-item]
        "completion_tokens": len(TEXT),
        "total_tokens": USAGE["total_tokens"],  # type: ignore[dict-item]
    }


def _chat(model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(TEXT), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": CREATED_AT,
        "model": model,
        "choices": [choice],
        "usage": _chat_usage(),
    }


def _chat_chunks(model: str) -> list[dict[str, Any]]:
    def chunk(delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": CREATED_AT,
            "model": model,
            "choices": [choice],
        }

    return [
        chunk({"role": "assistant", "content": ""}, None),
        *(chunk({"content": word}, None) for word in TEXT),
        chunk({}, "stop"),
    ]
