"""The recorder of `trace` harms no program: whatever it is, and whatever goes wrong within the recorder."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hermes_diag.leakguard import traced
from hermes_diag.leakguard.box import Box
from tests.conftest import ROOT, Cli

FAULTS = ROOT / "tests" / "recorder_faults.py"
PARTS = 4


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(PARTS))
def test_an_error_in_any_statement_of_the_recorder_is_not_the_programs(tmp_path: Path, part: int) -> None:
    count = int(subprocess.run([sys.executable, FAULTS], capture_output=True, check=True, text=True).stdout)
    command = [sys.executable, FAULTS, str(part), str(count), str(PARTS), tmp_path]
    ran = subprocess.run(command, capture_output=True, check=True, text=True)
    said = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(said) == len(range(part, count, PARTS))
    assert [one for one in said if one["changed"]] == []
    for one in said:
        lines = one["stderr"].splitlines()
        assert len(lines) <= 1, one
        assert all(line.startswith("hermes-diag: ") for line in lines), one
    reached = sum(one["reached"] for one in said)
    assert reached > 0.7 * len(said)


def run(
    folder: Path | str | None, *command: object, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """A Python program, with a recorder whose box is kept in that folder; None: without one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HERMES_DIAG")}
    if folder is not None:
        environment |= {"PYTHONPATH": str(traced.RECORDER), "HERMES_DIAG_BOXES": str(folder), "HERMES_DIAG_KEEP": "1"}
    if "PYTHONPATH" in more and folder is not None:
        more["PYTHONPATH"] = f"{traced.RECORDER}:{more['PYTHONPATH']}"
    return subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        env={**environment, **more},
        cwd=cwd,
        timeout=60,
        check=False,
    )


def boxes_in(folder: Path) -> list[Box]:
    return [Box(path) for path in sorted(folder.glob("*.box"))]


def places(folder: Path) -> set[str]:
    """The lines of all openings in all boxes."""
    return {box.opened(slot).place for box in boxes_in(folder) for _, slot in box.slots()}


MULTIPROCESSING = """\
import multiprocessing, os, socket, sys

def work(number):
    with socket.socket() as made:
        return number * 2 if made.fileno() > 2 else None

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(pool.map(work, range(5)))
        pool.close()
        pool.join()
"""
SPAWN = """\
import os, sys
code = "import socket; print(socket.socket().fileno() > 2)"
pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)
print(os.waitpid(pid, 0)[1])
"""
GEVENT = """\
from gevent import monkey
monkey.patch_all()
import gevent, socket, threading
server = socket.create_server(("127.0.0.1", 0))

def answer():
    made, _ = server.accept()
    made.sendall(made.recv(5))
    made.close()

gevent.spawn(answer)
client = socket.create_connection(server.getsockname())
client.sendall(b"hello")
print(client.recv(5))
thread = threading.Thread(target=print, args=("thread",))
thread.start()
thread.join()
"""
UVLOOP = """\
import asyncio, socket, uvloop

async def answer(reader, writer):
    writer.write(await reader.read(5))
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.write(b"hello")
    print(await reader.read())
    writer.close()
    server.close()

uvloop.run(main())
"""
PDB = """\
import socket
made = socket.socket()
print("made", made.fileno() > 2)
made.close()
"""
SUITE = """\
import socket, pytest

def test_good():
    socket.socket().close()

def test_bad():
    with open(__file__) as file:
        assert file.read() == ""

@pytest.mark.xfail
def test_known():
    raise RuntimeError

def test_threads(recwarn):
    import threading
    thread = threading.Thread(target=socket.socket)
    thread.start(); thread.join()
"""
DAEMON = """\
import os, socket, sys, time
kept = socket.socket()
ours, theirs = os.pipe()
if os.fork():
    os.close(theirs)
    print(os.read(ours, 100))
    sys.exit()
os.setsid()
if os.fork():
    os._exit(0)
os.dup2(theirs, 2)  # what the daemon keeps
os.closerange(3, 1000)
made = socket.socket()
number = made.fileno()
made.close()
os.write(2, b"%d %d" % (number, socket.socket().fileno()))
"""
NESTED = """\
import socket

def deeper(number):
    try:
        deeper(number + 1)
        return
    except RecursionError:
        pass
    try:
        kept.append(socket.socket())
    except RecursionError:
        pass

kept = []
deeper(0)
print(len(kept) > 0)
made = socket.socket()
"""
NO_STDERR = "import os, socket; os.close(2); made = socket.socket(); print(made.fileno())"
SAME = {
    "spawn": [MULTIPROCESSING, "spawn"],
    "fork": [MULTIPROCESSING, "fork"],
    "forkserver": [MULTIPROCESSING, "forkserver"],
    "posix_spawn": [SPAWN],
    "gevent": [GEVENT],
    "uvloop": [UVLOOP],
    "daemon": [DAEMON],
    "recursion": [NESTED],
    "no stderr": [NO_STDERR],
    "exit code": ["import sys, socket; made = socket.socket(); sys.exit(7)"],
    "error": ["import socket; open('/no/such/file')"],
    "wrong arguments": [
        "import socket\ntry:\n    socket.socket(1, 2, 3, 4, 5)\nexcept TypeError as exc:\n    print(exc)"
    ],
}


@pytest.mark.parametrize("name", SAME)
def test_a_program_does_the_same_with_and_without(tmp_path: Path, name: str) -> None:
    code, *arguments = SAME[name]
    script = tmp_path / "program.py"
    script.write_text(code)
    without = run(None, script, *arguments)
    with_it = run(tmp_path / "boxes", script, *arguments)
    assert (with_it.returncode, with_it.stdout, with_it.stderr) == (
        without.returncode,
        without.stdout,
        without.stderr,
    )
    boxes = boxes_in(tmp_path / "boxes")
    assert boxes
    assert not any(box.broken for box in boxes)
    if "made = " in code:
        assert any(place.startswith("program.py:") for place in places(tmp_path / "boxes"))


def test_a_debugger_stops_where_it_does_without(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PDB)
    steps = [part for one in ("s", "s", "n", "r", "n", "p made.fileno() > 2", "w", "c") for part in ("-c", one)]
    without = run(None, "-m", "pdb", *steps, script)
    with_it = run(tmp_path / "boxes", "-m", "pdb", *steps, script)
    seen = [re.sub(r"fd=\d+", "fd=N", one.stdout) for one in (with_it, without)]
    assert (seen[0], with_it.stderr) == (seen[1], without.stderr)


def test_a_suite_has_the_same_outcomes(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    command = ("-m", "pytest", "-q", "-rA", "-p", "no:randomly", "-p", "no:cacheprovider", "test_suite.py")
    said = [
        [line for line in run(folder, *command, cwd=tmp_path).stdout.splitlines() if re.match("PASS|FAIL|XFAIL", line)]
        for folder in (None, tmp_path / "boxes")
    ]
    assert len(said[0]) == 4
    assert said[0] == said[1]


INTERRUPTED = """\
import random, signal, socket, sys

class Timeout(Exception):
    pass

def handler{signature}:
    raise {error}

signal.signal(signal.SIGALRM, handler)
chooser = random.Random(int(sys.argv[1]))
came, made = 0, socket.socket()
while came < 200:
    made.close()  # Python drops what is raised while it destroys a socket that nobody has closed
    try:
        signal.setitimer(signal.ITIMER_REAL, chooser.uniform(0.00005, 0.0005))
        while True:
            made = socket.socket()
            made.bind(("127.0.0.1", 0))
            made.close()
    except {error}:
        came += 1
signal.setitimer(signal.ITIMER_REAL, 0)
last = socket.socket()
print(came)
"""


@pytest.mark.parametrize("error", ["Timeout", "KeyboardInterrupt", "RuntimeError"])
@pytest.mark.parametrize("signature", ["(number, frame)", "(*_)"])
def test_what_a_signal_handler_raises_reaches_the_program(tmp_path: Path, error: str, signature: str) -> None:
    script = tmp_path / "program.py"
    script.write_text(INTERRUPTED.format(error=error, signature=signature))
    ran = run(tmp_path / "boxes", script, random.randrange(10**6))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "200\n", "")
    (box,) = boxes_in(tmp_path / "boxes")
    assert not box.broken
    line = next(n for n, text in enumerate(script.read_text().splitlines(), 1) if text.startswith("last ="))
    assert f"program.py:{line} in <module>" in places(tmp_path / "boxes")


@pytest.mark.parametrize("code", ["print('mine')", "raise RuntimeError('mine')", "import no_such_module"])
def test_the_sitecustomize_of_the_user_runs_as_without(tmp_path: Path, code: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sitecustomize.py").write_text(code)
    said = [
        run(folder, "-c", "import sitecustomize; print(sitecustomize.__file__)", PYTHONPATH=str(tmp_path / "mine"))
        for folder in (None, tmp_path / "boxes")
    ]
    assert [(one.returncode, one.stdout) for one in said[:1]] == [(one.returncode, one.stdout) for one in said[1:]]
    assert said[0].stderr.splitlines()[-1:] == said[1].stderr.splitlines()[-1:]
    assert "mine" in said[0].stdout + said[0].stderr or "no_such_module" in said[0].stderr


@pytest.mark.parametrize("option", ["-I", "-E", "-S", "-IS", "-Es"])
def test_children_that_load_no_recorder_are_told(cli: Cli, option: str) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, {option!r}, '-c', 'pass'])"
    ran = cli("trace", "--", sys.executable, "-c", code)
    assert re.search(rf"a child is not recorded \(python\S* -[{option[1:]}]\): started at <string>:1", ran.stderr)


# --- the folder ----------------------------------------------------------------------------------

OPEN = "import socket; made = socket.socket(); print('done')"


def refused(ran: subprocess.CompletedProcess[str], why: str) -> None:
    """The program runs, and one line says why nothing is recorded."""
    assert (ran.returncode, ran.stdout) == (0, "done\n")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("hermes-diag: nothing is recorded: ")
    assert why in line


def test_only_the_user_can_read_a_box(tmp_path: Path) -> None:
    run(tmp_path / "boxes", "-c", OPEN, umask="0")
    (path,) = (tmp_path / "boxes").iterdir()
    assert (path.parent.stat().st_mode & 0o7777, path.stat().st_mode & 0o7777) == (0o700, 0o600)


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    refused(run(tmp_path / "open", "-c", OPEN), "not a folder of this user alone")
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    refused(run(tmp_path / "link", "-c", OPEN), "not a folder of this user alone")
    (tmp_path / "file").touch(mode=0o600)
    refused(run(tmp_path / "file", "-c", OPEN), "not a folder of this user alone")
    refused(run(tmp_path / "none" / "none", "-c", OPEN), "No such file or directory")
    assert not list((tmp_path / "real").iterdir())


def test_a_link_in_the_place_of_the_box_is_not_followed(tmp_path: Path) -> None:
    folder, victim = tmp_path / "boxes", tmp_path / "victim"
    folder.mkdir(mode=0o700)
    victim.write_text("mine")
    plant = (
        "import os, sys; s = open('/proc/self/stat').read().rpartition(')')[2].split();"
        f"os.symlink({str(victim)!r}, '{folder}/%d-%s.box' % (os.getpid(), s[19]));"
        f"os.environ.update(PYTHONPATH={str(traced.RECORDER)!r}, HERMES_DIAG_BOXES={str(folder)!r});"
        f"os.execv(sys.executable, [sys.executable, '-c', {OPEN!r}])"
    )
    refused(run(None, "-c", plant), "Too many levels of symbolic links")
    assert victim.read_text() == "mine"


def test_a_full_or_read_only_disk_is_told_in_one_line(tmp_path: Path) -> None:
    """In a mount namespace of its own."""
    if os.geteuid():
        pytest.skip("needs root")
    refused(on_a_disk(tmp_path, "ro", OPEN), "Read-only file system")
    refused(on_a_disk(tmp_path, "size=64k,mode=700", OPEN), "No space left on device")


def test_a_disk_that_becomes_full_ends_the_recording(tmp_path: Path) -> None:
    """Memory that has no room on the disk would kill the process that writes to it."""
    if os.geteuid():
        pytest.skip("needs root")
    code = (
        "import os, socket; fd = os.open(os.environ['HERMES_DIAG_BOXES'] + '/full', os.O_CREAT | os.O_WRONLY)\n"
        "try:\n    while True:\n        os.write(fd, bytes(4096))\nexcept OSError:\n    pass\n"
        "made = [socket.socket() for _ in range(900)]\nprint('done')"
    )
    ran = on_a_disk(tmp_path, "size=3m,mode=700", code)
    assert (ran.returncode, ran.stdout) == (0, "done\n")
    assert ran.stderr == "hermes-diag: the recorder ends here (OSError: No space left on device); the program goes on\n"


def on_a_disk(folder: Path, options: str, code: str) -> subprocess.CompletedProcess[str]:
    """A recorded program whose box is on a disk of its own."""
    script = f'mount -t tmpfs -o {options} none {folder} && exec "$@"'
    environment = {**os.environ, "PYTHONPATH": str(traced.RECORDER), "HERMES_DIAG_BOXES": str(folder / "boxes")}
    command = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)


def test_a_box_is_removed_when_the_program_ends(tmp_path: Path) -> None:
    folder = tmp_path / "boxes"
    code = "import os; print(len(os.listdir(os.environ['HERMES_DIAG_BOXES'])))"
    assert run(folder, "-c", code, HERMES_DIAG_KEEP="").stdout == "1\n"
    assert list(folder.iterdir()) == []


SECRETS = """\
import http.client, os, sqlite3, socket, subprocess, sys, threading, urllib.request
server = socket.create_server(("127.0.0.1", 0))

def answer():
    made, _ = server.accept()
    made.recv(10000)
    made.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nsecretbody")

threading.Thread(target=answer).start()
port = server.getsockname()[1]
request = urllib.request.Request(f"http://127.0.0.1:{port}/secretpath?key=secretquery", b"secretsent",
                                 {"Authorization": "Bearer secretheader"})
answered = urllib.request.urlopen(request)
print(answered.read())
secretvalue = os.environ["TOKEN"]
folder = sys.argv[2]
os.mkdir(folder)
one = open(folder + "/name.txt", "w")
two = sqlite3.connect(folder + "/data.db")
subprocess.run([sys.executable, "-I", "-c", "pass", "secretargument"], env={"X": "secretchild"})
subprocess.run(["true", "secretargument"])
"""


def test_no_secret_is_in_a_box(tmp_path: Path) -> None:
    (tmp_path / "secretscript").mkdir()
    script = tmp_path / "secretscript" / "program.py"
    script.write_text(SECRETS)
    folder = tmp_path / "boxes"
    ran = run(folder, script, "secretargument", tmp_path / "secretfolder", TOKEN="secretenvironment")
    assert "secretbody" in ran.stdout
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"name.txt" in content
    assert b"data.db" in content
    assert set(re.findall(rb"secret\w*", content)) == set()


def test_whole_names_are_written_only_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    code = f"one = open({str(tmp_path / 'folder' / 'name')!r}, 'w')"
    run(tmp_path / "boxes", "-c", code, HERMES_DIAG_PATHS="1")
    content = b"".join(path.read_bytes() for path in (tmp_path / "boxes").iterdir())
    assert b"folder/name" in content


# --- reading it ----------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A recorded process that stands still; its box is in tmp_path/boxes."""
    code = "import socket, sys; made = socket.socket(); print(flush=True); sys.stdin.read()"
    environment = traced.environment(tmp_path / "boxes", paths=False)
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_hung_and_a_killed_process_can_be_read(cli: Cli, tmp_path: Path, stopped: subprocess.Popen[str]) -> None:
    stopped.send_signal(signal.SIGSTOP)
    assert "<string>:1 in <module>" in cli("sockets", stopped.pid, "-v").stdout
    (path,) = (tmp_path / "boxes").iterdir()
    assert "runs, 1 descriptor open" in cli("sockets", "--box", path).stdout
    stopped.kill()
    stopped.wait()
    said = cli("sockets", "--box", path)
    assert said.returncode == 0
    assert "killed" in said.stdout
    assert "1 socket: <string>:1 in <module>" in said.stdout
    assert json.loads(cli("sockets", "--box", path, "--json").stdout)["processes"][0]["how"] == "killed"


def torn(path: Path) -> None:
    os.truncate(path, 100_000)


def of_another_version(path: Path) -> None:
    change(path, 8, (7).to_bytes(4, "little"))


def of_another_boot(path: Path) -> None:
    box = path.read_bytes()
    change(path, box.index(Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()), b"0" * 36)


def damaged(path: Path) -> None:
    change(path, 32, (2**31 - 1).to_bytes(4, "little"))


def no_box(path: Path) -> None:
    path.write_text("something else")


def writable(path: Path) -> None:
    path.chmod(0o666)


def change(path: Path, place: int, value: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(value)


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (torn, 3, "is cut short"),
        (of_another_version, 3, "has format 7, this hermes-diag reads 2"),
        (damaged, 3, "is damaged"),
        (no_box, 2, "is no box of a recorder"),
        (writable, 2, "is no file that only its owner can write"),
        (of_another_boot, 0, "is of another boot of this machine"),
    ],
)
def test_a_box_that_cannot_be_read_is_told_with_a_cure(
    cli: Cli, tmp_path: Path, stopped: subprocess.Popen[str], spoil: Callable[[Path], None], code: int, said: str
) -> None:
    (path,) = (tmp_path / "boxes").iterdir()
    spoil(path)
    of_file = cli("sockets", "--box", path)
    assert of_file.returncode == code
    if code:  # the box of another boot is a file like any other
        first, cure = of_file.stderr.splitlines()
        assert said in first
        assert cure.startswith("  ")
    of_process = cli("sockets", stopped.pid)
    assert of_process.returncode == 0
    assert said in " ".join(of_process.stdout.split())
    assert "Traceback" not in of_file.stderr + of_process.stderr


def test_the_box_of_another_user_is_told_with_a_cure(tmp_path: Path, stopped: subprocess.Popen[str]) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    (path,) = (tmp_path / "boxes").iterdir()
    code = (
        "import os, pathlib; from hermes_diag.leakguard.box import Box;"
        f"os.setuid(65534); Box(pathlib.Path({str(path)!r}))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert f"CannotMeasure: cannot read {path}: Permission denied" in said


def test_an_old_python_says_what_it_takes(tmp_path: Path) -> None:
    """The file that Python loads first is read by any release."""
    ast.parse((traced.RECORDER / "sitecustomize.py").read_text(), feature_version=(3, 4))
    for python in filter(None, os.environ.get("HERMES_DIAG_OLD_PYTHONS", "").split(":")):
        environment = {**os.environ, "PYTHONPATH": str(traced.RECORDER), "HERMES_DIAG_BOXES": str(tmp_path / "boxes")}
        ran = subprocess.run(
            [python, "-c", "print('done')"], capture_output=True, text=True, check=False, env=environment
        )
        assert (ran.returncode, ran.stdout) == (0, "done\n")
        assert re.fullmatch(r"hermes-diag: nothing is recorded in Python \d\.\d, it takes 3\.9 or newer\n", ran.stderr)


@pytest.mark.parametrize(
    "arguments", [["4"], ["--gateway"], ["--watch"], ["--fail-on", "fds > 1"], ["--state", "listen"]]
)
def test_a_box_is_read_alone(cli: Cli, arguments: list[str]) -> None:
    ran = cli("sockets", "--box", "some.box", *arguments)
    assert ran.returncode == 2
    assert ran.stderr.startswith("hermes-diag: --box reads a file, and looks at no process\n  leave out ")
