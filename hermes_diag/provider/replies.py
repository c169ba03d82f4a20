"""What a healthy provider says: Responses and Chat Completions, streamed and not. Pure.

A Reply is what the model "thinks": messages, refusals, reasoning, function calls, usage. It becomes a
sequence of encoded SSE events (bytes), cached: the same request gets the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from hermes_diag.provider import recorded

TEXT = ("Every", " socket", " you", " open", " is", " yours", " to", " close.")
CREATED_AT = 1_700_000_000  # fixed, so that the same request gets the same bytes

#: Kinds of output items.
MESSAGE, REFUSAL, REASONING, CALL = "message", "refusal", "reasoning", "call"


#: Releases of the SDK from which on the fields of a stream differ: 2.45 wants `cache_write_tokens` in the
#: usage, 3.0 no longer knows `name` beside the arguments of a finished function call.
DIALECTS = ((3, 0), (2, 45), (0, 0))
NEWEST = DIALECTS[0]


@dataclass(frozen=True)
class Item:
    """One output item; of a call, `words` are its arguments as JSON. `words` arrive one delta each."""

    kind: str
    words: tuple[str, ...]
    name: str = ""  # of the function

    @property
    def text(self) -> str:
        return "".join(self.words)


@dataclass(frozen=True)
class Usage:
    """Tokens, as the last event reports them."""

    input: int = 12
    output: int = len(TEXT)
    reasoning: int = 0
    cached: int = 0


@dataclass(frozen=True)
class Reply:
    """One reply. A transcript is sent as it was recorded, to those who ask by the API of which it is."""

    items: tuple[Item, ...] = (Item(MESSAGE, TEXT),)
    usage: Usage = Usage()
    echo: bool = False
    transcript: tuple[bytes, ...] = ()
    api: str = ""  # the only one it is for
    sdk: tuple[int, int] = NEWEST  # that will read it: the fields it knows differ
    usage_chunk: bool = False  # chat: the client asked for the tokens of a stream

    def for_request(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> Reply:
        """This reply as that request gets it."""
        reply = self
        sdk = dialect((headers or {}).get("x-stainless-package-version", ""))
        if sdk != NEWEST:
            reply = replace(reply, sdk=sdk)
        options = body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage") is True:
            reply = replace(reply, usage_chunk=True)
        if self.echo:
            words = split_words(last_words(body))
            reply = replace(reply, items=(Item(MESSAGE, words),), usage=replace(reply.usage, output=len(words)))
        return reply


DEFAULT = Reply()


def dialect(version: str) -> tuple[int, int]:
    """The oldest release of the SDK that knows the same fields; without a version, of the newest."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal()):
        return NEWEST
    number = int(major[:4]), int(minor[:6])
    return next((release for release in DIALECTS if number >= release), DIALECTS[-1])


def split_words(text: str) -> tuple[str, ...]:
    """A text as the deltas it arrives in."""
    first, *rest = text.split(" ")
    return (first, *(f" {word}" for word in rest))


def last_words(body: dict[str, Any]) -> str:
    """The text of the last input of a request, "" when there is none."""
    turns = body.get("input") if "input" in body else body.get("messages")
    while isinstance(turns, list) and turns:
        turns = turns[-1]
        if isinstance(turns, dict):
            turns = turns.get("content", turns.get("text", turns.get("output", "")))
    return turns if isinstance(turns, str) else ""


def sse(payload: dict[str, Any]) -> bytes:
    """One server-sent event; a typed one carries its name, as the real provider's do."""
    name = f"event: {payload['type']}\n" if "type" in payload else ""
    return f"{name}data: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()


DONE = b"data: [DONE]\n\n"


@lru_cache(maxsize=64)
def stream(api: str, model: str, reply: Reply = DEFAULT) -> tuple[bytes, ...]:
    """The events of one streamed reply, in order, the terminal one last."""
    if reply.transcript:
        return reply.transcript
    if api == "responses":
        return tuple(sse(event) for event in _responses_events(model, reply))
    return (*(sse(chunk) for chunk in _chat_chunks(model, reply)), DONE)


@lru_cache(maxsize=64)
def whole(api: str, model: str, reply: Reply = DEFAULT) -> bytes:
    """The body of a reply that is not streamed."""
    if reply.transcript:
        rebuilt = recorded.response if api == "responses" else recorded.completion
        return json.dumps(rebuilt(reply.transcript)).encode()
    return json.dumps(_response(model, "completed", reply) if api == "responses" else _chat(model, reply)).encode()


def pieces(body: bytes, count: int) -> tuple[bytes, ...]:
    """A body cut into so many pieces, none of them empty."""
    size = max(1, -(-len(body) // count))
    return tuple(body[start : start + size] for start in range(0, len(body), size))


def without_end(events: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """A stream without what says that the reply is complete; of a body in pieces, without the last."""
    kept = tuple(event for event in events if not _says_complete(event))
    return kept if len(kept) < len(events) else events[:-1]


def _says_complete(event: bytes) -> bool:
    return event == DONE or b'"type":"response.completed"' in event or b'"finish_reason":"' in event


def delta(api: str, model: str, text: str) -> bytes:
    """One more delta of the message, for streams that are longer or larger than a reply."""
    if api == "responses":
        where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        event = {"type": "response.output_text.delta", **where, "delta": text, "logprobs": [], "sequence_number": 4}
        return sse(event)
    return sse(_chunk(model, {"content": text}, None))


def opened(api: str, model: str) -> bytes:
    """A delta's event as far as the place of its text."""
    return delta(api, model, "*").rpartition(b"*")[0]


def error_event(api: str, number: int) -> bytes:
    """The `error` event as each API has it."""
    message = "The server had an error while processing your request."
    if api == "responses":
        return sse(
            {"type": "error", "code": "server_error", "message": message, "param": None, "sequence_number": number}
        )
    return sse({"error": {"message": message, "type": "server_error", "param": None, "code": "server_error"}})


def models(names: Iterable[str]) -> bytes:
    """The body of GET /v1/models."""
    data = [{"id": name, "object": "model", "created": CREATED_AT, "owned_by": "hermes-diag"} for name in names]
    return json.dumps({"object": "list", "data": data}).encode()


def error(message: str, kind: str, param: str | None = None, code: str | None = None) -> bytes:
    """An error body in the provider's form."""
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}).encode()


# --- Responses -----------------------------------------------------------------------------------


def _response(model: str, status: str, reply: Reply) -> dict[str, Any]:
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


def _responses_events(model: str, reply: Reply) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(model, "in_progress", reply)},
        {"type": "response.in_progress", "response": _response(model, "in_progress", reply)},
    ]
    for number, item in enumerate(reply.items):
        started, ended = _item(item, number, "in_progress"), _item(item, number, "completed")
        events.append({"type": "response.output_item.added", "output_index": number, "item": started})
        events += _inner_events(item, {"item_id": started["id"], "output_index": number}, reply.sdk)
        events.append({"type": "response.output_item.done", "output_index": number, "item": ended})
    events.append({"type": "response.completed", "response": _response(model, "completed", reply)})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


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


# --- Chat Completions ----------------------------------------------------------------------------


def _chat_usage(reply: Reply) -> dict[str, Any]:
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


def _chat(model: str, reply: Reply) -> dict[str, Any]:
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
        "usage": _chat_usage(reply),
    }


def _chunk(model: str, delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": CREATED_AT,
        "model": model,
        "choices": [choice],
    }


def _chat_chunks(model: str, reply: Reply) -> list[dict[str, Any]]:
    chunks = [_chunk(model, {"role": "assistant", "content": ""}, None)]
    calls = 0
    for number, item in enumerate(reply.items):
        if item.kind in (MESSAGE, REFUSAL):
            key = "content" if item.kind == MESSAGE else "refusal"
            chunks += (_chunk(model, {key: word}, None) for word in item.words)
        elif item.kind == CALL:
            function: dict[str, Any] = {"name": item.name, "arguments": ""}
            opening = {"index": calls, "id": f"call_{number + 1}", "type": "function", "function": function}
            chunks.append(_chunk(model, {"tool_calls": [opening]}, None))
            chunks += (
                _chunk(model, {"tool_calls": [{"index": calls, "function": {"arguments": word}}]}, None)
                for word in item.words
            )
            calls += 1
    chunks.append(_chunk(model, {}, _finish_reason(reply)))
    if reply.usage_chunk:
        chunks.append({**_chunk(model, {}, None), "choices": [], "usage": _chat_usage(reply)})
    return chunks
