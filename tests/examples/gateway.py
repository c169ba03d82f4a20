"""A gateway in small: an agent for each chat session lives long, and makes a request client for each turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai


class Agent:
    """create_client: a factory. client_kwargs: kept for as long as the agent lives."""

    def __init__(self, create_client: Callable[[dict[str, Any]], openai.OpenAI], client_kwargs: dict[str, Any]) -> None:
        self._create_client, self._kwargs = create_client, client_kwargs
        self._shared = create_client(client_kwargs)
        self._interrupted: list[object] = []

    def interrupted_turn(self) -> None:
        """The user hits stop after the first event; what was streaming is kept in the session's history."""
        client = self._create_client(dict(self._kwargs))
        stream = client.responses.create(model="gpt-5", input="hi", stream=True)
        next(iter(stream))
        self._interrupted.append(stream)
        self._release(client)

    def _release(self, client: openai.OpenAI) -> None:
        """Close what the turn had to itself; never what the session shares, or the next turn fails."""
        if client._client is not self._shared._client:
            client.close()


#: Agents of sessions that are open; they stay when a turn is over.
SESSIONS: dict[str, Agent] = {}
