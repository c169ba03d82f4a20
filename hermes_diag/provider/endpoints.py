"""What clients ask for before, after and beside a turn: models, embeddings, kept answers, conversations.

An endpoint takes the request as it was understood and returns a document, or raises NotHere. One that waits
for nothing and stores no more than `store` allows.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import secrets
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from hermes_diag.provider import models, replies
from hermes_diag.provider.store import Answer, Conversation, Document

if TYPE_CHECKING:
    from hermes_diag.provider.service import Service

#: Dimensions of an embedding that asks for none, and how many there may be.
DIMENSIONS, MOST_DIMENSIONS = 1536, 4096
#: Inputs of one request for embeddings.
MOST_INPUTS = 2048


class Refused(Exception):
    """An answer that is an error: its status, message and what else the body says."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = replies.error(message, "invalid_request_error", param, code)


@dataclass(frozen=True)
class Asked:
    """A request to an endpoint. ids: the parts of its path that are ids."""

    service: Service
    method: str
    body: Mapping[str, Any]
    query: str
    ids: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def param(self, name: str) -> str:
        """A parameter of the query, "" when it is not given."""
        return next(iter(parse_qs(self.query).get(name, ())), "")


Handler = Callable[[Asked], Document]


def tokens(value: Any) -> int:
    """About how many tokens a JSON value has: one for four characters."""
    return max(1, len(json.dumps(value)) // 4)


def _page(items: list[Document], asked: Asked) -> Document:
    """A list as the API pages it: `limit`, `after`, `order` of the query."""
    if asked.param("order") == "desc":
        items = items[::-1]
    after = asked.param("after")
    ids = [item["id"] for item in items]
    items = items[ids.index(after) + 1 :] if after in ids else items
    limit = asked.param("limit")
    shown = items[: int(limit)] if limit.isascii() and limit.isdigit() and len(limit) < 4 else items[:100]
    first, last = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
    more = len(shown) < len(items)
    return {"object": "list", "data": shown, "first_id": first, "last_id": last, "has_more": more}


# --- models ------------------------------------------------------------------------------------------


def list_models(asked: Asked) -> Document:
    return {"object": "list", "data": [_model(name) for name in models.names(asked.service.models)]}


def one_model(asked: Asked) -> Document:
    name = asked.ids[0]
    if not models.known(name, asked.service.models):
        raise Refused(404, "The model does not exist or you do not have access to it.", "model", "model_not_found")
    if asked.method == "DELETE":
        if not name.startswith("ft:"):
            raise Refused(403, "Only a model that you have fine-tuned can be deleted.")
        return {"id": name, "object": "model", "deleted": True}
    return _model(name)


def _model(name: str) -> Document:
    return {"id": name, "object": "model", "created": models.CREATED_AT, "owned_by": "hermes-diag"}


def codex_models(asked: Asked) -> Document:
    """None: the Codex CLI then takes those that it brings along."""
    return {"models": []}


def accounts(asked: Asked) -> Document:
    """The account that a Codex with a ChatGPT login says it has, led nowhere else: it asks before its first turn."""
    key = asked.headers.get("chatgpt-account-id", "hermes-diag")
    free = {"workspace_backend_origin": "NO_CONSTRAINT", "account_routing_override": "NO_CONSTRAINT"}
    account = {"id": key, "account_user_id": "hermes-diag", "structure": "personal", "plan_type": "plus", **free}
    return {"accounts": [account], "default_account_id": key, "account_ordering": [key]}


# --- embeddings --------------------------------------------------------------------------------------


def embeddings(asked: Asked) -> Document:
    """The same vector for the same input, of length 1."""
    given, model = asked.body.get("input"), asked.body.get("model")
    if not isinstance(given, str | list) or not given:
        raise Refused(400, "Missing required parameter: 'input'.", "input", "missing_required_parameter")
    if not (isinstance(model, str) and models.known(model, asked.service.models)):
        raise Refused(404, "The model does not exist or you do not have access to it.", "model", "model_not_found")
    inputs = [given] if isinstance(given, str) or isinstance(given[0], int) else given
    wanted = asked.body.get("dimensions")
    size = wanted if isinstance(wanted, int) and 0 < wanted <= MOST_DIMENSIONS else DIMENSIONS
    if len(inputs) > MOST_INPUTS:
        raise Refused(400, f"There are at most {MOST_INPUTS} inputs.", "input", "invalid_value")
    packed = asked.body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": number, "embedding": _vector(one, size, packed)}
        for number, one in enumerate(inputs)
    ]
    used = sum(map(tokens, inputs))
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": used, "total_tokens": used}}


def _vector(value: Any, size: int, packed: bool) -> Any:
    chance = random.Random(hashlib.sha256(json.dumps(value).encode()).digest())
    numbers = [chance.gauss(0, 1) for _ in range(size)]
    length = sum(number * number for number in numbers) ** 0.5 or 1.0
    numbers = [number / length for number in numbers]
    return base64.b64encode(struct.pack(f"<{size}f", *numbers)).decode() if packed else numbers


# --- kept answers ------------------------------------------------------------------------------------


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
    return _page(_answer(asked, "responses").items(), asked)


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
    return _page([answer.document() for answer in kept], asked)


def completion(asked: Asked) -> Document:
    answer = _answer(asked, "chat")
    if asked.method == "DELETE":
        asked.service.store.answers["chat"].pop(asked.ids[0])
        return {"id": asked.ids[0], "object": "chat.completion.deleted", "deleted": True}
    if asked.method == "POST":
        answer.metadata = _metadata(asked)
    return answer.document()


def completion_messages(asked: Asked) -> Document:
    return _page(_answer(asked, "chat").items(), asked)


def count_tokens(asked: Asked) -> Document:
    """Of the Messages API."""
    return {"input_tokens": tokens([asked.body.get(key) for key in ("messages", "system", "tools")])}


# --- conversations -----------------------------------------------------------------------------------


def _metadata(asked: Asked) -> Document:
    given = asked.body.get("metadata")
    return given if isinstance(given, dict) else {}


def new_conversation(asked: Asked) -> Document:
    made = Conversation(f"conv_{secrets.token_hex(24)}", _metadata(asked))
    made.add(asked.body.get("items"))
    asked.service.store.conversations.put(made.id, made, tokens(asked.body.get("items")) * 4)
    return made.document()


def _conversation(asked: Asked) -> Conversation:
    found = asked.service.store.conversation(asked.ids[0])
    if found is None:
        raise Refused(404, "Conversation with that id was not found.")
    return found


def conversation(asked: Asked) -> Document:
    found = _conversation(asked)
    if asked.method == "DELETE":
        asked.service.store.conversations.pop(found.id)
        return {"id": found.id, "object": "conversation.deleted", "deleted": True}
    if asked.method == "POST":
        found.metadata = _metadata(asked)
    return found.document()


def conversation_items(asked: Asked) -> Document:
    found = _conversation(asked)
    if asked.method == "GET":
        return _page(list(found.items.values()), asked)
    new = found.add(asked.body.get("items"))
    asked.service.store.conversations.grown(found.id, tokens(asked.body.get("items")) * 4)
    return _page(new, asked)


def conversation_item(asked: Asked) -> Document:
    found, key = _conversation(asked), asked.ids[1]
    item = found.items.get(key)
    if item is None and asked.service.store.any_id:
        item = {"id": key, "type": "message", "role": "user", "status": "completed", "content": []}
    if item is None:
        raise Refused(404, "Item with that id was not found.")
    if asked.method == "DELETE":
        found.items.pop(key, None)
        return found.document()
    return item


#: Paths with the methods that they take; `{}` is an id. What is there for a path alone is in `routes`.
TABLE: tuple[tuple[str, dict[str, Handler]], ...] = (
    ("/v1/models", {"GET": list_models}),
    ("/v1/models/{}", {"GET": one_model, "DELETE": one_model}),
    ("/v1/embeddings", {"POST": embeddings}),
    ("/v1/responses/input_tokens", {"POST": count_input}),
    ("/v1/responses/compact", {"POST": compact}),
    ("/v1/responses/{}", {"GET": response, "DELETE": response}),
    ("/v1/responses/{}/cancel", {"POST": cancel}),
    ("/v1/responses/{}/input_items", {"GET": input_items}),
    ("/v1/chat/completions", {"GET": completions}),
    ("/v1/chat/completions/{}", {"GET": completion, "POST": completion, "DELETE": completion}),
    ("/v1/chat/completions/{}/messages", {"GET": completion_messages}),
    ("/v1/conversations", {"POST": new_conversation}),
    ("/v1/conversations/{}", {"GET": conversation, "POST": conversation, "DELETE": conversation}),
    ("/v1/conversations/{}/items", {"GET": conversation_items, "POST": conversation_items}),
    ("/v1/conversations/{}/items/{}", {"GET": conversation_item, "DELETE": conversation_item}),
    ("/v1/messages/count_tokens", {"POST": count_tokens}),
    ("/backend-api/codex/models", {"GET": codex_models}),
    ("/backend-api/wham/accounts/check", {"GET": accounts}),
)
