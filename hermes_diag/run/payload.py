"""A request body from a plain file, a Hermes request dump or the built-in prompt: checked, repaired.

A dump holds the SDK's keyword arguments, not the wire body (see hermes.py of the agent): `stream` is
missing and `extra_headers` and `extra_body` sit inside. What may be said of a payload is PayloadInfo;
the body itself goes to the worker and nowhere else.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hermes_diag.core import reading, redact
from hermes_diag.core.errors import UsageError
from hermes_diag.core.plan import PayloadInfo, Then
from hermes_diag.core.text import one_line

MAX_BYTES = 32 * 1024 * 1024
#: chatgpt.com wants instructions and nothing stored.
BUILT_IN: dict[str, dict[str, Any]] = {
    "responses": {
        "model": "gpt-5",
        "instructions": "Answer in one word.",
        "input": [{"role": "user", "content": "hi"}],
        "store": False,
    },
    "chat": {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]},
}

#: Keyword arguments of the SDK that are no part of a body.
_NOT_BODY = ("extra_headers", "extra_body", "extra_query", "timeout", "stream")


@dataclass(frozen=True)
class Payload:
    """What the worker replays: JSON of {"body": ..., "headers": ...}, kept out of every repr."""

    info: PayloadInfo
    wire: bytes = field(repr=False)


def built_in(api: str) -> Payload:
    """The tiny prompt of our own."""
    return _payload("built-in", "built-in", BUILT_IN[api])


def load(path: Path | None, limit: int = MAX_BYTES) -> Payload:
    """The payload in a file, or the built-in one. `limit` in bytes. Raises UsageError."""
    if path is None:
        return built_in("responses")
    document = _parse(path, _read(path, limit))
    if not isinstance(document, dict):
        raise UsageError(f"{path}: {_kind(document)}, not a JSON object", "give a Responses or Chat Completions body")
    request = document.get("request")
    if isinstance(request, dict) and "body" in request:
        if not isinstance(request["body"], dict):
            raise UsageError(f"{path}: request.body is {_kind(request['body'])}, not an object", _DUMP_HINT)
        loaded = _payload(_name(path), "hermes-dump", _checked(f"{path}: request.body", request["body"]))
        return replace(loaded, info=replace(loaded.info, then=_then(document, request["body"])))
    return _payload(_name(path), "body", _checked(str(path), document))


def _name(path: Path) -> str:
    """A file as reports name it."""
    return redact.name(one_line(path.name))


def load_all(paths: Sequence[Path], limit: int = MAX_BYTES) -> tuple[Payload, ...]:
    """The payloads of several files, or the built-in one; no two have the same source. Raises UsageError."""
    loaded: dict[str, Payload] = {}
    for path in paths:
        payload = load(path, limit)
        source, number = payload.info.source, 1
        while source in loaded:
            number += 1
            source = f"{payload.info.source} ({number})"
        loaded[source] = replace(payload, info=replace(payload.info, source=source))
    return tuple(loaded.values()) or (load(None),)


def load_dump(path: Path, limit: int = MAX_BYTES) -> Payload:
    """The payload of a file that has to be a request dump. Raises UsageError."""
    loaded = load(path, limit)
    if loaded.info.then is None:
        raise UsageError(f"{path} is no request dump: it has no request.body", "name a file to replay it as a body")
    return loaded


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,79}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,15}(Z|[+-][0-9:]{4,6})?")


def _then(dump: dict[str, Any], body: dict[str, Any]) -> Then:
    """What a dump says of its failure, as far as it may be shown."""
    error = dump.get("error")
    error = error if isinstance(error, dict) else {}
    message = error.get("message")
    status = next((error[key] for key in ("status_code", "response_status") if _is_status(error.get(key))), None)
    text = json.dumps(body, ensure_ascii=False) if isinstance(message, str) else ""
    return Then(
        at=_matching(_TIME, dump.get("timestamp")),
        reason=_matching(_WORD, dump.get("reason")),
        error=_matching(_WORD, error.get("type")),
        status=status,
        message=redact.line(_said(message), text) if isinstance(message, str) else "",
    )


def _said(message: str) -> str:
    """The provider's own words, where the SDK has put them in a dict: `Error code: 400 - {'error': {...}}`."""
    _, dash, shown = message.partition(" - {")
    if not dash or len(shown) > 10_000:
        return message
    try:
        found: Any = ast.literal_eval("{" + shown)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return message
    found = found.get("error", found) if isinstance(found, dict) else found
    words = (found.get("message") or found.get("detail")) if isinstance(found, dict) else found
    return words if isinstance(words, str) else message


def _matching(shape: re.Pattern[str], value: Any) -> str:
    """A value that has the shape of what belongs there; anything else may be anything, and is not shown."""
    found = isinstance(value, str) and shape.fullmatch(value) and redact.line(value) == value
    return value if found else ""


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and 100 <= value <= 599


_DUMP_HINT = "a Hermes request dump keeps the body under request.body"


def _read(path: Path, limit: int) -> bytes:
    try:
        data = reading.whole(path, limit)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist", "name a JSON file, or none for the built-in prompt") from None
    except reading.TooLarge as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror}", "raise it with --set max-payload=SIZE") from None
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror}", "name a JSON file that you may read") from None
    if not data.strip():
        raise UsageError(f"{path} is empty", 'a body is at least {"input": "hi"}')
    if reading.is_crowded(data):
        raise UsageError(f"{path} has more than {reading.VALUES:,} values", "no request body has as many")
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
        raise UsageError(f"{where}: `{key}` is {_kind(turns)}", f"`{key}` is a list of messages")
    if not turns:
        raise UsageError(f"{where}: `{key}` is empty", "there is nothing to replay")
    if not isinstance(body.get("model", ""), str):
        raise UsageError(f"{where}: `model` is {_kind(body['model'])}", "`model` is a string")
    for part in ("extra_headers", "extra_body"):
        if not isinstance(body.get(part) or {}, dict):
            raise UsageError(f"{where}: `{part}` is {_kind(body[part])}", f"`{part}` is an object")
    return body


def _payload(source: str, kind: str, arguments: dict[str, Any]) -> Payload:
    """Turn the SDK's keyword arguments into a body and headers of its own. Raises UsageError."""
    body = {key: value for key, value in arguments.items() if key not in _NOT_BODY and value is not None}
    body.update(arguments.get("extra_body") or {})
    body.setdefault("model", "gpt-5")
    body["stream"] = True
    headers = {name: value for name, value in (arguments.get("extra_headers") or {}).items() if isinstance(value, str)}
    for name, value in headers.items():
        _check_header(source, name, value)
    api = "responses" if "input" in body else "chat"
    try:
        # As httpx writes it on the wire, which also finds what no client could send.
        size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode())
    except UnicodeEncodeError:
        raise UsageError(
            f"{source} holds half a surrogate pair, which is no text", "write the character whole"
        ) from None
    except ValueError:
        raise UsageError(f"{source} holds NaN or an infinite number, which is no JSON", "give a number") from None
    except RecursionError:
        raise UsageError(f"{source} is nested too deeply", "no request body needs that") from None
    return Payload(PayloadInfo(source, kind, api, size), json.dumps({"body": body, "headers": headers}).encode())


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Headers that the client or the provider's own control sets.
_RESERVED = ("content-length", "transfer-encoding", "host", "connection", "x-hermes-diag-")


def _check_header(source: str, name: str, value: str) -> None:
    """Refuse what no client could send. A value is never shown. Raises UsageError."""
    if not _TOKEN.fullmatch(name):
        raise UsageError(f"{source}: a name in `extra_headers` is no header name", "use letters, digits and dashes")
    if name.lower().startswith(_RESERVED):
        raise UsageError(f"{source}: `extra_headers` sets {name.lower()}, which is not its to set", "leave it out")
    if not value.isascii() or any(character < " " or character == "\x7f" for character in value.strip("\t")):
        raise UsageError(f"{source}: the value of {name.lower()} cannot be sent in a header", "use printable ASCII")


def _kind(value: Any) -> str:
    names = {list: "a list", dict: "an object", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
