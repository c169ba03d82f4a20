"""Writes docs/clients.md: what the Codex CLI, the Node SDK and the Vercel AI SDK make of each fault.

Run it as a script with HERMES_DIAG_CLIENTS_NODE naming a folder in which `node_modules` has what
clients/package.json lists. `client_table.py --rows CASES AT_ONCE` prints rows as JSON instead, on the
network there is.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exception_table import SPECS, SPECS_WEBSOCKET
from provider_tools import until

from hermes_diag.provider import Provider, faults

HERE = Path(__file__).parent
DOCUMENT = HERE.parent / "docs" / "clients.md"
MODULES = os.environ.get("HERMES_DIAG_CLIENTS_NODE", "")
TEXT = "Every socket you open is yours to close."
#: Milliseconds after which a client is told to give up on a silence; for the Vercel AI SDK a limit for all of a turn.
SILENCE = {"Codex CLI": 1000, "Node SDK": 1000, "Vercel AI SDK": 10_000}
#: Seconds after which a turn is given up that has not come to an end.
PATIENCE = 30.0
#: Turns that run at the same time; beside them, all of those that the document says take longer than `LONG` seconds.
AT_ONCE = 10
LONG = 20.0


@dataclass(frozen=True)
class Row:
    """What came of one fault. seconds: of the turn that met it."""

    spec: str
    outcome: str
    requests: int
    connections: int  # that were made
    left: int | None  # connections still open once the turn was over; None: the process ends with its turn
    seconds: float


def _named(spec: str) -> str:
    return spec.partition("=")[0].partition(":")[0]


def _provider(spec: str) -> Provider:
    """A provider with that fault; behind a proxy, and under TLS, where the fault needs it."""
    entry = faults.catalogue()[_named(spec)]
    proxied = entry.hook == "tunnel"
    silent = ["first-event-then-silence"] if entry.name.endswith("cut-after") else []  # else the reply is over before
    return Provider([spec, *silent], tls=entry.needs_tls or proxied, proxy=proxied, models=("gpt-*",))


def _environment(provider: Provider) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if "PROXY" not in key.upper() and "OPENAI" not in key}
    if provider.ca_file:
        kept |= dict.fromkeys(("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "CODEX_CA_CERTIFICATE"), str(provider.ca_file))
    return {**kept, **({"HTTPS_PROXY": provider.proxy_url} if provider.proxy_url else {})}


def _idle(spec: str) -> bool:
    """Whether the fault acts between two turns."""
    return faults.catalogue()[_named(spec)].hook == "idle"


def specs(client: str) -> list[str]:
    """The faults that a client can meet. Codex has one turn, and WebSockets; those for Node speak HTTP/1.1, and Node
    goes past a proxy unless told otherwise."""
    if client == "Codex CLI":
        # Its requests have 20 KB: at the speed of the other tables they alone take longer than Codex waits.
        over = {
            **SPECS,
            "proxy-slow": "proxy-slow=200000",
            **{name: spec for name, spec in SPECS_WEBSOCKET.items() if name.startswith("ws-")},
        }
        return [spec for _, spec in sorted(over.items()) if not _idle(spec)]
    return [spec for name, spec in sorted(SPECS.items()) if not name.startswith(("h2-", "proxy-"))]


def _node(program: str, silence: int) -> Callable[[str], Row]:
    """A client that is a program for Node; an idle fault meets its second turn."""

    def play(spec: str) -> Row:
        with (
            _provider(spec) as provider,
            tempfile.TemporaryDirectory(prefix="hermes-diag-clients-") as folder,
        ):
            for source in HERE.glob("clients/*.mjs"):
                (Path(folder) / source.name).write_bytes(source.read_bytes())
            (Path(folder) / "node_modules").symlink_to(Path(MODULES) / "node_modules")
            command = ["node", f"{folder}/{program}", provider.base_url, str(silence)]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment(provider)
            ) as process:
                try:
                    return _turns(process, provider, spec, _idle(spec))
                finally:
                    process.kill()

    return play


def _turns(process: subprocess.Popen[str], provider: Provider, spec: str, idle: bool) -> Row:
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    before = 0
    if idle:
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        until(lambda: provider.vanished or not provider.open_connections, f"{spec} to act")
        before = len(provider.requests)
    begun = time.monotonic()
    process.stdin.write("\n")
    process.stdin.flush()
    waiting = select.select([process.stdout], [], [], PATIENCE)[0] == []
    told = {"waiting": True} if waiting else json.loads(process.stdout.readline() or '{"error": ["died"]}')
    seconds = time.monotonic() - begun
    provider.settle()
    left = provider.open_connections
    process.kill()
    process.wait(PATIENCE)
    until(lambda: provider.vanished or not provider.open_connections, "its connections to close")
    return Row(spec, _outcome(told), *_counts(provider, before), left, seconds)


def _counts(provider: Provider, before: int = 0) -> tuple[int, int]:
    return len([one for one in provider.requests if one.api]) - before, provider.tally()["connections"]


def _outcome(told: dict[str, Any]) -> str:
    if "waiting" in told:
        return f"**still waiting after {PATIENCE:.0f} s**"
    if "error" in told:
        return "error: " + ", by ".join(told["error"])
    if told["text"] == TEXT:
        return "the reply" if told["terminal"] else "the whole text, without the end"
    if TEXT.startswith(told["text"]):
        return "**a part of the reply, taken for whole**" if told["text"] else "**nothing, without a word**"
    return "another text" if told["terminal"] else "another text, without the end"


def _codex(spec: str) -> Row:
    """The Codex CLI, one turn of `codex exec` in a home of its own."""
    with (
        _provider(spec) as provider,
        tempfile.TemporaryDirectory(prefix="hermes-diag-codex-") as home,
    ):
        # What Codex otherwise fetches in the background has nothing to do with its turn, and takes seconds to fail.
        config = f"""model = "gpt-5"
model_provider = "diag"
check_for_update_on_startup = false
[analytics]
enabled = false
[features]
plugins = false
apps = false
[model_providers.diag]
name = "diag"
base_url = "{provider.base_url}"
wire_api = "responses"
env_key = "DIAG_KEY"
stream_idle_timeout_ms = {SILENCE["Codex CLI"]}
supports_websockets = {"true" if spec.startswith("ws-") else "false"}
"""
        (Path(home) / "config.toml").write_text(config)
        environment = {**_environment(provider), "CODEX_HOME": home, "DIAG_KEY": "none", "HOME": home}
        begun = time.monotonic()
        with subprocess.Popen(
            [f"{MODULES}/node_modules/.bin/codex", "exec", "--skip-git-repo-check", "--json", "hi"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
            cwd=home, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                said = codex_said(process.communicate(timeout=PATIENCE)[0])
            except subprocess.TimeoutExpired:
                said = _outcome({"waiting": True})
                os.killpg(process.pid, signal.SIGKILL)
        seconds = time.monotonic() - begun
        until(lambda: provider.vanished or not provider.open_connections, "its connections to close")
        return Row(spec, said, *_counts(provider), None, seconds)


def codex_said(stdout: str) -> str:
    """The outcome of a turn as `codex exec --json` tells it."""
    events = [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    texts = [item["text"] for item in items if item["type"] == "agent_message"]
    if any(event["type"] == "turn.completed" for event in events):
        return _outcome({"text": texts[-1] if texts else "", "terminal": True})
    failed = [event["error"]["message"] for event in events if event["type"] == "turn.failed"]
    return "error: " + _shortened(failed[-1] if failed else "no outcome")


def _shortened(message: str) -> str:
    """The words of an error without what is another each time: addresses, ids."""
    words = [word for word in message.split() if "127.0.0.1" not in word and not word.startswith("req_")]
    plain = re.sub(r"[^ -~]|[][|`<>*_{}\"\\]", " ", " ".join(words))
    return " ".join(plain.split())[:90].strip(" .,:")


CLIENTS: dict[str, Callable[[str], Row]] = {
    "Codex CLI": _codex,
    "Node SDK": _node("node_sdk.mjs", SILENCE["Node SDK"]),
    "Vercel AI SDK": _node("node_vercel.mjs", SILENCE["Vercel AI SDK"]),
}


Case = tuple[str, str]  # a client and a fault


def cases() -> list[Case]:
    """Each client with each fault that it can meet."""
    return [(client, spec) for client in CLIENTS for spec in specs(client)]


@dataclass(frozen=True)
class Told:
    """What the document says of a case."""

    outcome: str
    requests: int
    seconds: float


def documented() -> dict[Case, Told]:
    """The rows of docs/clients.md."""
    found, client = {}, ""
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("## "):
            client = line[3:].rpartition(" ")[0]
        elif match := re.match(r"\| `(\S+)` \| (.*?) \| (\d+) \| .* ([\d.]+) \|$", line):
            found[client, match[1]] = Told(match[2], int(match[3]), float(match[4]))
    return found


def rows(chosen: list[Case], at_once: int) -> list[Row]:
    """What comes of each of them, in that order. Those that take long wait nearly all of it."""
    waiting = {case for case, told in documented().items() if told.seconds > LONG}
    with ThreadPoolExecutor(len(waiting) or 1) as patient, ThreadPoolExecutor(at_once) as pool:
        running = [
            (patient if (client, spec) in waiting else pool).submit(CLIENTS[client], spec) for client, spec in chosen
        ]
        return [one.result() for one in running]


def rows_without_network(chosen: list[Case], at_once: int = AT_ONCE) -> list[Row]:
    """The same, found where loopback is all there is."""
    script = 'exec 3>&1 >&2; "$0" "$1" && exec "$0" "$2" --rows "$3" "$4" >&3'
    command = ["unshare", "--map-root-user", "--net", "sh", "-c", script, sys.executable]
    files = [str(HERE / "loopback.py"), str(Path(__file__).resolve())]
    done = subprocess.run(
        [*command, *files, json.dumps(chosen), str(at_once)], stdout=subprocess.PIPE, text=True, check=True, timeout=900
    )
    return [Row(**row) for row in json.loads(done.stdout)]


_HEAD = """# What real clients make of each fault

Generated by `tests/client_table.py` and checked in CI: one streamed turn of each client for each fault of the
provider, with its own retries, where loopback is the only network. Codex is `codex exec` with a provider of its own in
config.toml. A silence is given up after {codex} s by Codex (`stream_idle_timeout_ms`), after {node} s by the Node SDK
(`timeout`), and the Vercel AI SDK has {vercel} s for all of a turn (`abortSignal`). A fault of idle connections meets
the second turn of a client; Codex here has one. Codex meets the faults of WebSockets with `supports_websockets`, and
those of the proxy through HTTPS_PROXY; the programs for Node speak neither WebSockets nor HTTP/2, and heed no
HTTPS_PROXY.

Requests and connections are those of the turn; *open* is how many connections the client still holds when its turn is
over (1 is a connection kept for the next one). Seconds are of one run; CI compares outcomes and requests.

Bold is what no user is told: a reply taken for whole that is not, and a turn that does not end.
"""


def document(chosen: list[Case], found: list[Row]) -> str:
    """docs/clients.md."""
    versions = json.loads((HERE / "clients" / "package.json").read_text())["dependencies"]
    names = {"Codex CLI": "@openai/codex", "Node SDK": "openai", "Vercel AI SDK": "ai"}
    limits = {"codex": "Codex CLI", "node": "Node SDK", "vercel": "Vercel AI SDK"}
    parts = [_HEAD.format(**{key: SILENCE[client] / 1000 for key, client in limits.items()})]
    for client in CLIENTS:
        parts.append(f"\n## {client} {versions[names[client]]}\n\n")
        parts.append(
            "| fault | what comes of it | requests | connections | open | seconds |\n|---|---|---|---|---|---|\n"
        )
        parts += [line(row) for (one, _), row in zip(chosen, found, strict=True) if one == client]
    return "".join(parts)


def line(row: Row) -> str:
    """A row of the table."""
    left = "-" if row.left is None else str(row.left)
    return f"| `{row.spec}` | {row.outcome} | {row.requests} | {row.connections} | {left} | {row.seconds:.1f} |\n"


if __name__ == "__main__":
    if not MODULES:
        sys.exit("set HERMES_DIAG_CLIENTS_NODE to a folder with node_modules")
    if sys.argv[1:2] == ["--rows"]:
        print(json.dumps([asdict(row) for row in rows(json.loads(sys.argv[2]), int(sys.argv[3]))]))
    else:
        DOCUMENT.write_text(document(cases(), rows_without_network(cases())))
        print(f"wrote {DOCUMENT.name}")
