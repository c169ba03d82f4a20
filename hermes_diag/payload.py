"""A request body from a plain file, a Hermes request dump or the built-in prompt: checked, repaired.

A dump holds the SDK's keyword arguments, not the wire body (see hermes.py of the agent): `stream` is
missing and `extra_headers` and `extra_body` sit inside. What may be said of a payload is PayloadInfo;
the body itself goes to the worker and nowhere else.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hermes_diag.errors import UsageError
from hermes_diag.model import PayloadInfo

MAX_BYTES = 32 * 1024 * 1024
BUILT_IN: dict[str, Any] = {"model": "gpt-5", "input": [{"role": "user", "content": "hi"}], "store": False}

#: Keyword arguments of the SDK that are no part of a body.
_NOT_BODY = ("extra_headers", "extra_body", "extra_query", "timeout", "stream")


@dataclass(frozen=True)
class Payload:
    """What the worker replays: JSON of {"body": ..., "headers": ...}, kept out of every repr."""

    info: PayloadInfo
    wire: bytes = field(repr=False)


def load(path: Path | None, limit: int = MAX_BYTES) -> Payload:
    """The payload in a file, or the built-in one. `limit` in bytes. Raises UsageError."""
    if path is None:
        return _payload("built-in", "built-in", BUILT_IN)
    document = _parse(path, _read(path, limit))
    if not isinstance(document, dict):
        raise UsageError(f"{path}: a {_kind(document)}, not a JSON object", "give a Responses or Chat Completions body")
    request = document.get("request")
    if isinstance(request, dict) and "body" in request:
        if not isinstance(request["body"], dict):
            raise UsageError(f"{path}: request.body is a {_kind(request['body'])}, not an object", _DUMP_HINT)
        return _payload(path.name, "hermes-dump", _checked(f"{path}: request.body", request["body"]))
    return _payload(path.name, "body", _checked(str(path), document))


_DUMP_HINT = "a Hermes request dump keeps the body under request.body"


def _read(path: Path, limit: int) -> bytes:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{path} is a directory", "name the JSON file in it")
        if status.st_size > limit:
            raise UsageError(f"{path} has {status.st_size} bytes, the limit is {limit}", "raise it with --max-payload")
        with open(path, "rb") as file:
            data = file.read(limit + 1)  # a pipe or a growing file has no size beforehand
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist", "name a JSON file, or none for the built-in prompt") from None
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror}", "check its permissions") from None
    if len(data) > limit:
        raise UsageError(f"{path} has more than {limit} bytes", "raise the limit with --max-payload")
    if not data.strip():
        raise UsageError(f"{path} is empty", 'a body is at least {"input": "hi"}')
    return data


def _parse(path: Path, data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path} is not UTF-8 text (byte {exc.start})", "JSON is written in UTF-8") from None
    except json.JSONDecodeError as exc:
        raise UsageError(f"{path} is not JSON: {exc.msg} at line {exc.lineno} column {exc.colno}") from None
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply", "no request body needs that") from None
    except ValueError:  # an integer of more digits than Python converts
        raise UsageError(f"{path} is not JSON that can be replayed: a number is too long") from None


def _checked(where: str, body: dict[str, Any]) -> dict[str, Any]:
    """The body if a provider could take it. Raises UsageError."""
    key = "input" if body.get("input") is not None else "messages"
    turns = body.get(key)
    if turns is None:
        raise UsageError(f"{where} has neither `input` nor `messages`", 'a body is at least {"input": "hi"}')
    if not isinstance(turns, (list, str) if key == "input" else list):
        raise UsageError(f"{where}: `{key}` is a {_kind(turns)}", f"`{key}` is a list of messages")
    if not turns:
        raise UsageError(f"{where}: `{key}` is empty", "there is nothing to replay")
    if not isinstance(body.get("model", ""), str):
        raise UsageError(f"{where}: `model` is a {_kind(body['model'])}", "`model` is a string")
    for part in ("extra_headers", "extra_body"):
        if not isinstance(body.get(part) or {}, dict):
            raise UsageError(f"{where}: `{part}` is a {_kind(body[part])}", f"`{part}` is an object")
    return body


def _payload(source: str, kind: str, arguments: dict[str, Any]) -> Payload:
    """Turn the SDK's keyword arguments into a body and headers of its own."""
    body = {key: value for key, value in arguments.items() if key not in _NOT_BODY and value is not None}
    body.update(arguments.get("extra_body") or {})
    body.setdefault("model", "gpt-5")
    body["stream"] = True
    headers = {name: value for name, value in (arguments.get("extra_headers") or {}).items() if isinstance(value, str)}
    api = "responses" if "input" in body else "chat"
    size = len(json.dumps(body, separators=(",", ":")))
    return Payload(PayloadInfo(source, kind, api, size), json.dumps({"body": body, "headers": headers}).encode())


def _kind(value: Any) -> str:
    names = {list: "list", dict: "object", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")
