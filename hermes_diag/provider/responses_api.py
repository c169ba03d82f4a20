"""A reply in the form of the Responses API: as one body, and as the events of a stream. Pure."""

from __future__ import annotations

from typing import Any

from hermes_diag.provider.reply import CALL, CREATED_AT, REASONING, REFUSAL, Item, Reply


def response(model: str, status: str, reply: Reply) -> dict[str, Any]:
    """The response object. status: "in_progress" (no output yet) or "completed"."""
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
        "output": [_item(item, number, "completed") for number, item in enumerate(reply.items)] if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(reply) if done else None,
        "user": None,
    }


def _usage(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    details = {"cached_tokens": usage.cached}
    if reply.sdk >= (2, 45):
        details["cache_write_tokens"] = 0
    return {
        "input_tokens": usage.input,
        "input_tokens_details": details,
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def _item(item: Item, number: int, status: str) -> dict[str, Any]:
    """An output item as it stands at its start ("in_progress") or at its end."""
    done = status == "completed"
    if item.kind == REASONING:
        summary = [{"type": "summary_text", "text": item.text}] if done else []
        return {"id": f"rs_{number + 1}", "type": "reasoning", "summary": summary, "encrypted_content": None}
    if item.kind == CALL:
        return {
            "id": f"fc_{number + 1}",
            "type": "function_call",
            "status": status,
            "call_id": f"call_{number + 1}",
            "name": item.name,
            "arguments": item.text if done else "",
        }
    content = [_part(item, item.text)] if done else []
    return {"id": f"msg_{number + 1}", "type": "message", "status": status, "role": "assistant", "content": content}


def _part(item: Item, text: str) -> dict[str, Any]:
    if item.kind == REFUSAL:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def events(model: str, reply: Reply) -> list[dict[str, Any]]:
    """The events of a stream, in order, numbered from 0."""
    rows: list[dict[str, Any]] = [
        {"type": "response.created", "response": response(model, "in_progress", reply)},
        {"type": "response.in_progress", "response": response(model, "in_progress", reply)},
    ]
    for number, item in enumerate(reply.items):
        started, ended = _item(item, number, "in_progress"), _item(item, number, "completed")
        rows.append({"type": "response.output_item.added", "output_index": number, "item": started})
        rows += _inner_events(item, {"item_id": started["id"], "output_index": number}, reply.sdk)
        rows.append({"type": "response.output_item.done", "output_index": number, "item": ended})
    rows.append({"type": "response.completed", "response": response(model, "completed", reply)})
    return [{**event, "sequence_number": number} for number, event in enumerate(rows)]


def _inner_events(item: Item, where: dict[str, Any], sdk: tuple[int, int]) -> list[dict[str, Any]]:
    """The events between the start and the end of an item."""
    if item.kind == CALL:
        kind = "response.function_call_arguments"
        named = {"name": item.name} if sdk < (3, 0) else {}
        return [
            *({"type": f"{kind}.delta", **where, "delta": word} for word in item.words),
            {"type": f"{kind}.done", **where, "arguments": item.text, **named},
        ]
    if item.kind == REASONING:
        where = {**where, "summary_index": 0}
        kind, part = "response.reasoning_summary", {"type": "summary_text", "text": ""}
        return [
            {"type": f"{kind}_part.added", **where, "part": part},
            *({"type": f"{kind}_text.delta", **where, "delta": word} for word in item.words),
            {"type": f"{kind}_text.done", **where, "text": item.text},
            {"type": f"{kind}_part.done", **where, "part": {**part, "text": item.text}},
        ]
    where = {**where, "content_index": 0}
    kind, key = ("response.refusal", "refusal") if item.kind == REFUSAL else ("response.output_text", "text")
    extra: dict[str, Any] = {} if item.kind == REFUSAL else {"logprobs": []}
    return [
        {"type": "response.content_part.added", **where, "part": _part(item, "")},
        *({"type": f"{kind}.delta", **where, "delta": word, **extra} for word in item.words),
        {"type": f"{kind}.done", **where, key: item.text, **extra},
        {"type": "response.content_part.done", **where, "part": _part(item, item.text)},
    ]
