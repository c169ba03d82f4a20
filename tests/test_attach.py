"""`sockets --attach`: a real process of Python 3.14 says who holds its sockets; others are refused with a reason.

What needs Python 3.14 is skipped under an older one. In CI, where a skip is a failure, it is left out there: the
smoke set runs it under 3.14.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import ROOT, Cli

from hermes_diag.core.errors import CannotMeasure
from hermes_diag.leakguard.attach import ask as asking
from hermes_diag.leakguard.attach import bundle, rights
from hermes_diag.reporters import sockets_attached
from hermes_diag.watch import process
from hermes_diag.watch.attached import Attached
from hermes_diag.watch.records import Look

OLD = sys.version_info < (3, 14)
inside = pytest.mark.skipif(OLD, reason="a process of Python 3.14 is asked, and this one is older")
TARGET = ROOT / "tests" / "attach_target.py"
SECRET = "sk-live-0123456789-of-a-session"
#: Enough for a whole walk on a busy machine: what is named right is another question than how long it may take.
LONG = 30.0


class Target:
    """A process of tests/attach_target.py, and what it says is to be found in it."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        assert running.stdin
        assert running.stdout
        self.pid, self._stdin, self._stdout = running.pid, running.stdin, running.stdout
        expected = json.loads(self._stdout.readline())
        self.seeds: list[dict[str, Any]] = expected["seeds"]
        self.pools: list[dict[str, Any]] = expected["pools"]

    def tell(self, word: str) -> Any:
        self._stdin.write(word + "\n")
        self._stdin.flush()
        return json.loads(self._stdout.readline())


@contextmanager
def started(*arguments: str) -> Iterator[Target]:
    with subprocess.Popen(
        [sys.executable, str(TARGET), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            yield Target(running)
        finally:
            assert running.stdin
            running.stdin.close()


@pytest.fixture(scope="module")
def gateway() -> Iterator[Target]:
    with started() as target:
        yield target


@contextmanager
def program(code: str, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A small program that has printed `ready`; it ends with its stdin, or is killed."""
    with subprocess.Popen(
        [sys.executable, *options, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as running:
        try:
            assert running.stdout
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()


WAITS = "import os\nprint('ready', flush=True)\nos.read(0, 1)\n"
TICKS = "import time\nprint('ready', flush=True)\nwhile True: time.sleep(0.01)\n"


def found(target: Target) -> Attached:
    told = asking.ask(target.pid, limit=LONG)
    assert told.complete
    return told


def in_order(steps: list[str], way: str) -> bool:
    at = 0
    for step in steps:
        at = way.find(step, at)
        if at < 0:
            return False
    return True


# --- what it finds ----------------------------------------------------------------------------------


@inside
def test_each_holder_is_named(gateway: Target) -> None:
    """More than thirty holders, of each kind: the root, and the steps of the way from it to the socket."""
    told = {one.fd: one for one in found(gateway).holders}
    wrong = []
    for seed in gateway.seeds:
        holder = told.get(seed["fd"])
        if seed["root"] == "bare":
            right = holder is None
        else:
            right = (
                holder is not None and holder.root == seed["root"] and in_order(seed["way"], " -> ".join(holder.chain))
            )
        if not right:
            wrong.append((seed, holder))
    assert not wrong
    assert len(gateway.seeds) >= 50
    assert {seed["root"] for seed in gateway.seeds} >= {"module", "class", "function", "local", "task", "thread"}
    assert {seed["root"] for seed in gateway.seeds} >= {"context", "loop", "cycle", "bare"}


@inside
def test_pools_are_counted(gateway: Target) -> None:
    """Limit, in use, idle, queued and lost of each pool, sync and async, of each library."""
    told = found(gateway).pools
    for expected in gateway.pools:
        kind, way = expected["kind"], expected["way"]
        (seen,) = [one for one in told if one.kind == kind and " -> ".join(one.chain).startswith(way)]
        counts = {name: getattr(seen, name) for name in ("limit", "used", "idle", "queued", "lost")}
        assert counts == {name: expected[name] for name in counts}, way
    assert {one["kind"].partition(".")[0] for one in gateway.pools} >= {"httpcore", "urllib3", "aiohttp"}
    assert any(one["lost"] for one in gateway.pools)
    assert any(one["queued"] for one in gateway.pools)


@inside
def test_a_program_without_sockets() -> None:
    """What has closed everything holds nothing, and its pools are empty."""
    code = "import httpx\nclient = httpx.Client()\nclient.close()\n" + TICKS
    with program(code) as running:
        told = asking.ask(running.pid, limit=LONG)
    assert {one.fd for one in told.holders} <= {0, 1, 2}
    assert [(one.used, one.idle, one.lost) for one in told.pools] == [(0, 0, 0)]


@inside
def test_what_is_frozen_is_found_by_its_name() -> None:
    """`gc.freeze` hides objects from a pass of the heap, and not from the way that begins with a name."""
    code = "import gc, socket\nKEPT = {'it': [socket.socket()]}\ngc.freeze()\n" + TICKS
    with program(code) as running:
        told = asking.ask(running.pid, limit=LONG)
    assert told.frozen > 1000
    assert [one.chain for one in told.holders if one.kind == "socket.socket"] == [("__main__.KEPT[it][0]",)]


@inside
def test_a_leak_in_a_list_is_one_group(cli: Cli) -> None:
    """Eight hundred sockets of one list are one entry, in which the first descriptors are named."""
    code = "import socket\nKEPT = [socket.socket() for _ in range(800)]\n" + TICKS
    with program(code) as running:
        done = cli("sockets", running.pid, "--attach")
    assert done.returncode == 0
    assert len(re.findall(r"__main__\.KEPT\[\.\.\.\]", done.stdout)) == 1
    assert "(800)" in done.stdout


@inside
def test_the_command_prints_it(cli: Cli, gateway: Target) -> None:
    """Text and JSON have the ways and the pause; no key of a dict that may be a secret is in either."""
    text = cli("sockets", gateway.pid, "--attach", "-v")
    assert (text.returncode, text.stderr) == (0, "")
    assert re.search(rf"process {gateway.pid} stood still for \d+ ms at most", text.stdout)
    assert "__main__.GLOBAL" in text.stdout
    assert "httpcore.ConnectionPool  limit 7, 0 in use, 1 idle" in text.stdout
    document = cli("sockets", gateway.pid, "--attach", "--json")
    jsonschema.validate(json.loads(document.stdout), json.loads((ROOT / "docs" / "schema" / "report.json").read_text()))
    attached = json.loads(document.stdout)["attached"]
    assert {"pause_seconds", "complete", "holders", "pools", "unheld"} <= set(attached)
    assert any(one["chain"][0] == "__main__.GLOBAL" for one in attached["holders"])
    assert SECRET not in text.stdout + document.stdout


# --- what it leaves ---------------------------------------------------------------------------------


@inside
def test_nothing_of_the_program_is_called(gateway: Target) -> None:
    """No property, no special method such as `__getattr__`, `__eq__` or `__repr__`, and nothing of a metaclass."""
    found(gateway)
    assert gateway.tell("called") == []


@inside
def test_nothing_is_left(gateway: Target) -> None:
    """A hundred times: no module, thread, descriptor or object more, and the collector runs as it did."""
    asking.ask(gateway.pid)
    before = gateway.tell("state")
    for _ in range(100):
        asking.ask(gateway.pid, limit=0.02)
    found(gateway)
    after = gateway.tell("state")
    for name in ("modules", "threads", "fds", "enabled"):
        assert after[name] == before[name], name
    assert after["objects"] - before["objects"] < 50
    assert after["blocks"] - before["blocks"] < 1000


@inside
def test_a_million_objects() -> None:
    """The middle one of five pauses is at most 300 ms, or it stopped and says so; what has a name is found."""
    with started("1000000") as target:
        told = sorted((asking.ask(target.pid) for _ in range(5)), key=lambda one: one.pause)
        assert target.tell("state")["objects"] > 1_000_000
    assert told[2].pause <= 0.3 or not told[2].complete
    assert told[2].pause <= 0.6  # a machine that is busy with other tests, too
    for one in told:
        assert any("__main__.GLOBAL" in holder.chain for holder in one.holders)


@inside
def test_stopped_is_said(gateway: Target) -> None:
    """A walk that may take no time finds little, says so, and claims neither a cycle nor a bare number."""
    told = asking.ask(gateway.pid, limit=0.0)
    assert (told.complete, told.why) == (False, "time")
    assert {one.root for one in told.holders}.isdisjoint({"cycle", "unseen", "loop"})


@inside
def test_a_signal_that_comes_meanwhile_reaches_the_program() -> None:
    """What its handler raises within the walk is lost; the program gets the signal again."""
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))\n" + TICKS
    with program(code) as running:
        asked = rights.check(running.pid)
        with asking._folder(asked) as folder:
            task = bundle.task(running.pid, folder, folder / "found.json", LONG)
            hit = "    learn()\n    sys.modules['signal'].raise_signal(15)\n"
            task["source"] = str(task["source"]).replace("    learn()\n", hit, 1)
            asking._tell(asked, task)
            assert running.wait(20) == 7


@inside
def test_one_more_file_is_run_afterwards(tmp_path: Path) -> None:
    """After the walk, with names of its own: nothing of it is left in the program."""
    more = f"import os\nhere = 'kept'\nos.mkdir({str(tmp_path / 'made')!r})\n"
    code = TICKS.replace("time.sleep(0.01)", "time.sleep(0.01); 'here' in globals() and os._exit(9)").replace(
        "time\n", "os, time\n"
    )
    with program(code) as running:
        asking.ask(running.pid, then=more)
        while not (tmp_path / "made").exists():
            time.sleep(0.01)
        asking.ask(running.pid)
        assert running.poll() is None


LATER = """\
import os, socket, time
early = socket.socket()
print("ready", flush=True)
def later():
    return socket.socketpair()
while not os.path.exists("armed"):
    time.sleep(0.01)
kept = later()
open("done", "w").close()
while True:
    time.sleep(0.01)
"""


@inside
def test_armed_it_records_from_then_on(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is opened later has its line, what was open before is said to be so; twice is refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boxes").mkdir(mode=0o700)
    with program(LATER, HERMES_DIAG_BOXES=str(tmp_path / "boxes")) as running:
        ran = cli("sockets", running.pid, "--attach", "--arm", "--json")
        assert ran.returncode == 0, ran.stderr
        assert f"process {running.pid} records from now on what it opens" in ran.stderr
        (tmp_path / "armed").touch()
        while not (tmp_path / "done").exists():
            time.sleep(0.01)
        origins = json.loads(cli("sockets", running.pid, "--json").stdout)["origins"]
        found = [one["opened"] for one in origins["descriptors"]]
        assert [one["lines"][0] for one in found if one["lines"]] == ["<string>:5 in later"] * 2
        assert any(one["inherited"] for one in found)
        again = cli("sockets", running.pid, "--attach", "--arm")
        assert again.returncode == 3
        assert "has a recorder" in again.stderr


@inside
def test_a_walk_that_fails() -> None:
    """One line with the kind of the error and its place; the program goes on, and nothing is printed there."""
    with program(
        WAITS.replace("os.read(0, 1)", "import time\nwhile not __import__('select').select([0], [], [], 0.01)[0]: pass")
    ) as running:
        asked = rights.check(running.pid)
        with asking._folder(asked) as folder:
            task = bundle.task(running.pid, folder, folder / "found.json", LONG)
            task["source"] = str(task["source"]).replace("    learn()\n", "    raise ValueError('secret')\n", 1)
            asking._tell(asked, task)
            while not (folder / "found.json").exists():
                time.sleep(0.01)
            with pytest.raises(CannotMeasure, match=r"failed \(ValueError in line \d+\)") as refused:
                asking._read(running.pid, folder / "found.json")
        assert "secret" not in str(refused.value)
        _, errors = running.communicate("x", timeout=20)
    assert (errors, running.returncode) == ("", 0)


# --- who cannot be asked ----------------------------------------------------------------------------


@inside
def test_a_process_that_stands_in_a_call() -> None:
    """The request is taken back: when the process goes on, nothing is run and nothing is printed."""
    with program(WAITS) as running:
        with pytest.raises(CannotMeasure, match=r"ran no Python for 0\.3 s.*taken back") as refused:
            asking.ask(running.pid, patience=0.3)
        assert refused.value.hint
        _, errors = running.communicate("x", timeout=20)
    assert errors == ""
    assert running.returncode == 0


@inside
@pytest.mark.parametrize("how", ["environment", "option"])
def test_remote_debugging_is_off(cli: Cli, how: str) -> None:
    """One line says why, one what helps; the exit code is that of "could not look"."""
    environment = {"PYTHON_DISABLE_REMOTE_DEBUG": "1"} if how == "environment" else {}
    options = ["-X", "disable-remote-debug"] if how == "option" else []
    with program(TICKS, *options, **environment) as running:
        done = cli("sockets", running.pid, "--attach")
    assert done.returncode == 3
    assert "PYTHON_DISABLE_REMOTE_DEBUG or -X disable-remote-debug" in done.stderr
    assert len(done.stderr.splitlines()) == 2


@inside
def test_it_is_at_its_limit_of_descriptors() -> None:
    """It could not read the script; said before it is asked, with the way to give it room."""
    code = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 20))\n" + TICKS
    with program(code) as running, pytest.raises(CannotMeasure, match="at its limit of 3 descriptors") as refused:
        asking.ask(running.pid)
    assert "prlimit --pid" in refused.value.hint


@inside
def test_it_sees_other_files(tmp_path: Path) -> None:
    """A process with another root is refused, and where to run is said."""
    if os.geteuid() != 0:
        return  # only root can give a process another root
    code = f"import os\nos.chroot({str(tmp_path)!r})\n" + TICKS
    with program(code) as running, pytest.raises(CannotMeasure, match="sees none of our temporary folders"):
        asking.ask(running.pid)


def test_no_python(cli: Cli) -> None:
    """A program of another kind is refused in one line."""
    with subprocess.Popen(["sleep", "60"]) as running:
        try:
            while os.readlink(f"/proc/{running.pid}/exe") == os.readlink("/proc/self/exe"):
                time.sleep(0.01)  # it has been forked and is about to become sleep
            done = cli("sockets", running.pid, "--attach")
        finally:
            running.kill()
    assert done.returncode == 3
    assert "is no Python program" in done.stderr


def test_a_process_that_has_ended() -> None:
    running = subprocess.Popen([sys.executable, "-c", ""])
    running.wait()
    with pytest.raises(process.Ended):
        asking.ask(running.pid)


def test_the_help_says_what_it_touches(cli: Cli) -> None:
    said = " ".join(cli("sockets", "--help", COLUMNS="200").stdout.replace("│", " ").split())
    assert "The only option that touches the process." in said


def test_a_watch_is_refused(cli: Cli) -> None:
    done = cli("sockets", os.getpid(), "--attach", "--watch")
    assert done.returncode == 2
    assert "--attach is for one look" in done.stderr


if OLD:

    def test_an_older_python(cli: Cli) -> None:
        """Its release is said, and from which one on it works."""
        with program(WAITS) as running:
            done = cli("sockets", running.pid, "--attach")
        assert done.returncode == 3
        assert f"runs Python 3.{sys.version_info[1]}, which cannot be asked" in done.stderr
        assert "3.14" in done.stderr


def test_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is neither root nor its user is told as whom to ask."""
    with program(WAITS) as running:
        monkeypatch.setattr(rights.os, "geteuid", lambda: os.getuid() + 4321)
        with pytest.raises(CannotMeasure, match="runs as another user") as refused:
            rights.check(running.pid)
    assert "sudo" in refused.value.hint


@pytest.mark.parametrize(
    ("scope", "root", "says"), [(1, 1000, "sudo"), (2, 1000, "sudo"), (3, 1000, ""), (0, 0, "CAP")]
)
def test_why_the_system_refuses(monkeypatch: pytest.MonkeyPatch, scope: int, root: int, says: str) -> None:
    """Yama and capabilities, each with its cure."""
    monkeypatch.setattr(rights, "_scope", lambda: scope)
    monkeypatch.setattr(rights.os, "geteuid", lambda: root)
    refused = rights.not_permitted(os.getpid())
    assert says in refused.hint + refused.message
    assert ("ptrace_scope" in refused.message) == bool(scope)


@pytest.mark.parametrize(
    ("why", "frozen", "says"),
    [("", 0, "all ways found"), ("time", 0, "was stopped"), ("large", 0, "too many objects"), ("", 9, "gc.freeze")],
)
def test_what_is_said_of_a_walk(why: str, frozen: int, says: str) -> None:
    """Whether it was complete, and why not."""
    told = Attached(7, 0.038, 1_000_000, not why, why, frozen, (), ())
    seen = Look(0.0, (), (), (), (), frozenset(), (), "sock_diag", "")
    text = "\n".join(sockets_attached.text(told, seen, 100, False))
    assert says in text
    assert "process 7 stood still for 38 ms at most" in text


# --- how it is made ---------------------------------------------------------------------------------


def test_the_parts_fit_together() -> None:
    """No two of them define the same name, and what one takes from another is there."""
    names: dict[str, str] = {}
    for part in bundle.PARTS:
        tree = ast.parse((ROOT / "hermes_diag/leakguard/attach/inside" / f"{part}.py").read_text())
        for node in tree.body:
            made = [node.name] if isinstance(node, ast.FunctionDef) else []
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                made = [one.id for one in ast.walk(ast.Tuple(targets)) if isinstance(one, ast.Name)]
            for name in made:
                assert names.setdefault(name, part) == part, name
    compile(bundle.source(), "inside", "exec")
    assert "hermes_diag" not in re.sub(r"#.*|\"\"\".*?\"\"\"", "", bundle.source(), flags=re.DOTALL)


if OLD and os.environ.get("HERMES_DIAG_NO_SKIP"):
    for name, made in list(globals().items()):
        if inside.mark in getattr(made, "pytestmark", ()):
            del globals()[name]
