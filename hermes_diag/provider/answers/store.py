"""What the provider keeps of its answers, so that it can be asked for: responses, chat completions, conversations.

In memory only and bounded: the oldest go first. Bodies of requests are kept for `input_items` and `messages`,
and appear in no log and no file.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hermes_diag.provider.answers import replies
from hermes_diag.provider.answers.reply import DEFAULT, Reply

#: Entries of one kind, and bytes of requests in them, that are kept.
MOST, MOST_BYTES = 1000, 16 * 2**20
Document = dict[str, Any]
T = TypeVar("T")


@dataclass
class Answer:
    """A reply as it was given, and what it answered."""

    api: str
    model: str
    reply: Reply
    marks: replies.Marks
    asked: Any  # the input, or the messages
    metadata: Document = field(default_factory=dict)
    #: The states that a response in the background still shows before it is complete.
    states: list[str] = field(default_factory=list)
    changes: Document = field(default_factory=dict)

    def document(self) -> Document:
        """The answer as it stands now."""
        whole: Document = json.loads(replies.whole(self.api, self.model, self.reply, self.marks))
        shown: Document = {"metadata": self.metadata} if self.api == "chat" else {}
        if self.states:
            shown |= replies.without_output(self.states.pop(0))
        return {**whole, **shown, **self.changes}

    @property
    def id(self) -> str:
        return ("resp_" if self.api == "responses" else "chatcmpl-") + replies.stem(self.marks)

    def items(self) -> list[Document]:
        """What it answered, as items or messages with ids of their own."""
        own = replies.stem(self.marks)
        if self.api == "responses":
            return items_of(self.asked, own)
        messages = self.asked if isinstance(self.asked, list) else [{"role": "user", "content": self.asked}]
        return [{"id": f"{self.id}-{number}", **one} for number, one in enumerate(messages) if isinstance(one, dict)]


def items_of(asked: Any, stem: str) -> list[Document]:
    """An input as items; a text is a message of the user."""
    if isinstance(asked, str):
        asked = [{"role": "user", "content": asked}]
    return [_item(item, f"{stem}{number:x}") for number, item in enumerate(asked if isinstance(asked, list) else ())
            if isinstance(item, dict)]  # fmt: skip


def _item(item: Document, own: str) -> Document:
    if "role" not in item:
        return {"id": f"item_{own}", **item}
    content = item.get("content")
    kind = "output_text" if item["role"] == "assistant" else "input_text"
    parts = [{"type": kind, "text": content}] if isinstance(content, str) else content
    return {"id": f"msg_{own}", "type": "message", "status": "completed", **item, "content": parts}


@dataclass
class Conversation:
    """A conversation: its items in order, each with an id."""

    id: str
    metadata: Document
    created_at: int = field(default_factory=lambda: int(time.time()))
    items: dict[str, Document] = field(default_factory=dict)

    def document(self) -> Document:
        return {
            "id": self.id,
            "object": "conversation",
            "created_at": self.created_at,
            "metadata": self.metadata,
        }

    def add(self, asked: Any) -> list[Document]:
        """Take in items; they as they are kept."""
        new = items_of(asked, secrets.token_hex(16))
        self.items.update((item["id"], item) for item in new)
        return new


class Kept(Generic[T]):
    """Things by their id. Each counts with the bytes of the requests that it holds."""

    def __init__(self) -> None:
        self._things: dict[str, tuple[T, int]] = {}
        self._bytes = 0

    def put(self, key: str, thing: T, size: int) -> None:
        """Keep a thing, unless it alone is too large; what was kept by that id goes."""
        self.pop(key)
        if size > MOST_BYTES:
            return
        self._things[key] = thing, size
        self._bytes += size
        while len(self._things) > MOST or self._bytes > MOST_BYTES:
            self.pop(next(iter(self._things)))

    def grown(self, key: str, by: int) -> None:
        """A thing holds so many bytes more."""
        if (held := self._things.get(key)) is not None:
            self.put(key, held[0], held[1] + by)

    def get(self, key: str) -> T | None:
        held = self._things.get(key)
        return held[0] if held is not None else None

    def pop(self, key: str) -> T | None:
        thing, size = self._things.pop(key, (None, 0))
        self._bytes -= size
        return thing

    def all(self) -> list[T]:
        """All of them, the oldest first."""
        return [thing for thing, _ in self._things.values()]


class Store:
    """All that one provider keeps. any_id: what was never stored is answered as if it had been."""

    def __init__(self, any_id: bool = False) -> None:
        self.any_id = any_id
        self.answers: dict[str, Kept[Answer]] = {"responses": Kept(), "chat": Kept()}
        self.conversations: Kept[Conversation] = Kept()

    def keep(self, answer: Answer, body: Mapping[str, Any], size: int) -> None:
        """Keep an answer that was given in full, where the API says that it is kept; size in bytes of its request."""
        kept = self.answers.get(answer.api)
        if kept is None or answer.reply.transcript:
            return
        if body.get("store") is True or (answer.api == "responses" and body.get("store") is not False):
            kept.put(answer.id, answer, size)
        conversation = self._conversation(body)
        if conversation is not None:
            conversation.add(answer.asked)
            conversation.add(answer.document()["output"])
            self.conversations.grown(conversation.id, size)

    def answer(self, api: str, key: str) -> Answer | None:
        """The answer of that id."""
        answer = self.answers[api].get(key)
        if answer is None and self.any_id:
            answer = Answer(api, "gpt-5", DEFAULT, replies.marks_of({}), "hi", changes={"id": key})
            self.answers[api].put(key, answer, 0)
        return answer

    def conversation(self, key: str) -> Conversation | None:
        """The conversation of that id."""
        found = self.conversations.get(key)
        if found is None and self.any_id:
            found = Conversation(key, {})
            self.conversations.put(key, found, 0)
        return found

    def _conversation(self, body: Mapping[str, Any]) -> Conversation | None:
        asked = body.get("conversation")
        key = asked.get("id") if isinstance(asked, dict) else asked
        return self.conversation(key) if isinstance(key, str) else None
