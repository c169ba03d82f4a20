"""A real `hermes gateway run` against our provider, in a network namespace of its own. Runs as root by

    unshare -n PYTHON tests/hermes_gateway.py HERMES_PYTHON HOME

Starts the provider and the gateway, says `{"pid": ...}`, then does one turn for each line on its stdin and
answers each with a line: the status of the HTTP answer and the text's length. Leaves at the end of stdin.
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

from hermes_diag.provider.server import Provider

KEY = "k" * 32
PORT = 8642
PATIENCE = 90


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
        made = Provider(None)
        await made.start()
        found.append(made.base_url)
        started.set()
        await asyncio.Event().wait()

    asyncio.run(serve())


def turn(number: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}
    headers = {
        "Authorization": f"Bearer {KEY}",
        "X-Hermes-Session-Id": f"s{number}",
        "Content-Type": "application/json",
    }
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
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
    environment = {
        **os.environ, "HERMES_HOME": str(home), "HOME": str(home), "API_SERVER_ENABLED": "true", "API_SERVER_KEY": KEY,
    }  # fmt: skip
    with open(home / "out.log", "wb") as log:
        gateway = subprocess.Popen(
            [str(Path(python).with_name("hermes")), "gateway", "run"], env=environment, stdin=subprocess.DEVNULL,
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
        for number, _ in enumerate(sys.stdin):
            print(turn(number), flush=True)
    finally:
        gateway.terminate()
        try:
            gateway.wait(15)
        except subprocess.TimeoutExpired:
            gateway.kill()
            gateway.wait()


if __name__ == "__main__":
    main()
