"""Whose token a live replay uses. Read only: nothing is refreshed, nothing is written.

A token is held by one object, without a repr, from where it goes to the worker's private descriptor
and nowhere else.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from hermes_diag.core import folders, reading, units
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.hermes import home as hermes

#: The host that tokens of a ChatGPT login are meant for.
CHATGPT = "chatgpt.com"

#: Bytes of an auth.json at most: it holds some tokens.
MAX_BYTES = reading.MIB
_AUTH_CLAIM = "https://api.openai.com/auth"


@dataclass(frozen=True)
class Credentials:
    """A token and the headers that go with it; `owner` and `expiry` are what may be said of it."""

    owner: str
    expiry: str
    meant_for: str  # the host, "" when unknown
    token: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)


def from_environment(name: str, environ: MutableMapping[str, str] = os.environ) -> Credentials:
    """The key in a variable. It is taken out of the environment, so that no process we start inherits it.

    Raises UsageError, which does not quote the name: somebody may have given the key itself.
    """
    token = environ.get(name, "").strip()
    if not token:
        raise UsageError(
            "the environment variable that --auth names is not set, or empty",
            "export it first, and write --auth env:NAME with its name, not its value",
        )
    _check(token, f"the value of {name}")
    for other in [other for other, value in environ.items() if value == token or (len(token) > 7 and token in value)]:
        del environ[other]
    return Credentials(f"the key in ${name}", "", "", token)


def of_codex(kind: str, profile: str | None = None, environ: Mapping[str, str] = os.environ) -> Credentials:
    """The ChatGPT token of "hermes" or of "codex" (the Codex CLI), with the codex headers.

    Raises UsageError when there is none, CannotMeasure when it has expired.
    """
    if kind == "hermes":
        path = hermes.place(hermes.home(environ), profile) / "auth.json"
        token, meant_for = _of_hermes(_read(path, "log in with `hermes auth add openai-codex`"))
        again = "let Hermes refresh it: run `hermes chat -Q -q hi`"
    else:
        home = environ.get("CODEX_HOME", "").strip() or folders.home() / ".codex"
        path = folders.expanded(home) / "auth.json"
        token, meant_for = _token(_read(path, "log in with `codex login`").get("tokens")), CHATGPT
        again = "let the Codex CLI refresh it: run `codex exec hi`"
    if not token:
        raise UsageError(f"{path} holds no token for openai-codex", "log in first")
    _check(token, f"the token in {path}")
    claims = _claims(token)
    return Credentials(f"the token in {path}", _expiry(path, claims, again), meant_for, token, _headers(claims))


def _of_hermes(document: Mapping[str, Any]) -> tuple[str, str]:
    """(token, host it is meant for): the pool entry that Hermes prefers, or what older releases keep."""
    pool = _object(document.get("credential_pool")).get("openai-codex")
    entries = [entry for entry in pool if _token(entry)] if isinstance(pool, list) else []
    if entries:
        # As Hermes picks: the lowest priority first.
        best = min(entries, key=lambda entry: entry["priority"] if isinstance(entry.get("priority"), int) else 0)
        return _token(best), _host(best.get("base_url"))
    provider = _object(_object(document.get("providers")).get("openai-codex"))
    return _token(provider.get("tokens")), CHATGPT


def _read(path: Path, cure: str) -> Mapping[str, Any]:
    try:
        data = reading.whole(path, MAX_BYTES)
        document = {} if reading.is_crowded(data) else json.loads(data)
    except FileNotFoundError:
        raise UsageError(f"there is no {path}", cure) from None
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror}", "run as its owner") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path} is not JSON", cure) from None
    return _object(document)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _token(value: Any) -> str:
    found = _object(value).get("access_token")
    return found.strip() if isinstance(found, str) else ""


def _host(base_url: Any) -> str:
    from urllib.parse import urlsplit

    try:
        return (urlsplit(base_url).hostname or CHATGPT) if isinstance(base_url, str) else CHATGPT
    except ValueError:
        return ""


def _check(token: str, what: str) -> None:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"{what} cannot be sent in a header", "a token is printable ASCII without blanks")


def _claims(token: str) -> Mapping[str, Any]:
    """What a JWT says of itself, unverified; nothing when it is none."""
    try:
        part = token.split(".")[1]
        return _object(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
    except (IndexError, ValueError, RecursionError):
        return {}


def _expiry(path: Path, claims: Mapping[str, Any], again: str) -> str:
    ends = claims.get("exp")
    if isinstance(ends, bool) or not isinstance(ends, (int, float)) or not 0 <= ends < 1e11:
        return "does not say when it expires"
    left = ends - time.time()
    if left <= 0:
        raise CannotMeasure(f"the token in {path} expired {units.duration(-left)} ago", f"{again}; here it never is")
    return f"expires in {units.duration(left)}"


def _headers(claims: Mapping[str, Any]) -> dict[str, str]:
    """What chatgpt.com wants to see beside the token, as Hermes sends it."""
    headers = {
        "User-Agent": "codex_cli_rs/0.0.0 (Hermes Agent)",
        "originator": "codex_cli_rs",
        "session_id": str(uuid4()),
    }
    account = _object(claims.get(_AUTH_CLAIM)).get("chatgpt_account_id")
    if isinstance(account, str) and account.isascii() and account.isprintable():
        headers["ChatGPT-Account-ID"] = account
    return headers
