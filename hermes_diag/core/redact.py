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

#: Characters of a line that are looked at: more than are shown, so that what is shown can be judged by what follows.
_SEEN = 1000
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
    "npm_",
    "ya29.",
    "sg.",
    "gsk_",
    "pypi-",
    "xapp-",
    "dckr_",
    "hvs.",
    "shp",
    "whsec_",
    "private key",
)
_SHORT = 24


@cache
def _url() -> re.Pattern[str]:
    return re.compile(r"([a-z][a-z0-9+.-]{0,20}://)(?:[^\s/@]*@)?([^\s/?#'\"]*)[^\s'\"]*", re.IGNORECASE)


@cache
def _secrets() -> tuple[re.Pattern[str], ...]:
    return (
        _private_key(),
        re.compile(r"\b(bearer|basic)\s{1,8}\S++", re.IGNORECASE),
        re.compile(
            r"\b(sk|pk|rk|gh[a-z]|github_pat|xox[a-z]|xapp|glpat|hf|org|user|proj|AKIA|ASIA|AIza|eyJ|npm|gsk|pypi|dckr_pat"
            r"|shp[a-z]{2}|whsec|r8|lin_api|tvly|pplx|nvapi)[-_][^\s'\",;]++"
        ),
        re.compile(r"\b(AKIA|ASIA|AIza|eyJ|ya29\.|SG\.|hvs\.)[^\s'\",;]++"),
        re.compile(r"(?<![^\s@])[^\s@]++@[^\s@]++"),
        re.compile(
            r"(?:\b(?:user|login|account|credentials?)\b|(?<!\S)-u)[\s=]{1,4}[^\s:/]{1,60}:[^\s:/]++", re.IGNORECASE
        ),
        re.compile(r"(['\"`])(?:(?!\1).){25,}(\1|$)"),
    )


@cache
def _private_key() -> re.Pattern[str]:
    """With its body, be it cut off, or with its ends of lines written as `\\n`."""
    return re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?")


@cache
def _long() -> re.Pattern[str]:
    """In a word with a digit in it: an id, a hash, a key of a kind that is not listed."""
    return re.compile(r"[A-Za-z0-9_+/=.%-]{20,}+")


@cache
def _shapes() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The same in names, where a slash, a full stop and a dash divide words; each with what it is called."""
    word = r"[^\s'\",;/]"
    return (
        ("an authorization", re.compile(r"(?<![A-Za-z0-9])(bearer|basic)\s+[^\s/]+", re.IGNORECASE)),
        ("a private key", _private_key()),
        (
            "a key, token or password with its name",
            re.compile(
                r"(?<![\w-])(?:[\w-]*(?:key|token|secret|passw[a-z]*|authorization|cookie|credential)s?"
                r"|(?:[\w-]*[-_])?(?:pwd|pass|passphrase|auth|sid|sig|signature|otp|jwt))"
                r"=(?:\"[^\"]*\"?|'[^']*'?|[^\s/]+)",
                re.IGNORECASE,
            ),
        ),
        (
            "a code with its name",
            re.compile(
                r"(?<![\w-])(?:[\w-]*[-_])?code=[^\s/=]{0,20}?(?<![a-z0-9])(?=[a-z]{0,80}\d)(?=\d{0,80}[a-z])"
                r"[a-z0-9]{6,}[^\s/]*",
                re.IGNORECASE,
            ),
        ),
        ("an API key", re.compile(rf"(?<![A-Za-z0-9])(sk|pk|rk)[-_](?=[^\s/]{{0,80}}\d){word}{{6,}}")),
        (
            "a token",
            re.compile(
                rf"(?<![A-Za-z0-9])(?:(?:gh[a-z]_|github_pat_|xox[a-z]-|xapp-|glpat-|hf_|npm_|gsk_|pypi-|dckr_pat_|whsec_"
                rf"|shp[a-z]{{2}}_){word}{{8,}}|(?:ya29\.|SG\.|hvs\.)[\w.-]{{16,}})"
            ),
        ),
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
    from hermes_diag.core import called

    first = next((one.strip() for one in text[:10_000].splitlines() if one.strip()), "")
    first = _begin("".join(one if one.isprintable() else " " for one in first))
    shown = _url().sub(r"\1\2", re.sub(r"\\{1,8}(?=[\"'])", "", first))  # quotation marks of JSON within JSON
    for pattern in _secrets():
        shown = pattern.sub(GAP, shown)
    shown = called.without(shown, GAP)
    shown = re.sub(r"\S++", lambda word: _long().sub(GAP, word[0]) if re.search(r"\d", word[0]) else word[0], shown)
    shown = _without_quotations(shown, payload)
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def _begin(text: str) -> str:
    """As much as is looked at. A word that is cut cannot be judged."""
    if len(text) <= _SEEN:
        return text
    whole, blank, rest = text[:_SEEN].rpartition(" ")
    return whole + blank + (GAP if re.search(r"\w", rest) else rest)


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
