"""`hermes-diag trace` and what the recorder writes down, on real programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hermes_diag.leakguard import traced
from tests.conftest import Cli

PYTHONS = [one for one in os.environ.get("HERMES_DIAG_WORKER_PYTHONS", "").split(":") if one]

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


@pytest.mark.skipif(not PYTHONS, reason="HERMES_DIAG_WORKER_PYTHONS names no Pythons")
@pytest.mark.parametrize("python", PYTHONS)
def test_any_python_from_3_9_on(cli: Cli, program: Path, python: str) -> None:
    ran = cli("trace", "--", python, program, 0)
    assert "4 descriptors still open when it ended" in ran.stderr
    assert "3 sockets: leaks.py:7 in leak" in ran.stderr


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


KILLED = """\
import os, signal, socket, subprocess, sys, time
if sys.argv[1:]:
    kept = socket.socket()
    print("ready", flush=True)
    time.sleep(60)
child = subprocess.Popen([sys.executable, __file__, "child"], stdout=subprocess.PIPE)
child.stdout.readline()
time.sleep(1.5)  # somebody looks twice a second
child.kill()
time.sleep(1.5)  # a zombie until it is waited for
child.communicate()
"""


def test_what_a_killed_child_held_is_known_from_the_last_look(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    ran = cli("trace", "--fail-on-left", "--", sys.executable, tmp_path / "killed.py")
    assert ran.returncode == 1
    assert "killed, or left by os._exit(); 1 descriptor open at the last look" in " ".join(ran.stderr.split())
    assert "1 socket: killed.py:3 in <module>" in ran.stderr


CLIENTS = """\
import openai
kept = []
def make(base_url):
    return openai.OpenAI(base_url=base_url, api_key="x", max_retries=0)
def turn(base_url, session):
    client = make(base_url)
    kept.append(client)
    client.responses.create(
        model="gpt-5", input="hi")
def factory(kwargs):
    kept.append(openai.OpenAI(**kwargs))
    return kept[-1]
"""


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        ("turn", (), r"(\d+) of \1 were opened at clients.py:8 in turn"),
        ("factory", ("--end", "abandon"), r"(\d+) of \1 by requests of clients made at clients.py:10"),
    ],
)
def test_a_finding_names_the_line_of_the_code_on_trial(
    cli: Cli, tmp_path: Path, spec: str, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / "clients.py").write_text(CLIENTS)
    size = ("--workload", "steady", "--sessions", 1, "--turns", 8)
    ran = cli("replay", f"./clients.py:{spec}", *size, *options, "--json", TMPDIR=str(tmp_path))
    found = {one["code"]: one["summary"] for one in json.loads(ran.stdout)["findings"]}
    assert re.search(f"{said}$", found["close-wait-grows"])
    assert not [*tmp_path.glob("hermes-diag-*")], "its boxes are left"


GATEWAY = """\
import socket, sys, time
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
kept = []
def turn():
    connection = socket.create_connection(server.getsockname())
    peer, _ = server.accept()
    peer.close()
    return connection
print("ready", flush=True)
while True:
    kept.append(turn())
    if sys.argv[1] == "clean":
        kept.pop().close()
    time.sleep(0.02)
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Starts a program with a recorder; its PID."""
    (tmp_path / "gateway.py").write_text(GATEWAY)
    boxes = tmp_path / "boxes"
    boxes.mkdir(mode=0o700)
    started = []

    def start(how: str) -> int:
        command = [sys.executable, str(tmp_path / "gateway.py"), how]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=traced.environment(boxes, False)))
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline() == b"ready\n"
        return started[-1].pid

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.mark.parametrize("how", ["leak", "clean"])
def test_a_watch_names_the_line_that_opened_most_of_the_growth(
    cli: Cli, gateway: Callable[[str], int], how: str, tmp_path: Path
) -> None:
    saved = tmp_path / "watch.jsonl"
    ran = cli("sockets", gateway(how), "--watch", "--set", "count=40", "--interval", "100ms", "--save", saved)
    again = cli("report", saved)
    for text in (ran.stdout, again.stdout):
        verdict = " ".join(text.partition("Verdict")[2].split())
        assert ("that came and stayed were opened at gateway.py:7 in turn" in verdict) == (how == "leak")
        assert ("Opened since the watch began, and still there" in text) == (how == "leak")
    assert ran.returncode == again.returncode == (how == "leak")


def test_a_look_names_the_line_of_each_descriptor(cli: Cli, gateway: Callable[[str], int]) -> None:
    pid = gateway("leak")
    document = json.loads(cli("sockets", pid, "--json").stdout)
    found = {one["fd"]: one["opened"] for one in document["origins"]["descriptors"]}
    places = {fd: one["lines"][0] for fd, one in found.items() if not one["inherited"]}
    assert set(places.values()) == {"gateway.py:2 in <module>", "gateway.py:7 in turn"}
    opened = {row["fd"] for row in document["sockets"]}
    assert opened <= places.keys()
    text = cli("sockets", pid).stdout
    assert re.search(r"opened [\d.]+ (ms|s) ago at gateway.py:7 in turn", text)
    assert re.search(r"(\d+) of \1 CLOSE_WAIT: gateway.py:7 in turn", text)


def told(cli: Cli, program: Path, text: str, *options: str) -> tuple[str, int]:
    program.write_text(text)
    ran = cli("trace", *options, "--", sys.executable, program)
    return " ".join(ran.stderr.split()) if "--json" not in options else ran.stdout, ran.returncode


def test_a_dup_has_the_line_that_made_the_socket(cli: Cli, program: Path) -> None:
    said, _ = told(cli, program, "import os, socket\na = socket.socket()\nos.dup(a.fileno())\nb = a.dup()\n")
    assert "2 sockets: leaks.py:2 in <module>" in said
    assert "1 socket: leaks.py:4 in <module>" in said


def test_what_sqlite_opens_beside_a_database_is_left_too(cli: Cli, program: Path) -> None:
    text = (
        "import os, sqlite3\n"
        "db = sqlite3.connect('one.db')\n"
        "db.execute('pragma journal_mode=wal')\n"
        "db.execute('create table if not exists one (two)')\n"
    )
    said, _ = told(cli, program, text)
    assert "3 files: leaks.py:2 in <module>" in said


def test_many_databases_are_all_remembered(cli: Cli, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With this seed the hashes of several names lead to the same place in the box."""
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    text = (
        "import os, sqlite3\n"
        "dbs = [sqlite3.connect('%d.db' % number) for number in range(60)]\n"
        "for db in dbs:\n"
        "    db.execute('pragma journal_mode=wal')\n"
        "    db.execute('create table if not exists one (two)')\n"
    )
    said, _ = told(cli, program, text)
    assert "180 files: leaks.py:2 in <" in said, said


def test_more_stacks_than_the_box_holds(cli: Cli, program: Path) -> None:
    """Said, and not taken for a stack without lines."""
    text = (
        "import os\n"
        "for number in range(17000):\n"
        "    name = 'f%d' % number\n"
        "    exec(compile('def %s(): return os.pipe()' % name, name + '.py', 'exec'))\n"
        "    kept = globals()[name]()\n"
        "    for fd in kept: os.close(fd)\n"
        "last = os.pipe()\n"
    )
    said, _ = told(cli, program, text)
    assert "2 pipes: not known: the box holds 16,384 different stacks and no more" in said


def test_who_ends_before_anybody_looks_is_not_called_clean(cli: Cli, program: Path) -> None:
    text = "import os, socket\na = socket.socket()\nos._exit(0)\n"
    said, code = told(cli, program, text, "--json")
    document = json.loads(said)
    assert (document["status"], document["exit_code"], code) == ("could not tell", 0, 0)
    assert told(cli, program, text, "--fail-on-left")[1] == 3


def test_the_box_of_a_process_that_runs_on_stays(cli: Cli, program: Path) -> None:
    text = (
        "import os, socket, sys, time\n"
        "if os.fork(): sys.exit()\n"
        "os.setsid()\n"
        "os.dup2(os.open(os.devnull, os.O_RDWR), 2); os.dup2(2, 1)\n"
        "a = socket.socket()\n"
        "time.sleep(60)\n"
    )
    said, _ = told(cli, program, text)
    running = re.search(r"process (\d+) \(leaks.py, Python [\d.]+\): runs", said)
    folder = re.search(r"recorded on, in (\S+)", said)
    assert running
    assert folder
    try:
        assert "leaks.py:5 in <module>" in cli("sockets", running[1], "-v").stdout
    finally:
        os.kill(int(running[1]), signal.SIGKILL)
        shutil.rmtree(folder[1])


def test_no_name_moves_the_cursor(cli: Cli, program: Path) -> None:
    text = (
        "import socket, threading\n"
        "def one():\n"
        "    kept.append(socket.socket())\n"
        "kept = []\n"
        "thread = threading.Thread(target=one, name='\\x1b[31mred\\n"
        "')\n"
        "thread.start(); thread.join()\n"
    )
    said, _ = told(cli, program, text, "-v")
    assert "\x1b" not in said
    assert "thread \\x1b[31mred" in said


def test_a_signal_to_all_of_the_group_comes_once(program: Path) -> None:
    """As systemd sends it: the program's own end is not cut short by a second one."""
    program.write_text(
        "import signal, sys, time\ncame = []\nsignal.signal(signal.SIGTERM, lambda *_: came.append(1))\n"
        "print('ready', flush=True)\n"
        "while not came: time.sleep(0.01)\ntime.sleep(0.3)\nsys.exit(9 if len(came) == 1 else 5)\n"
    )
    command = [sys.executable, "-m", "hermes_diag", "trace", "--", sys.executable, str(program)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as running:
        assert running.stdout
        assert running.stdout.readline() == b"ready\n"
        os.killpg(running.pid, signal.SIGTERM)
        assert running.wait(20) == 9


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_box_that_another_user_has_put_there_is_not_believed(
    cli: Cli, gateway: Callable[[str], int], tmp_path: Path
) -> None:
    pid = gateway("leak")
    (box,) = (tmp_path / "boxes").glob("*.box")
    os.chown(box, 12345, 12345)
    ran = cli("sockets", pid)
    assert "is of another user than its process" in " ".join(ran.stdout.split())
    assert "gateway.py" not in ran.stdout


THREAD = """\
import sys, threading
kept = []
def work():
    kept.append(open("first", "w"))
    kept.append(open("last", "w"))
thread = threading.Thread(target=work)
thread.start()
thread.join()
print("ready", flush=True)
sys.stdin.readline()
"""


def test_the_last_that_an_ended_thread_has_opened(cli: Cli, tmp_path: Path) -> None:
    """Python announces a file before it is open, and this thread announces nothing more: while the program runs, and
    when it ends, its line is told all the same."""
    (tmp_path / "thread.py").write_text(THREAD)
    boxes = tmp_path / "boxes"
    boxes.mkdir(mode=0o700)
    environment = {**os.environ, "PYTHONPATH": str(traced.RECORDER), "HERMES_DIAG_BOXES": str(boxes)}
    with subprocess.Popen(
        [sys.executable, "thread.py"], cwd=tmp_path, env=environment, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        look = cli("sockets", running.pid, "-v")
        running.communicate("\n")
    ended = cli("trace", "-v", "--", sys.executable, "thread.py")
    for text in (look.stdout, ended.stderr):
        words = " ".join(text.split())
        assert "thread.py:4 in work" in words, text
        assert "thread.py:5 in work" in words, text
        assert "not recorded" not in words, text
