"""Conversations: items that are kept under an id, and added to."""

from __future__ import annotations

import secrets

from hermes_diag.provider.answers.store import Conversation, Document
from hermes_diag.provider.routing.endpoints.asked import Asked, Refused, metadata, page, tokens


def create(asked: Asked) -> Document:
    made = Conversation(f"conv_{secrets.token_hex(24)}", metadata(asked))
    made.add(asked.body.get("items"))
    asked.service.store.conversations.put(made.id, made, tokens(asked.body.get("items")) * 4)
    return made.document()


def _conversation(asked: Asked) -> Conversation:
    found = asked.service.store.conversation(asked.ids[0])
    if found is None:
        raise Refused(404, "Conversation with that id was not found.")
    return found


def one(asked: Asked) -> Document:
    found = _conversation(asked)
    if asked.method == "DELETE":
        asked.service.store.conversations.pop(found.id)
        return {"id": found.id, "object": "conversation.deleted", "deleted": True}
    if asked.method == "POST":
        found.metadata = metadata(asked)
    return found.document()


def items(asked: Asked) -> Document:
    found = _conversation(asked)
    if asked.method == "GET":
        return page(list(found.items.values()), asked)
    new = found.add(asked.body.get("items"))
    asked.service.store.conversations.grown(found.id, tokens(asked.body.get("items")) * 4)
    return page(new, asked)


def item(asked: Asked) -> Document:
    found, key = _conversation(asked), asked.ids[1]
    kept = found.items.get(key)
    if kept is None and asked.service.store.any_id:
        kept = {"id": key, "type": "message", "role": "user", "status": "completed", "content": []}
    if kept is None:
        raise Refused(404, "Item with that id was not found.")
    if asked.method == "DELETE":
        found.items.pop(key, None)
        return found.document()
    return kept
