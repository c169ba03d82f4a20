"""What `serve --reply` takes: a script, or a recorded stream (SSE)."""

from __future__ import annotations

from fuzz.frame import as_file
from hermes_diag.provider.answers import recorded, replies, script

READS = ("hermes_diag.provider.answers.recorded", "hermes_diag.provider.answers.script")

_SCRIPT = (
    b'{"output": [{"reasoning": "Hm."}, {"text": "Hello."}, {"call": "look", "arguments": {"at": "it"}}], '
    b'"usage": {"input_tokens": 10, "output_tokens": 3}}'
)
_CHAT = (
    b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant",'
    b'"content":"Hel"}}]}\n\ndata: {"choices":[{"index":0,"delta":{"content":"lo","tool_calls":[{"index":0,"id":"t",'
    b'"function":{"name":"f","arguments":"{\\"a\\""}}]}}]}\n\ndata: {"choices":[{"index":0,"delta":{"tool_calls":'
    b'[{"index":0,"function":{"arguments":":1}"}}]},"finish_reason":"stop"}],"usage":{}}\n\ndata: [DONE]\n\n'
)
_MESSAGES = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"tool"}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta",'
    b'"partial_json":"{}"}}\n\nevent: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":1}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def seeds() -> list[bytes]:
    own = [b"".join(replies.stream(api, "gpt-5")) for api in ("responses", "chat", "messages")]
    return [_SCRIPT, b"[%b, %b]" % (_SCRIPT, _SCRIPT), _CHAT, _MESSAGES, *own]


def run(data: bytes) -> str:
    with as_file(data, "reply.txt") as path:
        found = script.load(str(path))
    for one in found[:50]:
        if one.transcript and one.api:
            recorded.whole(one.api, one.transcript)
    return ""
