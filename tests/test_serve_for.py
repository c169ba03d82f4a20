"""`serve --for CLIENT`: what it prints leads that client to the provider, tried with the clients themselves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from client_table import MODULES, TEXT, codex_said
from provider_tools import PATIENCE
from test_provider_protocol import Serving, serving

from hermes_diag.cli.clients import CLIENTS, Where

NODE = pytest.mark.skipif(not MODULES, reason="HERMES_DIAG_CLIENTS_NODE names no folder with the clients")


def printed(server: Serving) -> list[str]:
    """The lines between the addresses and the first thing that happens."""
    return json.loads(server.wait_for("serving"))["for"]


def run(command: list[str], lines: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a shell that has read the exports of those lines and no variable of ours that leads elsewhere."""
    kept = {key: value for key, value in os.environ.items() if "PROXY" not in key.upper() and "OPENAI" not in key}
    exports = "\n".join(line for line in lines if line.startswith("export "))
    return subprocess.run(
        ["sh", "-c", exports + '\nexec "$@"', "sh", *command],
        capture_output=True, text=True, timeout=3 * PATIENCE, cwd=folder, env={**kept, **environment}, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def between(lines: list[str], first: str, last: str) -> str:
    """The lines after the one that names `first`, up to the one that begins with `last`."""
    start = next(place for place, line in enumerate(lines) if first in line) + 1
    end = next(place for place, line in enumerate(lines) if place >= start and line.startswith(last))
    return "\n".join(lines[start:end])


def codex(lines: list[str], home: Path) -> str:
    """What a turn of Codex says, with a home of its own; what it does in the background is off."""
    config = (
        between(lines, "config.toml", "# ")
        + "\n[analytics]\nenabled = false\n[features]\nplugins = false\napps = false\n"
    )
    (home / "config.toml").write_text(config)
    if any("auth.json" in line for line in lines):
        (home / "auth.json").write_text(between(lines, "auth.json", "# and"))
    command = [f"{MODULES}/node_modules/.bin/codex", "exec", "--skip-git-repo-check", "--json", "hi"]
    return codex_said(run(command, lines, home, CODEX_HOME=str(home), HOME=str(home)).stdout)


@NODE
@pytest.mark.parametrize(
    "arguments", [["--for", "codex"], ["--for", "codex", "--tls"], ["--for", "codex-login", "--tls"]]
)
def test_codex(arguments: list[str], tmp_path: Path) -> None:
    """Its turn comes here, over a WebSocket, with a key and as with a ChatGPT login."""
    with serving("--json", *arguments) as server:
        assert codex(printed(server), tmp_path) == "the reply"
        told = [json.loads(line) for line in server.lines]
    assert any(one["event"] == "upgrade" and one["status"] == 101 for one in told)
    assert any(one.get("over") == "WebSocket" and one["event"] == "request" for one in told)


@NODE
def test_codex_goes_on_over_http_at_once(tmp_path: Path) -> None:
    """426, with --no-websocket: one attempt at an upgrade, then the turn."""
    with serving("--json", "--for", "codex", "--no-websocket") as server:
        assert codex(printed(server), tmp_path) == "the reply"
        told = [json.loads(line) for line in server.lines]
    statuses = [one["status"] for one in told if one["event"] == "answered" and one.get("status") in (426, 200)]
    assert statuses == [426, 200]


@NODE
@pytest.mark.parametrize("tls", [False, True])
def test_node(tls: bool, tmp_path: Path) -> None:
    """The SDK finds base URL, key and certificate in its environment."""
    (tmp_path / "node_modules").symlink_to(Path(MODULES) / "node_modules")
    script = (
        "import OpenAI from 'openai'; const r = await new OpenAI().responses.create({model: 'gpt-5', input: 'hi'}); "
    )
    (tmp_path / "turn.mjs").write_text(script + "console.log(r.output_text)")
    with serving("--json", "--for", "node", *(["--tls"] if tls else [])) as server:
        done = run(["node", "turn.mjs"], printed(server), tmp_path)
    assert done.stdout.strip() == TEXT, done.stderr


@pytest.mark.parametrize("arguments", [[], ["--tls"], ["--tls", "--as-proxy"]])
def test_python(arguments: list[str], tmp_path: Path) -> None:
    """The SDK finds base URL, key, certificate and proxy in its environment."""
    script = "import openai; print(openai.OpenAI().responses.create(model='gpt-5', input='hi').output_text)"
    with serving("--json", "--for", "python", *arguments) as server:
        done = run([sys.executable, "-c", script], printed(server), tmp_path)
        told = [json.loads(line) for line in server.lines]
    assert done.stdout.strip() == TEXT, done.stderr
    assert any(one["event"] == "proxy opened" for one in told) == ("--as-proxy" in arguments)


def test_azure(tmp_path: Path) -> None:
    """The same with Azure's client."""
    script = "import openai; print(openai.AzureOpenAI().chat.completions.create(model='gpt-5', messages=[]).model)"
    with serving("--json", "--for", "azure") as server:
        assert run([sys.executable, "-c", script], printed(server), tmp_path).stdout.strip() == "gpt-5"


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
@pytest.mark.parametrize("arguments", [[], ["--tls"], ["--tls", "--as-proxy"]])
def test_curl(arguments: list[str], tmp_path: Path) -> None:
    """The line is a whole command."""
    with serving("--json", "--for", "curl", *arguments) as server:
        (line,) = printed(server)
        assert "response.completed" in run(["sh", "-c", line], [], tmp_path).stdout


def test_every_client_has_lines_and_a_word_of_help() -> None:
    """With a certificate and a proxy too; each names the address."""
    where = Where("https://127.0.0.1:1/v1", "gpt-5", Path("/ca"), "http://127.0.0.1:2")
    for name, lines in CLIENTS.items():
        assert "127.0.0.1:1" in "\n".join(lines(where)), name
        assert lines.__doc__


@pytest.mark.parametrize(("client", "cure"), [("codx", "did you mean codex"), ("codex-login", "add --tls")])
def test_what_cannot_be_led_here_gets_a_cure(client: str, cure: str) -> None:
    """A client that is not known, and one that asks https only where there is none."""
    done = subprocess.run(
        [sys.executable, "-m", "hermes_diag", "serve", "--for", client], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert cure in done.stderr
