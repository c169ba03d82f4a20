"""A real `hermes gateway run` against our provider, in a network namespace of its own. Runs as root by

    unshare -n PYTHON tests/hermes_gateway.py HERMES_PYTHON HOME [BOXES [FAULT]...]

With BOXES, a folder, the gateway runs with the recorder of `hermes-diag trace`, which writes there.
Starts the provider and the gateway, says `{"pid": ...}`, then does one turn for each line on its stdin and
answers each with a line: the status of the HTTP answer and the text's length. `interrupt` is a turn whose user leaves
after a second. Leaves at the end of stdin.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import loopback

from hermes_diag.leakguard.traced import environment
from hermes_diag.provider.server import Provider

KEY = "k" * 32
PORT = 8642
PATIENCE = 90
#: How long Hermes waits for a silent stream, in seconds.
WATCHDOGS = (
    "HERMES_CODEX_TTFB_TIMEOUT_SECONDS", "HERMES_CODEX_EVENT_STALE_TIMEOUT_SECONDS", "HERMES_API_CALL_STALE_TIMEOUT",
    "HERMES_STREAM_STALE_TIMEOUT",
)  # fmt: skip


def jwt() -> str:
    """An unsigned token that does not expire soon."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claim = {"https://api.openai.com/auth": {"chatgpt_account_id": "acct"}, "exp": int(time.time()) + 86400}
    return f"{part({'alg': 'none'})}.{part(claim)}.x"


def configure(home: Path, base_url: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    model = {"default": "gpt-5", "provider": "openai-codex", "base_url": base_url}
    (home / "config.yaml").write_text(json.dumps({"model": model}))  # JSON is YAML
    entry = {
        "id": "diag", "label": "diag", "auth_type": "api_key", "priority": 0, "source": "manual",
        "access_token": jwt(), "refresh_token": "none", "base_url": base_url,
    }  # fmt: skip
    (home / "auth.json").write_text(json.dumps({"version": 1, "credential_pool": {"openai-codex": [entry]}}))


def provider(started: threading.Event, found: list[str]) -> None:
    async def serve() -> None:
        made = Provider(None, faults=sys.argv[4:])
        await made.start()
        found.append(made.base_url)
        started.set()
        await asyncio.Event().wait()

    asyncio.run(serve())


def turn(number: int, interrupted: bool) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}], "stream": interrupted}
    headers = {
        "Authorization": f"Bearer {KEY}",
        "X-Hermes-Session-Id": f"s{number}",
        "Content-Type": "application/json",
    }
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    if interrupted:
        time.sleep(1)
        connection.close()
        return json.dumps({"status": 0, "bytes": 0})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return json.dumps({"status": answer.status, "bytes": len(text)})


def main() -> None:
    python, home = sys.argv[1], Path(sys.argv[2])
    loopback.up()
    started, found = threading.Event(), []
    threading.Thread(target=provider, args=(started, found), daemon=True).start()
    started.wait(10)
    configure(home, found[0])
    traced = environment(Path(sys.argv[3]), False) if len(sys.argv) > 3 else os.environ
    settings = {
        **traced, **dict.fromkeys(WATCHDOGS, "2"),
        "HERMES_HOME": str(home), "HOME": str(home), "API_SERVER_ENABLED": "true", "API_SERVER_KEY": KEY,
    }  # fmt: skip
    with open(home / "out.log", "wb") as log:
        gateway = subprocess.Popen(
            [str(Path(python).with_name("hermes")), "gateway", "run"], env=settings, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                http.client.HTTPConnection("127.0.0.1", PORT, timeout=5).connect()
                break
            except OSError:
                if time.monotonic() > until or gateway.poll() is not None:
                    sys.exit("the gateway did not start: " + (home / "out.log").read_text()[-2000:])
                time.sleep(0.1)
        print(json.dumps({"pid": gateway.pid}), flush=True)
        for number, line in enumerate(sys.stdin):
            print(turn(number, line.strip() == "interrupt"), flush=True)
    finally:
        gateway.terminate()
        try:
            gateway.wait(15)
        except subprocess.TimeoutExpired:
            gateway.kill()
            gateway.wait()


if __name__ == "__main__":
    main()
