"""What each client needs to be led to the local provider: what `serve --for CLIENT` prints."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: A key that is none, for clients that want one.
KEY = "hermes-diag-local"


@dataclass(frozen=True)
class Where:
    """Where the provider is. ca: the certificate to trust, under TLS. proxy: the URL of its proxy, "" without one."""

    base_url: str
    model: str
    ca: Path | None = None
    proxy: str = ""

    @property
    def root(self) -> str:
        return self.base_url.removesuffix("/v1")


def environment(where: Where) -> dict[str, str]:
    """What most clients need in their environment."""
    lines = {"OPENAI_BASE_URL": where.base_url, "OPENAI_API_KEY": KEY}
    if where.ca:
        lines["SSL_CERT_FILE"] = str(where.ca)
    if where.proxy:
        # An empty NO_PROXY: one that exempts loopback, as many have it, would lead past the proxy.
        lines.update(HTTPS_PROXY=where.proxy, HTTP_PROXY=where.proxy, NO_PROXY="")
    return lines


def token() -> str:
    """An unsigned token that runs out in 2099: clients look at its date and account, and nobody at the signature."""
    account = {"chatgpt_account_id": "hermes-diag", "chatgpt_user_id": "hermes-diag", "chatgpt_plan_type": "plus"}
    claims = {"sub": "hermes-diag", "exp": 4_070_908_800, "https://api.openai.com/auth": account}
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts) + ".bm9uZQ"
    )


def hermes_files(where: Where) -> dict[str, Any]:
    """The minimal files that bring Hermes here: only a pool entry with a base_url of its own does."""
    config = {"model": {"default": where.model, "provider": "openai-codex", "base_url": where.base_url}}
    entry = {
        "id": "hermesdiag",
        "label": "hermes-diag",
        "auth_type": "oauth",
        "priority": 0,
        "source": "manual",
        "access_token": token(),
        "refresh_token": "none",  # nosec B105
        "base_url": where.base_url,
    }
    return {"config.yaml": config, "auth.json": {"version": 1, "credential_pool": {"openai-codex": [entry]}}}


def exports(variables: dict[str, str]) -> list[str]:
    """Lines for a shell."""
    return [f"export {name}={shlex.quote(value) if value else ''}" for name, value in variables.items()]


def _env(where: Where) -> list[str]:
    return exports(environment(where))


def hermes(where: Where) -> list[str]:
    """Hermes Agent, with the provider openai-codex."""
    files = hermes_files(where)
    model = files["config.yaml"]["model"]
    return [
        "For Hermes, $HERMES_HOME/config.yaml:",
        "",
        "  model:",
        *(f"    {key}: {value}" for key, value in model.items()),
        "",
        "and $HERMES_HOME/auth.json (the token is none: unsigned, for this provider only):",
        "",
        f"  {json.dumps(files['auth.json'])}",
    ]


def _trusting(where: Where) -> list[str]:
    """What Codex needs in its environment beside its files."""
    rest = {name: value for name, value in environment(where).items() if not name.startswith("OPENAI")}
    return exports({**rest, **({"CODEX_CA_CERTIFICATE": str(where.ca)} if where.ca else {})})


def codex(where: Where) -> list[str]:
    """The Codex CLI with a key. It heeds no OPENAI_BASE_URL: a provider of its own leads it."""
    return [
        "# Codex heeds no OPENAI_BASE_URL: it would ask its real endpoint. Its $CODEX_HOME/config.toml:",
        "",
        f'model = "{where.model}"',
        'model_provider = "hermes-diag"',
        "",
        "[model_providers.hermes-diag]",
        'name = "hermes-diag"',
        f'base_url = "{where.base_url}"',
        'wire_api = "responses"',
        'env_key = "HERMES_DIAG_KEY"',
        "supports_websockets = true",
        "",
        "# and in its environment:",
        "",
        *exports({"HERMES_DIAG_KEY": KEY}),
        *_trusting(where),
    ]


def codex_login(where: Where) -> list[str]:
    """The Codex CLI as with a ChatGPT login, which it takes to https only: `serve --tls`."""
    assert where.ca is not None
    tokens = {"id_token": token(), "access_token": token(), "refresh_token": "none", "account_id": "hermes-diag"}  # nosec B105
    login = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": "2099-01-01T00:00:00Z"}
    return [
        "# $CODEX_HOME/config.toml:",
        "",
        f'model = "{where.model}"',
        f'chatgpt_base_url = "{where.root}/backend-api/"',
        f'openai_base_url = "{where.root}/backend-api/codex"',
        "",
        "# $CODEX_HOME/auth.json (the token is none: unsigned, for this provider only):",
        "",
        json.dumps(login),
        "",
        "# and in its environment:",
        "",
        *_trusting(where),
    ]


def node(where: Where) -> list[str]:
    """The Node SDK and the Vercel AI SDK."""
    lines = environment(where)
    if where.ca:
        lines["NODE_EXTRA_CA_CERTS"] = lines.pop("SSL_CERT_FILE")
    if where.proxy:
        lines["NODE_USE_ENV_PROXY"] = "1"  # Node 24 and later
    return [*exports(lines), "", f"# new OpenAI()   createOpenAI({{ baseURL: {json.dumps(where.base_url)} }})"]


def python(where: Where) -> list[str]:
    """The Python SDK, and what is built on it: openai-agents, LangChain, pydantic-ai, instructor."""
    return [*_env(where), "", "# client = openai.OpenAI()"]


def litellm(where: Where) -> list[str]:
    """litellm."""
    call = f'litellm.completion(model="openai/{where.model}", api_base="{where.base_url}", messages=[...])'
    return [*_env(where), "", f"# {call}"]


def anthropic(where: Where) -> list[str]:
    """Clients of Anthropic's Messages API."""
    rest = {name: value for name, value in environment(where).items() if not name.startswith("OPENAI")}
    return exports({"ANTHROPIC_BASE_URL": where.root, "ANTHROPIC_API_KEY": KEY, **rest})


def azure(where: Where) -> list[str]:
    """Azure's clients; the deployment is the model."""
    rest = {name: value for name, value in environment(where).items() if not name.startswith("OPENAI")}
    lines = {"AZURE_OPENAI_ENDPOINT": where.root, "AZURE_OPENAI_API_KEY": KEY, "OPENAI_API_VERSION": "2025-01-01"}
    named = f"# A deployment is named as a model is: {where.model}. For other names start with --model '*'."
    return [*exports({**lines, **rest}), "", named]


def curl(where: Where) -> list[str]:
    """curl."""
    body = json.dumps({"model": where.model, "input": "hi", "stream": True})
    trusted = f" --cacert {where.ca}" if where.ca else ""
    through = f" --proxy {where.proxy} --noproxy ''" if where.proxy else ""
    return [f"curl -N{trusted}{through} {where.base_url}/responses -H 'content-type: application/json' -d '{body}'"]


#: What `--for` takes.
CLIENTS: dict[str, Callable[[Where], list[str]]] = {
    "anthropic": anthropic,
    "azure": azure,
    "codex": codex,
    "codex-login": codex_login,
    "curl": curl,
    "hermes": hermes,
    "litellm": litellm,
    "node": node,
    "python": python,
}
