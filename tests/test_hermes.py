"""A real Hermes against `hermes-diag serve`, with the printed configuration, where nothing can dial out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERMES = os.environ.get("HERMES_DIAG_HERMES_PYTHON", "")

SCRIPT = r"""
set -eu
"$PYTHON" "$LOOPBACK"
"$PYTHON" -m hermes_diag serve --json $TLS > "$HERMES_HOME/serve.log" &
server=$!
trap 'kill -INT $server; wait $server || true' EXIT
while [ ! -s "$HERMES_HOME/serve.log" ]; do sleep 0.05; done
"$PYTHON" - <<'PYTHON'
import json, os, shlex
home = os.environ["HERMES_HOME"]
said = json.loads(open(home + "/serve.log").readline())
model = said["hermes"]["config.yaml"]["model"]
open(home + "/config.yaml", "w").write("model:\n" + "".join(f"  {k}: {v}\n" for k, v in model.items()))
json.dump(said["hermes"]["auth.json"], open(home + "/auth.json", "w"))
ca = said["environment"].get("SSL_CERT_FILE", "")
open(home + "/env", "w").write(f"export SSL_CERT_FILE={shlex.quote(ca)}\n" if ca else "")
PYTHON
. "$HERMES_HOME/env"
timeout 100 "$HERMES" chat -Q -q hi < /dev/null
"""


def can_unshare() -> bool:
    command = ["unshare", "-n", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.timeout(180)
@pytest.mark.skipif(not HERMES, reason="HERMES_DIAG_HERMES_PYTHON names no Python with hermes-agent")
@pytest.mark.skipif(bool(HERMES) and not can_unshare(), reason="no network namespace can be made here (unshare -n)")
@pytest.mark.parametrize("tls", ["", "--tls"], ids=["plain", "tls"])
def test_hermes_completes_a_chat(tls: str, tmp_path: Path) -> None:
    """`hermes chat -Q -q hi` prints our reply and leaves with 0; one POST of a codex turn was enough."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    environment = {
        **kept,
        "PYTHON": sys.executable,
        "LOOPBACK": str(Path(__file__).with_name("loopback.py")),
        "HERMES": str(Path(HERMES).with_name("hermes")),
        "HERMES_HOME": str(tmp_path),
        "TLS": tls,
    }
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=170
    )
    assert done.returncode == 0, done.stderr
    assert "Every socket you open is yours to close." in done.stdout
    events = [json.loads(line) for line in (tmp_path / "serve.log").read_text().splitlines()]
    assert len([one for one in events if one["event"] == "request" and one["path"] == "/v1/responses"]) == 1
