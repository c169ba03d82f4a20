"""The models there are: patterns of names, and names that stand for them. Pure."""

from __future__ import annotations

import re
import string
from fnmatch import fnmatchcase
from functools import cache

#: The model that is named where one must be.
MODEL = "gpt-5"
#: The models that `serve` knows unless told otherwise.
KNOWN_MODELS = ("gpt-*", "o[0-9]*", "codex-*", "chatgpt-*", "claude-*", "text-embedding-*")
#: When each of them was made, as the list says: a time of no meaning.
CREATED_AT = 1_700_000_000


@cache
def names(patterns: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names to list as models: at least one, each matched by one of the patterns (None: any name)."""
    if patterns is None:
        return (MODEL,)
    plain = [MODEL, *(pattern for pattern in patterns if not set(pattern) & set("*?["))]
    listed = tuple(dict.fromkeys(name for name in plain if known(name, patterns)))
    return listed or tuple(name for name in map(_instance, patterns) if known(name, patterns))[:1]


def known(model: str, patterns: tuple[str, ...] | None) -> bool:
    """Whether there is a model of that name."""
    return patterns is None or any(fnmatchcase(model, pattern) for pattern in patterns)


def _instance(pattern: str) -> str:
    """A name that matches a pattern: "" for each `*`, for each other wildcard the first character that it takes."""

    def character(wildcard: re.Match[str]) -> str:
        letters = string.ascii_lowercase + string.digits + string.punctuation
        return next((letter for letter in letters if fnmatchcase(letter, wildcard[0])), "")

    return re.sub(r"\?|\[!?\]?[^\]]*\]", character, pattern.replace("*", ""))
