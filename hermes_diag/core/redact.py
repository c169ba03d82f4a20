"""Texts and names of others as they may be shown: nothing that looks like a secret, nothing of the prompt. Pure.

Of an error's text what is in doubt is taken out: a line that says too little costs a look into the file, a token that
is shown costs more. A name (of a file, a thread, a process) is there to be told from others, so that only what has the
shape of a secret is taken out of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

GAP = "[...]"

#: What a text needs to have for one of them to be in it, or it is longer than that; each look names some threads and
#: files, and must not wait until all shapes are compiled.
_SIGNS = (
    "://",
    "bearer",
    "basic",
    "=",
    "sk-",
    "sk_",
    "pk-",
    "pk_",
    "rk-",
    "rk_",
    "gh",
    "xox",
    "glpat",
    "hf_",
    "akia",
    "asia",
    "aiza",
    "eyj",
)
_SHORT = 24


@cache
def _url() -> re.Pattern[str]:
    return re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^\s/@]*@)?([^\s/?#'\"]*)[^\s'\"]*", re.IGNORECASE)


@cache
def _secrets() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(r"\b(bearer|basic)\s+\S+", re.IGNORECASE),
        re.compile(
            r"\b[\w-]*(key|token|secret|passw\w*|authorization|cookie|credential)s?['\"]?\s*[:=]\s*\S+", re.IGNORECASE
        ),
        re.compile(
            r"\b(sk|pk|rk|gh[a-z]|github_pat|xox[a-z]|glpat|hf|org|user|proj|AKIA|ASIA|AIza|eyJ)[-_][^\s'\",;]+"
        ),
        re.compile(r"\b(AKIA|ASIA|AIza|eyJ)[^\s'\",;]+"),
        re.compile(r"[^\s@]+@[^\s@]+"),
        re.compile(r"(['\"`])(?:(?!\1).){25,}(\1|$)"),
        # Long and with a digit in it: an id, a hash, a key of a kind not listed above.
        re.compile(r"(?=[^\s]*\d)[A-Za-z0-9_+/=.%-]{20,}"),
    )


@cache
def _shapes() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The same in names, where a slash, a full stop and a dash divide words; each with what it is called."""
    word = r"[^\s'\",;/]"
    return (
        ("an authorization", re.compile(r"(?<![A-Za-z0-9])(bearer|basic)\s+[^\s/]+", re.IGNORECASE)),
        (
            "a key, token or password with its name",
            re.compile(
                r"(?<![\w-])[\w-]*(key|token|secret|passw[a-z]*|authorization|cookie|credential)s?=[^\s/]+",
                re.IGNORECASE,
            ),
        ),
        ("an API key", re.compile(rf"(?<![A-Za-z0-9])(sk|pk|rk)[-_](?=[^\s/]*\d){word}{{6,}}")),
        ("a token", re.compile(rf"(?<![A-Za-z0-9])(gh[a-z]_|github_pat_|xox[a-z]-|glpat-|hf_){word}{{8,}}")),
        ("an access key", re.compile(rf"(?<![A-Za-z0-9])(AKIA|ASIA|AIza){word}{{8,}}")),
        ("a JSON Web Token", re.compile(rf"(?<![A-Za-z0-9])eyJ{word}{{8,}}")),
        # Long, of letters and digits: an id, a hash, a key of a kind not listed above.
        (
            f"{_SHORT} letters and digits or more in a row",
            re.compile(rf"(?<![A-Za-z0-9])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{{{_SHORT},}}"),
        ),
    )


#: So many words in a row that also stand in the payload are a quotation.
_QUOTED = 3


def line(text: str, payload: str = "", most: int = 200) -> str:
    """The first line of `text` that has any, at most so many characters.

    payload: what was sent, as JSON text; what is quoted from it is left out.
    """
    first = next((one.strip() for one in text[:10_000].splitlines() if one.strip()), "")
    shown = "".join(one if one.isprintable() else " " for one in first)
    shown = _url().sub(r"\1\2", shown)
    for pattern in _secrets():
        shown = pattern.sub(GAP, shown)
    shown = _without_quotations(shown, payload)
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def name(text: str) -> str:
    """A name, a path or a sentence of the user's, whole, without what has the shape of a secret."""
    low = text.lower()
    if len(text) < _SHORT and not any(sign in low for sign in _SIGNS):
        return text
    shown = _url().sub(r"\1\2", text) if "://" in text else text
    for _, shape in _shapes():
        shown = shape.sub(GAP, shown)
    return shown


def kinds(text: str) -> Iterator[str]:
    """What in a text has the shape of a secret, by what it is called."""
    for kind, shape in _shapes():
        if any(GAP not in found[0] for found in shape.finditer(text)):
            yield kind


def within(value: Any) -> Any:
    """The same of each text in a JSON value."""
    if isinstance(value, str):
        return name(value)
    if isinstance(value, list | tuple):
        return type(value)(map(within, value))
    return {key: within(one) for key, one in value.items()} if isinstance(value, dict) else value


def _without_quotations(text: str, payload: str) -> str:
    words = text.split()
    quoted: set[int] = set()
    for at, word in enumerate(words):
        several = words[at : at + _QUOTED]
        if len(several) == _QUOTED and " ".join(several) in payload:
            quoted.update(range(at, at + _QUOTED))
        bare = word.strip("\"'`.,:;()[]{}")
        if len(bare) >= 6 and any(one.isdigit() for one in bare) and bare in payload:
            quoted.add(at)
    kept = [GAP if at in quoted else word for at, word in enumerate(words)]
    return " ".join(word for at, word in enumerate(kept) if word != GAP or at == 0 or kept[at - 1] != GAP)
