"""auth.json of Hermes and of the Codex CLI."""

from __future__ import annotations

import base64
import json

from fuzz.frame import as_file
from hermes_diag.run import credentials

READS = ("hermes_diag.run.credentials",)


def _token(**claims: object) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def seeds() -> list[bytes]:
    token = _token(exp=9_999_999_999, **{"https://api.openai.com/auth": {"chatgpt_account_id": "acc"}})
    entry = {"id": "a", "priority": 1, "access_token": token, "base_url": "http://127.0.0.1:9/v1"}
    pool = {"credential_pool": {"openai-codex": [entry, {**entry, "priority": 0}]}}
    older = {"providers": {"openai-codex": {"tokens": {"access_token": token}}}}
    return [json.dumps(one).encode() for one in (pool, older, {"tokens": {"access_token": token}})]


def run(data: bytes) -> str:
    with as_file(data, "auth.json") as path:
        environ = {"HERMES_HOME": str(path.parent), "CODEX_HOME": str(path.parent)}
        kind = "hermes" if len(data) % 2 else "codex"
        return repr(credentials.of_codex(kind, environ=environ))
