"""A reply in the form of the Chat Completions API: as one body, and as the chunks of a stream. Pure."""

from __future__ import annotations

from typing import Any

from hermes_diag.provider.answers.reply import CALL, CREATED_AT, MESSAGE, REFUSAL, STEM, Item, Reply

_ID = f"chatcmpl-{STEM}"


def _usage(reply: Reply) -> dict[str, Any]:
    usage, output = reply.usage, reply.usage.output * reply.choices
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": output,
        "total_tokens": usage.input + output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }


def finish_reason(reply: Reply) -> str:
    return "tool_calls" if any(item.kind == CALL for item in reply.items) else "stop"


def call_id(number: int, choice: int = 0) -> str:
    """The id of the call that is item `number` of that choice."""
    return f"call_{STEM}{choice:02x}{number:02x}"


def _called(item: Item, arguments: str) -> dict[str, Any]:
    """The fields of a call beside its id and index."""
    if item.custom:
        return {"type": "custom", "custom": {"name": item.name, "input": arguments}}
    return {"type": "function", "function": {"name": item.name, "arguments": arguments}}


def document(model: str, reply: Reply) -> dict[str, Any]:
    """The body of a reply that is not streamed."""
    texts = [item.text for item in reply.items if item.kind == MESSAGE]
    refusals = [item.text for item in reply.items if item.kind == REFUSAL]
    words = [word for item in reply.items if item.kind == MESSAGE for word in item.words]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "\n".join(texts) if texts else None,
        "refusal": "\n".join(refusals) if refusals else None,
        "annotations": [],
    }
    choices = []
    for choice in range(reply.choices):
        calls = [
            {"id": call_id(number, choice), **_called(item, item.text)}
            for number, item in enumerate(reply.items)
            if item.kind == CALL
        ]
        own = {**message, "tool_calls": calls} if calls else message
        shown = {"index": choice, "message": own, "logprobs": _logprobs(words, reply)}
        choices.append({**shown, "finish_reason": finish_reason(reply)})
    return {**_head(model, "chat.completion"), "choices": choices, "usage": _usage(reply)}


def _head(model: str, kind: str) -> dict[str, Any]:
    head = {"id": _ID, "object": kind, "created": CREATED_AT, "model": model}
    return {**head, "service_tier": "default", "system_fingerprint": "fp_hermes_diag"}


def _logprobs(words: list[str], reply: Reply) -> dict[str, Any] | None:
    """The probabilities of tokens, where the client asked for them."""
    if reply.logprobs is None or not words:
        return None
    tokens = [{"token": word, "logprob": -0.01, "bytes": list(word.encode())} for word in words]
    return {"content": [{**token, "top_logprobs": [token] * reply.logprobs} for token in tokens], "refusal": None}


def chunk(
    model: str, delta: dict[str, Any], reason: str | None, choice: int = 0, logprobs: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One chunk; reason: the finish reason, in the last of a choice."""
    shown = {"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    return {**_head(model, "chat.completion.chunk"), "choices": [shown]}


def events(model: str, reply: Reply) -> list[dict[str, Any]]:
    """The chunks of a stream, in order; with the tokens in the last one if the client asked for them."""
    rows = [one for choice in range(reply.choices) for one in _choice(model, reply, choice)]
    if reply.usage_chunk:  # all others then say that it is not there yet
        rows = [{**row, "usage": None} for row in rows]
        rows.append({**_head(model, "chat.completion.chunk"), "choices": [], "usage": _usage(reply)})
    return rows


def _choice(model: str, reply: Reply, choice: int) -> list[dict[str, Any]]:
    rows = [chunk(model, {"role": "assistant", "content": "", "refusal": None}, None, choice)]
    calls = 0
    for number, item in enumerate(reply.items):
        if item.kind == MESSAGE:
            rows += (chunk(model, {"content": word}, None, choice, _logprobs([word], reply)) for word in item.words)
        elif item.kind == REFUSAL:
            rows += (chunk(model, {"refusal": word}, None, choice) for word in item.words)
        elif item.kind == CALL:
            opening = {"index": calls, "id": call_id(number, choice), **_called(item, "")}
            rows.append(chunk(model, {"tool_calls": [opening]}, None, choice))
            where, key = ("custom", "input") if item.custom else ("function", "arguments")
            parts = ({"index": calls, where: {key: word}} for word in item.words)
            rows += (chunk(model, {"tool_calls": [part]}, None, choice) for part in parts)
            calls += 1
    rows.append(chunk(model, {}, finish_reason(reply), choice))
    return rows


def delta(model: str, text: str) -> dict[str, Any]:
    """One more delta of the first message."""
    return chunk(model, {"content": text}, None)


def error_event(message: str, number: int) -> dict[str, Any]:
    """The event of an error in a stream; number: how many events came before it."""
    return {"error": {"message": message, "type": "server_error", "param": None, "code": "server_error"}}
