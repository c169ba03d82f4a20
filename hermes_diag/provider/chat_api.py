"""A reply in the form of the Chat Completions API: as one body, and as the chunks of a stream. Pure."""

from __future__ import annotations

from typing import Any

from hermes_diag.provider.reply import CALL, CREATED_AT, MESSAGE, REFUSAL, Reply


def _usage(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }


def _finish_reason(reply: Reply) -> str:
    return "tool_calls" if any(item.kind == CALL for item in reply.items) else "stop"


def completion(model: str, reply: Reply) -> dict[str, Any]:
    """The body of a reply that is not streamed."""
    texts = [item.text for item in reply.items if item.kind == MESSAGE]
    refusals = [item.text for item in reply.items if item.kind == REFUSAL]
    calls = [
        {"id": f"call_{number + 1}", "type": "function", "function": {"name": item.name, "arguments": item.text}}
        for number, item in enumerate(reply.items)
        if item.kind == CALL
    ]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "\n".join(texts) if texts else None,
        "refusal": "\n".join(refusals) if refusals else None,
    }
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(reply)}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": CREATED_AT,
        "model": model,
        "choices": [choice],
        "usage": _usage(reply),
    }


def chunk(model: str, delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    """One chunk; reason: the finish reason, in the last of a choice."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": CREATED_AT,
        "model": model,
        "choices": [choice],
    }


def chunks(model: str, reply: Reply) -> list[dict[str, Any]]:
    """The chunks of a stream, in order."""
    rows = [chunk(model, {"role": "assistant", "content": ""}, None)]
    calls = 0
    for number, item in enumerate(reply.items):
        if item.kind in (MESSAGE, REFUSAL):
            key = "content" if item.kind == MESSAGE else "refusal"
            rows += (chunk(model, {key: word}, None) for word in item.words)
        elif item.kind == CALL:
            function: dict[str, Any] = {"name": item.name, "arguments": ""}
            opening = {"index": calls, "id": f"call_{number + 1}", "type": "function", "function": function}
            rows.append(chunk(model, {"tool_calls": [opening]}, None))
            rows += (
                chunk(model, {"tool_calls": [{"index": calls, "function": {"arguments": word}}]}, None)
                for word in item.words
            )
            calls += 1
    rows.append(chunk(model, {}, _finish_reason(reply)))
    if reply.usage_chunk:
        rows.append({**chunk(model, {}, None), "choices": [], "usage": _usage(reply)})
    return rows
