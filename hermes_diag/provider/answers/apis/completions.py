"""A reply in the form of the legacy Completions API: as one body, and as the chunks of a stream. Pure."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from hermes_diag.provider.answers.reply import CREATED_AT, MESSAGE, STEM, Reply


def _head(model: str) -> dict[str, Any]:
    return {"id": f"cmpl-{STEM}", "object": "text_completion", "created": CREATED_AT, "model": model}


def _usage(reply: Reply) -> dict[str, int]:
    output = reply.usage.output * reply.choices
    return {
        "prompt_tokens": reply.usage.input,
        "completion_tokens": output,
        "total_tokens": reply.usage.input + output,
    }


def _words(reply: Reply) -> list[str]:
    """What is said; this API knows neither calls nor refusals."""
    return [word for item in reply.items if item.kind == MESSAGE for word in item.words]


def _choice(text: str, choice: int, reply: Reply, reason: str | None) -> dict[str, Any]:
    words = [text] if text and reason is None else _words(reply) if text else []
    return {"text": text, "index": choice, "logprobs": _logprobs(words, reply), "finish_reason": reason}


def _logprobs(words: list[str], reply: Reply) -> dict[str, Any] | None:
    if reply.logprobs is None or not words:
        return None
    return {
        "tokens": words,
        "token_logprobs": [-0.01] * len(words),
        "top_logprobs": [{word: -0.01} for word in words] if reply.logprobs else None,
        "text_offset": [0, *accumulate(map(len, words[:-1]))],
    }


def document(model: str, reply: Reply) -> dict[str, Any]:
    """The body of a reply that is not streamed."""
    text = "".join(_words(reply))
    choices = [_choice(text, choice, reply, "stop") for choice in range(reply.choices)]
    return {**_head(model), "choices": choices, "usage": _usage(reply)}


def events(model: str, reply: Reply) -> list[dict[str, Any]]:
    """The chunks of a stream, in order."""
    rows = []
    for choice in range(reply.choices):
        rows += [{**_head(model), "choices": [_choice(word, choice, reply, None)]} for word in _words(reply)]
        rows.append({**_head(model), "choices": [_choice("", choice, reply, "stop")]})
    if reply.usage_chunk:
        rows = [{**row, "usage": None} for row in rows]
        rows.append({**_head(model), "choices": [], "usage": _usage(reply)})
    return rows


def delta(model: str, text: str) -> dict[str, Any]:
    """One more delta of the text."""
    return {**_head(model), "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": None}]}


def error_event(message: str, number: int) -> dict[str, Any]:
    """The event of an error in a stream; number: how many events came before it."""
    return {"error": {"message": message, "type": "server_error", "param": None, "code": "server_error"}}
