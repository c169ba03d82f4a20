"""What clients ask for before, after and beside a turn: models, embeddings, kept answers, conversations.

An endpoint takes the request as it was understood and returns a document, or raises Refused. It waits for nothing and
stores no more than `store` allows.
"""

from __future__ import annotations

from hermes_diag.provider.routing.endpoints import conversations, embeddings, kept, models
from hermes_diag.provider.routing.endpoints.asked import Handler

#: Paths with the methods that they take; `{}` is an id. What is there for a path alone is in `routes`.
TABLE: tuple[tuple[str, dict[str, Handler]], ...] = (
    ("/v1/models", {"GET": models.list_models}),
    ("/v1/models/{}", {"GET": models.one_model, "DELETE": models.one_model}),
    ("/v1/embeddings", {"POST": embeddings.embeddings}),
    ("/v1/responses/input_tokens", {"POST": kept.count_input}),
    ("/v1/responses/compact", {"POST": kept.compact}),
    ("/v1/responses/{}", {"GET": kept.response, "DELETE": kept.response}),
    ("/v1/responses/{}/cancel", {"POST": kept.cancel}),
    ("/v1/responses/{}/input_items", {"GET": kept.input_items}),
    ("/v1/chat/completions", {"GET": kept.completions}),
    ("/v1/chat/completions/{}", {"GET": kept.completion, "POST": kept.completion, "DELETE": kept.completion}),
    ("/v1/chat/completions/{}/messages", {"GET": kept.completion_messages}),
    ("/v1/conversations", {"POST": conversations.create}),
    ("/v1/conversations/{}", {"GET": conversations.one, "POST": conversations.one, "DELETE": conversations.one}),
    ("/v1/conversations/{}/items", {"GET": conversations.items, "POST": conversations.items}),
    ("/v1/conversations/{}/items/{}", {"GET": conversations.item, "DELETE": conversations.item}),
    ("/v1/messages/count_tokens", {"POST": kept.count_tokens}),
    ("/backend-api/codex/models", {"GET": models.codex_models}),
    ("/backend-api/wham/accounts/check", {"GET": models.accounts}),
)
