"""A reply in the form of the Responses API: as one body, and as the events of a stream. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hermes_diag.provider.answers.reply import CALL, CREATED_AT, ECHO, REASONING, REFUSAL, STEM, Item, Reply

#: Fields of a response that repeat the request, and what they are where it does not say.
ECHOED: dict[str, Any] = {
    "background": False,
    "conversation": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def echoed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a response that repeat the request."""
    given = {key: body[key] for key in ECHOED if body.get(key) is not None}
    if isinstance(given.get("conversation"), str):
        given["conversation"] = {"id": given["conversation"]}
    if given.get("service_tier") == "auto":
        given["service_tier"] = "default"
    return {**ECHOED, **given}


def response(model: str, status: str, reply: Reply) -> dict[str, Any]:
    """The response object. status: "in_progress", "queued" (no output yet) or "completed"."""
    done = status == "completed"
    return {
        "id": f"resp_{STEM}",
        "object": "response",
        "created_at": CREATED_AT,
        "completed_at": CREATED_AT if done else None,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [item_at(item, number, "completed", reply) for number, item in enumerate(reply.items)]
        if done
        else [],
        ECHO: 0,  # the fields of ECHOED
        "usage": _usage(reply) if done else None,
    }


def document(model: str, reply: Reply) -> dict[str, Any]:
    """The body of a reply that is not streamed."""
    return response(model, "completed", reply)


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


def item_at(item: Item, number: int, status: str, reply: Reply) -> dict[str, Any]:
    """An output item as it stands at its start ("in_progress") or at its end."""
    done = status == "completed"
    own = f"{STEM}{number:02x}"
    if item.kind == REASONING:
        summary = [{"type": "summary_text", "text": item.text}] if done else []
        return {"id": f"rs_{own}", "type": "reasoning", "summary": summary, "encrypted_content": None}
    if item.kind == CALL:
        kind, key = ("custom_tool_call", "input") if item.custom else ("function_call", "arguments")
        return {
            "id": f"{'ctc' if item.custom else 'fc'}_{own}",
            "type": kind,
            "status": status,
            "call_id": f"call_{own}",
            "name": item.name,
            key: item.text if done else "",
        }
    content = [_part(item, item.text, reply)] if done else []
    return {"id": f"msg_{own}", "type": "message", "status": status, "role": "assistant", "content": content}


def _part(item: Item, text: str, reply: Reply) -> dict[str, Any]:
    if item.kind == REFUSAL:
        return {"type": "refusal", "refusal": text}
    logprobs = [one for word in item.words for one in _logprobs(word, reply)] if text else []
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def _logprobs(word: str, reply: Reply) -> list[dict[str, Any]]:
    """The probabilities of one token, where the client asked for them."""
    if reply.logprobs is None:
        return []
    token = {"token": word, "logprob": -0.01, "bytes": list(word.encode())}
    return [{**token, "top_logprobs": [token] * reply.logprobs}]


def events(model: str, reply: Reply) -> list[dict[str, Any]]:
    """The events of a stream, in order, numbered from 0."""
    rows: list[dict[str, Any]] = [
        {"type": "response.created", "response": response(model, "in_progress", reply)},
        {"type": "response.in_progress", "response": response(model, "in_progress", reply)},
    ]
    for number, item in enumerate(reply.items):
        started, ended = (item_at(item, number, status, reply) for status in ("in_progress", "completed"))
        rows.append({"type": "response.output_item.added", "output_index": number, "item": started})
        rows += _inner_events(item, {"item_id": started["id"], "output_index": number}, reply)
        rows.append({"type": "response.output_item.done", "output_index": number, "item": ended})
    rows.append({"type": "response.completed", "response": response(model, "completed", reply)})
    return [{**event, "sequence_number": number} for number, event in enumerate(rows)]


def _inner_events(item: Item, where: dict[str, Any], reply: Reply) -> list[dict[str, Any]]:
    """The events between the start and the end of an item."""
    if item.kind == CALL:
        kind, key = ("custom_tool_call_input", "input") if item.custom else ("function_call_arguments", "arguments")
        named = {"name": item.name} if reply.sdk < (3, 0) and not item.custom else {}
        return [
            *({"type": f"response.{kind}.delta", **where, "delta": word} for word in item.words),
            {"type": f"response.{kind}.done", **where, key: item.text, **named},
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
    told = item.kind != REFUSAL
    kind, key = ("response.output_text", "text") if told else ("response.refusal", "refusal")
    done = _part(item, item.text, reply)
    return [
        {"type": "response.content_part.added", **where, "part": _part(item, "", reply)},
        *(
            {"type": f"{kind}.delta", **where, "delta": word, **({"logprobs": _logprobs(word, reply)} if told else {})}
            for word in item.words
        ),
        {"type": f"{kind}.done", **where, key: item.text, **({"logprobs": done["logprobs"]} if told else {})},
        {"type": "response.content_part.done", **where, "part": done},
    ]


def delta(model: str, text: str) -> dict[str, Any]:
    """One more delta of the first message."""
    where = {"item_id": f"msg_{STEM}00", "output_index": 0, "content_index": 0}
    return {"type": "response.output_text.delta", **where, "delta": text, "logprobs": [], "sequence_number": 4}


def error_event(message: str, number: int) -> dict[str, Any]:
    """The event of an error in a stream; number: how many events came before it."""
    return {"type": "error", "code": "server_error", "message": message, "param": None, "sequence_number": number}
