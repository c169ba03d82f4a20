"""What a provider sends: replies as bytes, streamed and not, and the bodies of its errors and lists. Pure.

A reply becomes a sequence of encoded SSE events (bytes), which is kept: the same request costs no second
rendering. Where ids, times and fields of the request stand in it, each answer puts its own: its marks.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any

import msgspec

from hermes_diag.provider.answers import recorded
from hermes_diag.provider.answers.apis import chat, completions, messages, responses
from hermes_diag.provider.answers.reply import CREATED_AT, DEFAULT, ECHO, STEM, Reply

#: The APIs that reply, by their names.
APIS: dict[str, ModuleType] = {
    "responses": responses,
    "chat": chat,
    "completions": completions,
    "messages": messages,
}
#: APIs whose streams end with `[DONE]`.
_DONE = ("chat", "completions")
#: The places in a rendered reply, and what one answer puts there.
Marks = tuple[tuple[bytes, bytes], ...]
_STEM, _CREATED_AT, _ECHO = STEM.encode(), b"%d" % CREATED_AT, f'"{ECHO}":0'.encode()


def sse(payload: dict[str, Any]) -> bytes:
    """One server-sent event; a typed one carries its name, as the real provider's do."""
    name = f"event: {payload['type']}\n" if "type" in payload else ""
    return f"{name}data: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()


DONE = b"data: [DONE]\n\n"


@lru_cache(maxsize=64)
def _stream(api: str, model: str, reply: Reply) -> tuple[bytes, ...]:
    events = tuple(sse(event) for event in APIS[api].events(model, reply))
    return (*events, DONE) if api in _DONE else events


@lru_cache(maxsize=64)
def _whole(api: str, model: str, reply: Reply) -> bytes:
    return json.dumps(APIS[api].document(model, reply), separators=(",", ":")).encode()


def stream(api: str, model: str, reply: Reply = DEFAULT, marks: Marks | None = None) -> tuple[bytes, ...]:
    """The events of one streamed reply, in order, the terminal one last."""
    if reply.transcript:
        return reply.transcript
    marks = marks or marks_of({})
    return tuple(_stamped(event, marks) for event in _stream(api, model, reply))


def whole(api: str, model: str, reply: Reply = DEFAULT, marks: Marks | None = None) -> bytes:
    """The body of a reply that is not streamed."""
    if reply.transcript:
        return json.dumps(recorded.whole(api, reply.transcript)).encode()
    return _stamped(_whole(api, model, reply), marks or marks_of({}))


def without_output(status: str) -> dict[str, Any]:
    """The fields of a response that has not come to its output, or never will."""
    return {"status": status, "output": [], "usage": None, "completed_at": None}


def queued(body: bytes) -> bytes:
    """A response in the background as it stands before it has begun."""
    return json.dumps({**json.loads(body), **without_output("queued")}).encode()


def marks_of(body: Mapping[str, Any]) -> Marks:
    """What one answer puts into the places of a rendered reply: its id, the time, fields of the request."""
    return (
        (_STEM, secrets.token_hex(16).encode()),
        (_CREATED_AT, b"%d" % time.time()),
        (_ECHO, msgspec.json.encode(responses.echoed(body))[1:-1]),
    )


def stem(marks: Marks) -> str:
    """What all ids of one answer have in common."""
    return dict(marks)[_STEM].decode()


def _stamped(data: bytes, marks: Marks) -> bytes:
    for place, own in marks:
        data = data.replace(place, own)
    return data


def pieces(body: bytes, count: int) -> tuple[bytes, ...]:
    """A body cut into so many pieces, none of them empty."""
    size = max(1, -(-len(body) // count))
    return tuple(body[start : start + size] for start in range(0, len(body), size))


def without_end(events: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """A stream without what says that the reply is complete; where nothing does, without its last event."""
    kept = tuple(event for event in events if not says_complete(event))
    return kept if len(kept) < len(events) else events[:-1]


def says_complete(event: bytes) -> bool:
    """Whether an event tells that the reply is complete."""
    return (
        event == DONE
        or b'"type":"response.completed"' in event
        or b'"type":"message_delta"' in event  # it carries the reason to stop
        or b'"type":"message_stop"' in event
        or b'"finish_reason":"' in event
    )


def delta(api: str, model: str, text: str, marks: Marks) -> bytes:
    """One more delta of the message, for streams that are longer or larger than a reply."""
    return _stamped(sse(APIS[api].delta(model, text)), marks)


def opened(api: str, model: str, marks: Marks) -> bytes:
    """A delta's event as far as the place of its text."""
    return delta(api, model, "*", marks).rpartition(b"*")[0]


def error_event(api: str, number: int) -> bytes:
    """The `error` event as each API has it."""
    return sse(APIS[api].error_event("The server had an error while processing your request.", number))


def error(message: str, kind: str, param: str | None = None, code: str | None = None) -> bytes:
    """An error body in the provider's form."""
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}).encode()


def error_of(api: str, status: int, body: bytes) -> bytes:
    """An error body in the form of that API."""
    if api != "messages":
        return body
    kind = messages.ERRORS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    message = json.loads(body)["error"]["message"]
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
