"""What `--reply` takes: a small JSON script, `echo`, or a transcript of a real stream (SSE).

    {"output": [{"reasoning": "Hm."}, {"text": "Hello."}, {"call": "look", "arguments": {"at": "it"}},
                {"refusal": "No."}],
     "usage": {"input_tokens": 10, "output_tokens": 3, "reasoning_tokens": 1, "cached_tokens": 0}}

A list of such objects answers the first request with the first of them, and so on; the last stays.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec

from hermes_diag.core import reading
from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import quoted
from hermes_diag.provider.answers import recorded
from hermes_diag.provider.answers.reply import CALL, MESSAGE, REASONING, REFUSAL, Item, Reply, Usage, split_words

#: Bytes of a script or a transcript that are still taken.
MAX_BYTES = 32 * reading.MIB

_EXAMPLE = 'a script is like {"output": [{"text": "Hello."}]}'


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    text: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    call: str | None = None
    arguments: dict[str, Any] | None = None


_Tokens = Annotated[int, msgspec.Meta(ge=0)]


class _Usage(msgspec.Struct, forbid_unknown_fields=True):
    input_tokens: _Tokens = 12
    output_tokens: _Tokens = 8
    reasoning_tokens: _Tokens = 0
    cached_tokens: _Tokens = 0


class _Script(msgspec.Struct, forbid_unknown_fields=True):
    output: list[_Item]
    usage: _Usage = msgspec.field(default_factory=_Usage)


def load(source: str) -> tuple[Reply, ...]:
    """The replies that `--reply SOURCE` means. Raises UsageError."""
    if source == "echo":
        return (Reply(echo=True),)
    data = _read(source)
    if data.lstrip().startswith((b"{", b"[")):
        return _scripted(source, data)
    streams = transcripts(data)
    if not streams:
        raise UsageError(f"{source} is neither a JSON script nor an SSE transcript with a whole stream", _EXAMPLE)
    return tuple(Reply(transcript=events, api=api) for api, events in streams)


def _read(source: str) -> bytes:
    try:
        return reading.whole(source, MAX_BYTES)
    except OSError as exc:
        raise UsageError(f"cannot read {quoted(source)}: {exc.strerror}", "a reply is echo, or a file") from None


def transcripts(data: bytes) -> list[tuple[str, tuple[bytes, ...]]]:
    """The streams that were recorded, one reply each, as (API, events): one begins with `response.created`,
    `message_start` or the first event of another API, one ends with `[DONE]`. The API is "" where no event tells."""
    streams: list[tuple[str, list[bytes]]] = []
    ended = True
    for event in transcript(data):
        api = recorded.api(event)
        begins = _names(event, b"response.created") or _names(event, b"message_start")
        if ended or begins or (api and streams[-1][0] and api != streams[-1][0]):
            streams.append((api, []))
        known, events = streams[-1]
        events.append(event)
        streams[-1] = known or api, events
        ended = event.rstrip().endswith(b"data: [DONE]")
    return [(api, tuple(events)) for api, events in streams]


def _names(event: bytes, kind: bytes) -> bool:
    return any(line in (b"event: " + kind, b"event:" + kind) for line in event.splitlines())


def transcript(data: bytes) -> tuple[bytes, ...]:
    """An SSE stream as its events, each with the blank line that ends it; what is cut off is left out."""
    text = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    whole, _, _ = text.rpartition(b"\n\n")
    events = [event.lstrip(b"\n") + b"\n\n" for event in whole.split(b"\n\n") if event.strip()]
    return tuple(events) if any(event.startswith((b"event:", b"data:")) for event in events) else ()


def _scripted(source: str, data: bytes) -> tuple[Reply, ...]:
    if reading.is_crowded(data):
        raise UsageError(f"{source} has more than {reading.VALUES:,} values", _EXAMPLE)
    try:
        scripts = msgspec.json.decode(data, type=_Script | list[_Script])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise UsageError(f"{source} is no reply script: {exc}", _EXAMPLE) from None
    scripts = scripts if isinstance(scripts, list) else [scripts]
    if not scripts:
        raise UsageError(f"{source} holds no reply", _EXAMPLE)
    return tuple(_reply(source, script) for script in scripts)


def _reply(source: str, script: _Script) -> Reply:
    usage = script.usage
    return Reply(
        tuple(_item(source, number, item) for number, item in enumerate(script.output)),
        Usage(usage.input_tokens, usage.output_tokens, usage.reasoning_tokens, usage.cached_tokens),
    )


def _item(source: str, number: int, item: _Item) -> Item:
    given = [key for key in ("text", "refusal", "reasoning", "call") if getattr(item, key) is not None]
    where = f"{source}: output[{number}]"
    if len(given) != 1:
        raise UsageError(f"{where} has {', '.join(given) or 'nothing'}", "one of text, refusal, reasoning, call")
    if item.call is not None:
        words = split_words(json.dumps(item.arguments or {}))
        return Item(CALL, words, item.call)
    if item.arguments is not None:
        raise UsageError(f"{where} has arguments without a call", 'write {"call": "name", "arguments": {}}')
    kinds = {"text": MESSAGE, "refusal": REFUSAL, "reasoning": REASONING}
    return Item(kinds[given[0]], split_words(getattr(item, given[0])))
