"""Whatever is wrong around a worker: named in one line with its cure, and nothing else is blamed."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, Cli
from test_robust import until

from hermes_diag.core import scratch
from hermes_diag.core.errors import NO_MEMORY, NO_THREAD, CannotMeasure, lacking
from hermes_diag.run import blame
from hermes_diag.run.environments import base
from hermes_diag.run.lane import LONGEST
from hermes_diag.watch import process
from hermes_diag.watch.observer import Observer

LANES = """
import os, sys
for fd in [int(one.split("=")[1].split(",")[0]) for one in sys.argv if one.startswith("--lane=")]: """

#: Runs a command and writes down the most memory that a process of it had, in KiB.
HIGHEST = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
with open("highest", "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // (1024 if sys.platform == "darwin" else 1)))
sys.exit(code)
"""

#: What stands where a Python is to be, and what is said of it.
STRANGERS = {
    "no end of a line": (
        LANES + "break\nwhile True: os.write(fd, b'x' * 65536)",
        f"more than {LONGEST:,} bytes",
    ),
    "nested": (LANES + "os.write(fd, b'[' * 100000 + b'\\n')", "something that is no event"),
    "deep": (LANES + "os.write(fd, b'{\"event\":' * 9999 + b'\\n')", "something that is no event"),
    "binary": (LANES + "os.write(fd, bytes(range(256)) * 9 + b'\\n')", "something that is no event"),
    "a list": (LANES + "os.write(fd, b'[1]\\n')", "something that is no event"),
    "out of turn": (LANES + 'os.write(fd, b\'{"event":"done"}\\n\')', "said 'done' after None"),
    "prints": ("print('y' * (17 << 20), flush=True)", "ended before it could say what SDK it has (exit code 0)"),
    "raises": ("raise MemoryError", "too little memory"),
    "ends itself": ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL before it could say what SDK it has"),
    "forks": ("import os, sys\nif os.fork(): sys.exit(4)", "(exit code 4)"),
    "closes all": ("import os\nos.closerange(0, 100)", "ended before it could say what SDK it has (exit code 0)"),
}


def stranger(folder: Path, code: str) -> Path:
    """An executable that runs that code, whatever it is asked."""
    path = folder / "python"
    (folder / "code.py").write_text(code)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{folder}/code.py" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", STRANGERS)
def test_no_python(tmp_path: Path, name: str) -> None:
    """Exit 3, two lines, at once; and no more memory than for any other run."""
    code, said = STRANGERS[name]
    begun = time.monotonic()
    command = [sys.executable, "-m", "hermes_diag", "repro", "--python", str(stranger(tmp_path, code))]
    done = subprocess.run(
        [sys.executable, "-c", HIGHEST, *command], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert time.monotonic() - begun < 20
    assert int((tmp_path / "highest").read_text()) < 200_000


@pytest.mark.parametrize("program", ["/bin/ls", "/bin/false", "/usr/bin/yes"])
def test_another_program(cli: Cli, program: str) -> None:
    """It ends by itself, and is no Python."""
    done = cli("repro", "--python", program)
    assert done.returncode == 3
    assert "ended before it could say what SDK it has" in done.stderr
    assert "is it a Python >= 3.9?" in done.stderr


@pytest.mark.parametrize(
    "code", ["while True: print('y' * 9999)", "print('[' * 60000)", "print('[1, 2]')", "print(1/0)"]
)
def test_no_base_python(tmp_path: Path, code: str) -> None:
    """What an environment is to be made with says which Python it is, or is refused: bounded."""
    with pytest.raises(CannotMeasure, match="did not say which Python it is"):
        base.of(str(stranger(tmp_path, code)))


def test_variables(tmp_path: Path) -> None:
    """Each that names what is not there, and none that does."""
    file, locked = tmp_path / "file", tmp_path / "locked"
    file.touch()
    locked.mkdir(mode=0o500)
    for name, bad, good in (
        ("SSL_CERT_FILE", "/nope", file),
        ("SSL_CERT_DIR", file, tmp_path),
        ("SSLKEYLOGFILE", tmp_path, tmp_path / "new"),
        ("REQUESTS_CA_BUNDLE", "/nope", tmp_path),
        ("TMPDIR", "/nope", tmp_path),
    ):
        assert name in blame.of_variables({name: str(bad)})
        assert blame.of_variables({name: str(good)}) == ""
        assert name in blame.of_failure("FileNotFoundError while calling the factory", {name: str(bad)})
        assert blame.of_failure("ValueError", {name: str(bad)}) == ""
    assert blame.of_failure("RuntimeError: can't start new thread", {}) == NO_THREAD
    assert blame.of_failure("MemoryError <- ImportError of x", {}) == NO_MEMORY
    assert "PYTHONHOME" in blame.of_end(1, ["Fatal Python error: init_fs_encoding"], {"PYTHONHOME": "/nope"})[1]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PYTHONHOME": "/nope"}, "PYTHONHOME may lead it astray: unset it"),
        ({"SSL_CERT_FILE": "/nope"}, "SSL_CERT_FILE names no file that can be read: unset it, or name another"),
    ],
)
def test_a_variable_is_blamed(tmp_path: Path, variables: dict[str, str], said: str) -> None:
    """By its name, with what to do, and not pip, nor the user's factory alone."""
    python = tmp_path / "python"
    given = " ".join(f"{name}={value}" for name, value in variables.items())
    python.write_text(f'#!/bin/sh\n{given} exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    command = [sys.executable, "-m", "hermes_diag", "audit", f"{ROOT}/tests/factories.py:right"]
    environ = {**os.environ, **({} if "PYTHONHOME" in variables else variables)}
    if "PYTHONHOME" in variables:
        command += ["--python", str(python), "--env", "PYTHONHOME=/nope"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False, timeout=60)
    assert done.returncode == 3
    assert said in " ".join((done.stdout + done.stderr).split())
    assert "pip install" not in done.stdout + done.stderr


def test_a_folder_that_is_no_more(tmp_path: Path) -> None:
    """The current one was removed: one line and a cure."""
    place = tmp_path / "gone"
    place.mkdir()
    code = (
        "import os, sys; os.rmdir(os.getcwd()); sys.argv[1:] = ['repro']; from hermes_diag.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (3, "hermes-diag: the current folder was removed")


def test_too_little_memory() -> None:
    """Exit 3 and a line of ours, wherever it runs out."""

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (250 << 20, 250 << 20))

    done = subprocess.run(
        [sys.executable, "-m", "hermes_diag", "repro", "--workload", "steady", "--turns", "2"],
        capture_output=True, text=True, preexec_fn=lower, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode in (0, 3)
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr


def test_what_lacks() -> None:
    """Found behind other exceptions and in groups."""
    assert lacking(ExceptionGroup("x", [ValueError(), MemoryError()])).hint == NO_MEMORY  # type: ignore[union-attr]
    inner = RuntimeError("can't start new thread")
    outer = ValueError()
    outer.__cause__ = inner
    assert lacking(outer).hint == NO_THREAD  # type: ignore[union-attr]
    assert lacking(ValueError()) is None


def make(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    (path / "kept").touch()
    return path


def test_folders_of_dead_processes_are_swept(tmp_path: Path) -> None:
    """Ours, of a process that is no more; nothing of one that lives or of another place, and no link is followed."""
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    own = scratch._own().removesuffix("-").removeprefix(scratch.PREFIX)
    pid, start, place = own.split("-")
    gone = make(tmp_path, f"hermes-diag-{dead.pid}-7-{place}-abcdefgh")
    again = make(tmp_path, f"hermes-diag-{pid}-{int(start) - 1}-{place}-abcdefgh")
    stay = [
        make(tmp_path, f"hermes-diag-{own}-abcdefgh"),
        make(tmp_path, f"hermes-diag-{dead.pid}-7-0-abcdefgh"),
        make(tmp_path, "hermes-diag-kept-abcdefgh"),
        make(tmp_path, "other"),
    ]
    (tmp_path / f"hermes-diag-{dead.pid}-7-{place}-linked_a").symlink_to(stay[-1])
    busy = make(tmp_path, f"hermes-diag-{dead.pid}-8-{place}-abcdefgh")
    scratch.sweep(tmp_path, busy=lambda path: path == busy)
    assert not gone.exists()
    assert not again.exists()
    assert all((path / "kept").exists() for path in [*stay, busy])


def test_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A temporary folder that cannot be made names the variable."""

    def refuse(**named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch.tempfile, "TemporaryDirectory", refuse)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(CannotMeasure, match="set TMPDIR to a folder with room"):
        scratch.folder()


HEADLESS = """
import ctypes, socket, threading, time
def live():
    time.sleep(0.05)
    ctypes.CDLL(None).prctl(15, b"another", 0, 0, 0)
    kept = socket.create_server(("127.0.0.1", 0)), socket.socket()
    print("ready", flush=True)
    time.sleep(60)
ctypes.CDLL(None).prctl(15, b"mainname", 0, 0, 0)
threading.Thread(target=live).start()
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.parametrize("megabytes", [75, 90, 105, 120])
def test_little_memory_is_named(tmp_path: Path, megabytes: int) -> None:
    """However it shows: Python, the SDK and its libraries fail in many ways, and one of these aborted the process."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({megabytes} << 20, {megabytes} << 20))\n"
        f"import sys; sys.argv[1:] = ['check', {f'{ROOT}/tests/factories.py:right'!r}]\n"
        "from hermes_diag.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 3, said
    assert "memory" in said
    assert "internal error" not in said
    assert "pip install" not in said


def test_a_process_without_its_main_thread() -> None:
    """The system calls it a zombie, while its other threads live and hold its sockets: it is looked at."""
    with subprocess.Popen([sys.executable, "-c", HEADLESS], stdout=subprocess.PIPE) as process_:
        try:
            assert process_.stdout is not None
            process_.stdout.readline()
            until(lambda: process.stat(process_.pid).state == "Z")
            eye = Observer(process_.pid)
            seen = eye.look()
            assert seen.processes[0].started == pytest.approx(psutil.Process(process_.pid).create_time(), abs=1)
            assert seen.processes[0].name == process.stat(process_.pid).name == "mainname"
            assert seen.processes[0].kinds
            assert seen.processes[0].kinds["TCP"] == 2
            assert (seen.processes[0].rss or 0) > 1 << 20
            assert [row.state for row in seen.rows] == ["LISTEN"]
        finally:
            process_.kill()
    with pytest.raises(process.Ended):
        process.living(process_.pid)


def test_a_cut_off_compiled_file(tmp_path: Path) -> None:
    """As a full disk leaves it: named, with a cure, and not taken for an interruption."""
    code = (
        "import marshal, sys; sys.argv[1:] = ['repro']; from hermes_diag.cli import app, main\n"
        "app.build = lambda arguments: marshal.loads(b'')\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (3, "hermes-diag: a compiled file of Python is cut off")
