"""The reply as a request asks for it: by its schema, its choice of tools, the number of choices, echo. Pure.

A reply that `--reply` scripts is what it is; only the built-in one is made to fit a schema or a tool.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hermes_diag.provider.answers import instance
from hermes_diag.provider.answers.reply import (
    CALL,
    DEFAULT,
    MESSAGE,
    NEWEST,
    Item,
    Reply,
    dialect,
    last_words,
    split_words,
)

Body = Mapping[str, Any]
#: Choices and alternatives that a request may ask for; the real provider refuses more.
MOST_CHOICES, MOST_LOGPROBS = 128, 20


def fitted(reply: Reply, body: Body, headers: Mapping[str, str]) -> Reply:
    """This reply as that request gets it."""
    sdk = dialect(headers.get("x-stainless-package-version", ""))
    if sdk != NEWEST:
        reply = replace(reply, sdk=sdk)
    options = body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True:
        reply = replace(reply, usage_chunk=True)
    choices, logprobs = _whole(body.get("n"), 1, MOST_CHOICES), _logprobs(body)
    if choices != 1 or logprobs is not None:
        reply = replace(reply, choices=choices, logprobs=logprobs)
    if reply.echo:
        return _saying(reply, Item(MESSAGE, split_words(last_words(body))))
    if reply.items is DEFAULT.items:
        item = _call(body) or _by_schema(body)
        return reply if item is None else _saying(reply, item)
    return reply


def _saying(reply: Reply, item: Item) -> Reply:
    return replace(reply, items=(item,), usage=replace(reply.usage, output=len(item.words)))


def _whole(value: Any, default: int, most: int) -> int:
    return min(value, most) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def _logprobs(body: Body) -> int | None:
    asked, include = body.get("logprobs"), body.get("include")
    if asked is True or (isinstance(include, list) and "message.output_text.logprobs" in include):
        return _whole(body.get("top_logprobs"), 0, MOST_LOGPROBS)
    return _whole(asked, 0, MOST_LOGPROBS) if isinstance(asked, int) and asked is not False else None


# --- structured outputs ------------------------------------------------------------------------------


def _by_schema(body: Body) -> Item | None:
    """A message that fits the schema which the request gives in one of three ways."""
    wanted = _dict(_dict(body.get("text")).get("format")) or _dict(body.get("response_format"))
    wanted = wanted or _dict(body.get("output_format")) or _dict(_dict(body.get("output_config")).get("format"))
    if wanted.get("type") == "json_object":
        return _json({"answer": DEFAULT.items[0].text})
    if wanted.get("type") != "json_schema":
        return None
    schema = wanted.get("schema", _dict(wanted.get("json_schema")).get("schema"))
    return _json(instance.of(_dict(schema)))


def _json(value: Any) -> Item:
    return Item(MESSAGE, split_words(json.dumps(value)))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


# --- tools -------------------------------------------------------------------------------------------


def _call(body: Body) -> Item | None:
    """The call of a tool, where the request leaves the model no choice."""
    choice, tools = body.get("tool_choice"), _tools(body)
    if choice is None and isinstance(body.get("function_call"), dict):
        choice = body["function_call"]
    if isinstance(choice, dict):
        named = _dict(choice.get("function")).get("name") or _dict(choice.get("custom")).get("name")
        name = named or choice.get("name")
        if name is None and choice.get("type") == "allowed_tools":
            allowed = _dict(choice.get("allowed_tools")) or choice
            names = [_name(_dict(tool)) for tool in allowed.get("tools") or []]
            name = next(iter(names), None) if allowed.get("mode") == "required" else None
        elif name is None and choice.get("type") == "any":
            choice = "required"
        tools = [tool for tool in tools if _name(tool) == name] if choice != "required" else tools
    elif choice != "required":
        return None
    return next((_called(tool) for tool in tools if _name(tool)), None)


def _tools(body: Body) -> list[dict[str, Any]]:
    tools = body.get("tools") or body.get("functions")
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


def _name(tool: dict[str, Any]) -> str:
    name = tool.get("name") or _dict(tool.get("function")).get("name") or _dict(tool.get("custom")).get("name")
    return name if isinstance(name, str) else ""


def _called(tool: dict[str, Any]) -> Item:
    if tool.get("type") == "custom":
        return Item(CALL, DEFAULT.items[0].words, _name(tool), custom=True)
    schema = tool.get("parameters") or _dict(tool.get("function")).get("parameters") or tool.get("input_schema")
    return Item(CALL, split_words(json.dumps(instance.of(_dict(schema)))), _name(tool))
