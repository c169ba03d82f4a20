"""The models there are, and what a Codex with a ChatGPT login asks before its first turn."""

from __future__ import annotations

from hermes_diag.provider.answers import refusals
from hermes_diag.provider.answers.store import Document
from hermes_diag.provider.routing import models
from hermes_diag.provider.routing.endpoints.asked import Asked, Refused


def list_models(asked: Asked) -> Document:
    return {"object": "list", "data": [_model(name) for name in models.names(asked.service.models)]}


def one_model(asked: Asked) -> Document:
    name = asked.ids[0]
    if not models.known(name, asked.service.models):
        raise Refused(404, refusals.no_model())
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
