"""Answers that were kept: responses and chat completions; and what counts or compacts an input."""

from __future__ import annotations

import base64
import secrets
import time

from hermes_diag.provider.answers import replies
from hermes_diag.provider.answers.store import Answer, Document
from hermes_diag.provider.routing.endpoints.asked import Asked, Refused, metadata, page, tokens


def _answer(asked: Asked, api: str) -> Answer:
    answer = asked.service.store.answer(api, asked.ids[0])
    if answer is None:
        what = "Response" if api == "responses" else "Chat completion"
        raise Refused(404, f"{what} with that id was not found.")
    return answer


def response(asked: Asked) -> Document:
    answer = _answer(asked, "responses")
    if asked.method == "DELETE":
        asked.service.store.answers["responses"].pop(asked.ids[0])
        return {"id": asked.ids[0], "object": "response", "deleted": True}
    return answer.document()


def cancel(asked: Asked) -> Document:
    answer = _answer(asked, "responses")
    if answer.states or asked.service.store.any_id:
        answer.changes |= replies.without_output("cancelled")
        answer.states.clear()
    elif "status" not in answer.changes:
        raise Refused(400, "Cannot cancel a response that was not made in the background.")
    return answer.document()


def input_items(asked: Asked) -> Document:
    return page(_answer(asked, "responses").items(), asked)


def count_input(asked: Asked) -> Document:
    used = tokens([asked.body.get(key) for key in ("input", "instructions", "tools")])
    return {"object": "response.input_tokens", "input_tokens": used}


def compact(asked: Asked) -> Document:
    """The window in a compacted form: an item that only the provider could read."""
    own = secrets.token_hex(16)
    item = {"id": f"cmp_{own}", "type": "compaction", "encrypted_content": base64.b64encode(own.encode()).decode()}
    used = tokens(asked.body.get("input"))
    usage = {
        "input_tokens": used,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 8,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used + 8,
    }
    head = {"id": f"resp_{own}", "object": "response.compaction", "created_at": int(time.time())}
    return {**head, "output": [item], "usage": usage}


def completions(asked: Asked) -> Document:
    """The chat completions that were stored."""
    kept = asked.service.store.answers["chat"].all()
    return page([answer.document() for answer in kept], asked)


def completion(asked: Asked) -> Document:
    answer = _answer(asked, "chat")
    if asked.method == "DELETE":
        asked.service.store.answers["chat"].pop(asked.ids[0])
        return {"id": asked.ids[0], "object": "chat.completion.deleted", "deleted": True}
    if asked.method == "POST":
        answer.metadata = metadata(asked)
    return answer.document()


def completion_messages(asked: Asked) -> Document:
    return page(_answer(asked, "chat").items(), asked)


def count_tokens(asked: Asked) -> Document:
    """Of the Messages API."""
    return {"input_tokens": tokens([asked.body.get(key) for key in ("messages", "system", "tools")])}
