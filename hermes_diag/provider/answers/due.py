"""The answer that a healthy provider would give to one request: its events or its body, made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hermes_diag.provider.answers import replies
from hermes_diag.provider.answers.place import Place
from hermes_diag.provider.answers.reply import Reply
from hermes_diag.provider.protocols.request import Request

#: Pieces into which a reply that is not streamed is cut, so that there are places for faults within it.
PIECES = 8
#: Takes the reply that is due, and its number; the number is None where none is used up.
Take = Callable[[], tuple[Reply, int | None]]
#: The body of the healthy answer where no API replies.
Beside = Callable[[], bytes]


@dataclass(frozen=True)
class Understood:
    """A request as it was understood; what of it was not is left empty.

    place: what is at its path. api: the API that is to reply. asked: the body, where it is a JSON object.
    """

    request: Request
    place: Place
    api: str
    model: str
    streamed: bool
    asked: dict[str, Any] | None = field(repr=False)


class Due:
    """A request, and what is due to it."""

    def __init__(self, understood: Understood, take: Take, beside: Beside) -> None:
        self.request = understood.request
        self.place = understood.place
        self.api = understood.api
        self.model = understood.model
        self.streamed = understood.streamed
        self.asked = understood.asked
        self.number: int | None = None  # of the reply that was taken
        self._take = take
        self._beside = beside

    @cached_property
    def reply(self) -> Reply:
        """The reply that is due. Asking for it uses it up; an answer that is a refusal does not ask."""
        reply, self.number = self._take()
        return reply

    @cached_property
    def marks(self) -> replies.Marks:
        """What this answer puts into the marked places of its reply."""
        return replies.marks_of(self.asked or {}) if self.api == "responses" else replies.marks_of({})

    def events(self) -> tuple[bytes, ...]:
        """The events of the healthy reply; of one that is not streamed, its body in pieces."""
        return self._events

    @cached_property
    def _events(self) -> tuple[bytes, ...]:
        if self.streamed:
            return replies.stream(self.api, self.model, self.reply, self.marks)
        return replies.pieces(self.document(), PIECES)

    def document(self) -> bytes:
        """The body of the healthy reply that is not streamed; where no API replies, that of the endpoint."""
        if not self.api:
            return self._beside()
        body = replies.whole(self.api, self.model, self.reply, self.marks)
        return replies.queued(body) if self.in_background else body

    @property
    def in_background(self) -> bool:
        """The client asked for a response that it will come back for."""
        return self.api == "responses" and not self.streamed and (self.asked or {}).get("background") is True

    def delta(self, text: str) -> bytes:
        """The event of one more piece of text."""
        return replies.delta(self.api, self.model, text, self.marks)

    def opened(self) -> bytes:
        """The event of a piece of text as far as the place of the text."""
        return replies.opened(self.api, self.model, self.marks)
