"""What the model "says" in one reply: messages, refusals, reasoning, function calls, token usage. Pure data.

How a reply looks on the wire is in `replies` and the modules of `apis`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TEXT = ("Every", " socket", " you", " open", " is", " yours", " to", " close.")

#: Places in a rendered reply where its own id, its time and the fields that repeat the request go. The
#: rendering is kept, each answer gets its own; the places are random, so that no request can contain one.
STEM = secrets.token_hex(16)
CREATED_AT = 10**18 + secrets.randbelow(10**18)
ECHO = f"@{secrets.token_hex(8)}"

#: Kinds of output items.
MESSAGE, REFUSAL, REASONING, CALL = "message", "refusal", "reasoning", "call"


#: Releases of the SDK from which on the fields of a stream differ: 2.45 wants `cache_write_tokens` in the
#: usage, 3.0 no longer knows `name` beside the arguments of a finished function call.
DIALECTS = ((3, 0), (2, 45), (0, 0))
NEWEST = DIALECTS[0]


@dataclass(frozen=True)
class Item:
    """One output item; of a call, `words` are its arguments as JSON. `words` arrive one delta each."""

    kind: str
    words: tuple[str, ...]
    name: str = ""  # of the function
    custom: bool = False  # a call of a custom tool, whose input is any text

    @property
    def text(self) -> str:
        return "".join(self.words)


@dataclass(frozen=True)
class Usage:
    """Tokens, as the last event reports them."""

    input: int = 12
    output: int = len(TEXT)
    reasoning: int = 0
    cached: int = 0


@dataclass(frozen=True)
class Reply:
    """One reply. A transcript is sent as it was recorded, to those who ask by the API of which it is."""

    items: tuple[Item, ...] = (Item(MESSAGE, TEXT),)
    usage: Usage = Usage()
    echo: bool = False
    transcript: tuple[bytes, ...] = ()
    api: str = ""  # the only one it is for
    sdk: tuple[int, int] = NEWEST  # that will read it: the fields it knows differ
    usage_chunk: bool = False  # chat: the client asked for the tokens of a stream
    choices: int = 1  # chat and completions: how many the client asked for
    logprobs: int | None = None  # how many alternatives of each token; None: the client asked for none


DEFAULT = Reply()


def dialect(version: str) -> tuple[int, int]:
    """The oldest release of the SDK that knows the same fields; without a version, of the newest."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal()):
        return NEWEST
    number = int(major[:4]), int(minor[:6])
    return next((release for release in DIALECTS if number >= release), DIALECTS[-1])


def split_words(text: str) -> tuple[str, ...]:
    """A text as the deltas it arrives in."""
    first, *rest = text.split(" ")
    return (first, *(f" {word}" for word in rest))


def last_words(body: Mapping[str, Any]) -> str:
    """The text of the last input of a request, "" when there is none."""
    turns = body.get("input", body.get("messages", body.get("prompt")))
    while isinstance(turns, list) and turns:
        turns = turns[-1]
        if isinstance(turns, dict):
            turns = turns.get("content", turns.get("text", turns.get("output", "")))
    return turns if isinstance(turns, str) else ""
