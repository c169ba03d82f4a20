"""`hermes-diag trace` and what the recorder writes down, on real programs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli

LEAK = """\
import socket, sys
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
kept = []
def leak():
    kept.append(socket.create_connection(server.getsockname()))
for _ in range(3):
    leak()
with socket.create_connection(server.getsockname()):
    pass
print("done")
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "leaks.py"
    path.write_text(LEAK)
    return path


def test_what_is_left_open_is_told_with_its_line(cli: Cli, program: Path) -> None:
    ran = cli("trace", "--", sys.executable, program, 7)
    assert ran.returncode == 7
    assert ran.stdout == "done\n"
    assert "4 descriptors still open when it ended" in ran.stderr
    assert re.search(r"3 sockets: leaks.py:7 in leak \(127.0.0.1:\d+\)", ran.stderr)
    assert "1 socket: leaks.py:2 in <module>" in ran.stderr


def test_fail_on_left_and_json(cli: Cli, program: Path) -> None:
    ran = cli("trace", "--fail-on-left", "--json", "--", sys.executable, program, 0)
    assert ran.returncode == 1
    document = json.loads(ran.stdout)
    assert (document["command"], document["exit_code"]) == ("trace", 1)
    places = [kept["opened"]["lines"][0] for kept in document["processes"][0]["kept"]]
    assert places == ["leaks.py:2 in <module>", *["leaks.py:7 in leak"] * 3]


def test_nothing_is_left(cli: Cli) -> None:
    ran = cli("trace", "--fail-on-left", "--", sys.executable, "-c", "import socket; socket.socket().close()")
    assert ran.returncode == 0
    assert "nothing was left open" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "which program?"),
        (["--", "no-such-program"], 2, "there is no program no-such-program"),
        (["--", "/etc/passwd"], 2, "/etc/passwd is not a program that can be run"),
        (["--", "true"], 3, "no Python 3.9 or newer recorded anything"),
        (["--", "false"], 1, "no Python 3.9 or newer recorded anything"),
        (["--", sys.executable, "-I", "-c", ""], 3, "-I ignores PYTHONPATH: nothing will be recorded"),
    ],
)
def test_what_cannot_be_recorded(cli: Cli, arguments: list[str], code: int, said: str) -> None:
    ran = cli("trace", *arguments)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
