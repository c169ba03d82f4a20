"""Recorded streams: which API they belong to, and the same reply as a body that is not streamed. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from hermes_diag.core import reading

RESPONSES, CHAT, COMPLETIONS, MESSAGES = "responses", "chat", "completions", "messages"
#: Fields of a delta that say what it is; all other texts are pieces of one text.
_NAMES = ("role", "id", "type", "name")


class _Pieces(list[str]):
    """A text whose pieces have not been put together yet: with each new one that would copy all those before."""


def _put(whole: dict[str, Any], key: str, value: str) -> None:
    """Add a piece to the text that is there."""
    old = whole.get(key)
    if isinstance(old, _Pieces):
        old.append(value)
    else:
        whole[key] = _Pieces([old, value]) if isinstance(old, str) else value


def _joined(value: Any) -> Any:
    """The same with its texts in one piece."""
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {key: _joined(one) for key, one in value.items()}
    return list(map(_joined, value)) if isinstance(value, list) else value


def api(event: bytes) -> str:
    """The API of which an event is, "" when it could be of either."""
    for payload in payloads([event]):
        if isinstance(payload.get("choices"), list):
            return COMPLETIONS if payload.get("object") == "text_completion" else CHAT
        kind = str(payload.get("type", ""))
        if kind.startswith("response."):
            return RESPONSES
        if kind.startswith(("message_", "content_block_")):
            return MESSAGES
    return ""


def whole(api: str, transcript: Iterable[bytes]) -> dict[str, Any] | None:
    """The body that a provider gives without a stream; None where no event of it has one."""
    if api == RESPONSES:
        return response(transcript)
    return {CHAT: completion, COMPLETIONS: text_completion, MESSAGES: message}[api](transcript)


def response(transcript: Iterable[bytes]) -> dict[str, Any] | None:
    """The response that the last event to have one carries."""
    return next((payload["response"] for payload in reversed([*payloads(transcript)]) if "response" in payload), None)


def completion(transcript: Iterable[bytes]) -> dict[str, Any]:
    """The chat completion whose stream this is: deltas put together, tokens as the stream reports them."""
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in payloads(transcript):
        if not isinstance(chunk.get("choices"), list):
            continue
        whole.update({key: value for key, value in chunk.items() if key != "choices" and value is not None})
        for part in _dicts(chunk["choices"]):
            _take(choices, part)
    return {**whole, "object": "chat.completion", "choices": [_joined(choices[index]) for index in sorted(choices)]}


def text_completion(transcript: Iterable[bytes]) -> dict[str, Any]:
    """The same of the legacy API, but for logprobs."""
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in payloads(transcript):
        whole.update({key: value for key, value in chunk.items() if key != "choices" and value is not None})
        for part in _dicts(chunk.get("choices")):
            index = _index(part)
            empty = {"text": "", "index": index, "logprobs": None, "finish_reason": None}
            choice = choices.setdefault(index, empty)
            _put(choice, "text", part["text"] if isinstance(part.get("text"), str) else "")
            choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
    return {**whole, "choices": [_joined(choices[index]) for index in sorted(choices)]}


def message(transcript: Iterable[bytes]) -> dict[str, Any]:
    """The message of Anthropic's API whose stream this is."""
    whole: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    for payload in payloads(transcript):
        for begun in _dicts([payload.get("message")]):
            whole.update(begun)
        for block in _dicts([payload.get("content_block")]):
            blocks[_index(payload)] = block
        for delta in _dicts([payload.get("delta")]):
            if payload.get("type") == "message_delta":
                whole.update(delta)
            else:
                _grow(blocks.setdefault(_index(payload), {}), delta)
        for usage in _dicts([payload.get("usage")]):
            whole["usage"] = {**next(iter(_dicts([whole.get("usage")])), {}), **usage}
    return {**whole, "content": [_block(_joined(blocks[index])) for index in sorted(blocks)]}


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if key == "citation":
            if not isinstance(block.get("citations"), list):
                block["citations"] = []
            block["citations"].append(value)
        elif key != "type" and isinstance(value, str):
            _put(block, key, value)


def _block(block: dict[str, Any]) -> dict[str, Any]:
    """A block with its input, which comes as pieces of JSON."""
    pieces = block.pop("partial_json", None)
    if pieces is None:
        return block
    try:
        return {**block, "input": json.loads(pieces)} if not reading.is_crowded(str(pieces).encode()) else block
    except (ValueError, TypeError, RecursionError):
        return block


def _take(choices: dict[int, dict[str, Any]], part: dict[str, Any]) -> None:
    index = _index(part)
    empty = {"role": "assistant", "content": None, "refusal": None}
    choice = choices.setdefault(index, {"index": index, "message": empty, "logprobs": None, "finish_reason": None})
    choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
    for delta in _dicts([part.get("delta")]):
        _merge(choice["message"], delta)


def _merge(whole: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        old = whole.get(key)
        if key == "tool_calls":
            _merge_calls(whole.setdefault(key, []), _dicts(value))
        elif isinstance(value, dict) and isinstance(old, dict):
            _merge(old, value)
        elif isinstance(value, str) and isinstance(old, str | _Pieces) and key not in _NAMES:
            _put(whole, key, value)
        elif value is not None:
            whole[key] = value


def _merge_calls(calls: list[dict[str, Any]], deltas: list[dict[str, Any]]) -> None:
    """A delta belongs to the call of its index, which the whole message no longer tells."""
    for delta in deltas:
        if _index(delta) >= len(calls):
            calls.append({})
        place = min(_index(delta), len(calls) - 1)
        _merge(calls[place], {key: value for key, value in delta.items() if key != "index"})


def _index(part: dict[str, Any]) -> int:
    index = part.get("index")
    return index if isinstance(index, int) and index > 0 else 0


def _dicts(values: Any) -> list[dict[str, Any]]:
    """The objects of a list; a file may have been written by hand."""
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def payloads(events: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The data of each event that is a JSON object."""
    for event in events:
        data = b"".join(line[5:] for line in event.splitlines() if line.startswith(b"data:"))
        if reading.is_crowded(data):
            continue
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
