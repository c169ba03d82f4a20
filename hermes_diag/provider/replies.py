"""What a provider sends: replies as bytes, streamed and not, and the bodies of its errors and lists. Pure.

A reply becomes a sequence of encoded SSE events (bytes), which is cached: the same request gets the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from hermes_diag.provider import chat_api, recorded, responses_api
from hermes_diag.provider.reply import CREATED_AT, DEFAULT, Reply


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
        return tuple(sse(event) for event in responses_api.events(model, reply))
    return (*(sse(chunk) for chunk in chat_api.chunks(model, reply)), DONE)


@lru_cache(maxsize=64)
def whole(api: str, model: str, reply: Reply = DEFAULT) -> bytes:
    """The body of a reply that is not streamed."""
    if reply.transcript:
        rebuilt = recorded.response if api == "responses" else recorded.completion
        return json.dumps(rebuilt(reply.transcript)).encode()
    if api == "responses":
        return json.dumps(responses_api.response(model, "completed", reply)).encode()
    return json.dumps(chat_api.completion(model, reply)).encode()


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
    return sse(chat_api.chunk(model, {"content": text}, None))


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
