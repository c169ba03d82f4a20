"""Two ways to build the OpenAI client of an agent: that of the bug report (hermes-agent #11070), and its fix."""

from __future__ import annotations

from typing import Any

import httpx
import openai


def buggy(client_kwargs: dict[str, Any]) -> openai.OpenAI:
    """Writes the transport into the caller's dict: every later client made of that dict shares it."""
    if "http_client" not in client_kwargs:
        client_kwargs["http_client"] = httpx.Client()
    return openai.OpenAI(**client_kwargs)


def fixed(client_kwargs: dict[str, Any]) -> openai.OpenAI:
    """Copies first: each client has a transport of its own, with the SDK's timeout and limits."""
    kwargs = dict(client_kwargs)
    kwargs.setdefault("http_client", openai.DefaultHttpxClient())
    return openai.OpenAI(**kwargs)
