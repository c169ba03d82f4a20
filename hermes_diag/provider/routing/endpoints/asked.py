"""What an endpoint is asked, and what most of them need to answer: refusals, pages of a list, tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from hermes_diag.provider.answers import refusals, replies
from hermes_diag.provider.answers.store import Document

if TYPE_CHECKING:
    from hermes_diag.provider.service import Service


class Refused(Exception):
    """An answer that is an error: its status, and its body or the message that it says."""

    def __init__(self, status: int, body: str | bytes, param: str | None = None, code: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body if isinstance(body, bytes) else replies.error(body, refusals.INVALID, param, code)


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


def page(items: list[Document], asked: Asked) -> Document:
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


def metadata(asked: Asked) -> Document:
    given = asked.body.get("metadata")
    return given if isinstance(given, dict) else {}
