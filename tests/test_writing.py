"""Files that users ask for: whole or not there, for their owner alone, and said when they could not be written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import GOLDEN, ROOT, Cli
from prometheus_client import CollectorRegistry

from hermes_diag.cli import exporting
from hermes_diag.cli.files import ReportFile
from hermes_diag.core import new_file, packed, pipes, scratch
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.new_file import NewFile
from hermes_diag.run import bisection

RUN = GOLDEN / "close-wait-grows.fires.jsonl"
CLEAN = GOLDEN / "close-wait-grows.quiet.jsonl"
ENDINGS = (".html", ".json", ".md", ".txt", ".xml", ".jsonl", ".jsonl.gz")
QUICK = ("check", "--workload", "steady")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def small_files(size: int = 100) -> None:
    """In the child: no file grows beyond so many bytes, as on a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def on_a_full_disk(tmp_path: Path, *arguments: object, size: int = 100) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hermes_diag", *map(str, arguments)],
        capture_output=True, text=True, cwd=tmp_path, preexec_fn=lambda: small_files(size), timeout=60, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # Python would keep half a file of bytecode for good
    )  # fmt: skip


@pytest.mark.parametrize("source", [RUN, CLEAN], ids=["failing", "clean"])
def test_no_report_on_a_full_disk(cli: Cli, tmp_path: Path, source: Path) -> None:
    """Exit code 3 whatever the verdict, which is still printed; no file of yesterday is left for today's."""
    files = [tmp_path / f"x{ending}" for ending in ENDINGS]
    for path in files:
        path.write_text("of yesterday")
    done = on_a_full_disk(tmp_path, "report", source, *(part for path in files for part in ("--output", path)))
    assert done.returncode == 3
    assert "Verdict" in done.stdout
    said = done.stderr.splitlines()
    assert len(said) == len(files)
    assert all(
        "could not be saved to " in line and "File too large; the earlier one was removed" in line for line in said
    )
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_was_not_there_before(tmp_path: Path) -> None:
    done = on_a_full_disk(tmp_path, "report", RUN, "--output", "x.xml")
    assert (done.returncode, done.stderr) == (3, "could not be saved to x.xml: File too large\n")
    assert list(tmp_path.iterdir()) == []


def test_a_capture_on_a_full_disk(tmp_path: Path) -> None:
    """Exit code 3; in the place of the earlier one is what was measured, cut off and still readable."""
    earlier = tmp_path / "main.jsonl"
    earlier.write_bytes(CLEAN.read_bytes())
    done = on_a_full_disk(tmp_path, *QUICK, "--save", earlier, "--force", size=9000)
    assert done.returncode == 3, done.stderr
    assert "no problem" in done.stdout
    assert done.stderr == f"could not be saved to {earlier}: File too large\n"
    assert earlier.read_bytes()[:200] != CLEAN.read_bytes()[:200]
    assert [path.name for path in tmp_path.iterdir()] == ["main.jsonl"]


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_packed_capture_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What gzip holds back until the end is missed, too."""
    done = on_a_full_disk(tmp_path, "sockets", os.getpid(), "--save", "x.jsonl.gz", size=60)
    assert (done.returncode, done.stderr) == (3, "could not be saved to x.jsonl.gz: File too large\n")
    done = on_a_full_disk(tmp_path, "sockets", os.getpid(), "--save", "y.jsonl.gz", size=5)
    assert (done.returncode, done.stderr.splitlines()[0]) == (3, "hermes-diag: cannot write y.jsonl.gz: File too large")
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl.gz"]
    monkeypatch.setattr(packed, "_FLUSH", 1e9)
    made = NewFile(tmp_path / "z.gz")
    with made as file:
        file.write(b"x")
        file.flush()
        monkeypatch.setattr(new_file, "put", full)
    assert made.said() == (f"could not be saved to {tmp_path / 'z.gz'}: No space left on device", False)


def test_no_browser_without_a_page(tmp_path: Path) -> None:
    """--open on a full disk: no page is left, and it is said."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "BROWSER": "/bin/true %s", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "hermes_diag", "report", str(RUN), "--open"],
        capture_output=True, text=True, cwd=tmp_path, env=environment, preexec_fn=small_files, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "could not be saved to " in done.stderr
    assert "Verdict" in done.stdout
    assert list(tmp_path.iterdir()) == []


# --- for their owner alone --------------------------------------------------------------------------------


def test_files_are_of_their_owner_alone(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Captures and reports of every kind, new ones and those that take the place of an open one."""
    before = os.umask(0)
    try:
        new = [tmp_path / f"new{ending}" for ending in ENDINGS]
        old = [tmp_path / f"old{ending}" for ending in ENDINGS]
        for path in old:
            path.write_text("of yesterday")
            path.chmod(0o666)
        assert cli("report", RUN, *(part for path in (*new, *old) for part in ("--output", path))).returncode == 0
        saved = [tmp_path / "s.jsonl", tmp_path / "s.jsonl.gz", tmp_path / "f.jsonl"]
        saved[2].touch(0o666)
        for path in saved:
            force = ["--force"] if path.exists() else []
            assert cli("sockets", os.getpid(), "--save", path, *force).returncode == 0
        bisection.save(tmp_path / "state.json", bisection.Known("x"))
        assert {path.name: mode(path) for path in tmp_path.iterdir() if mode(path) != 0o600} == {}
        assert len(list(tmp_path.iterdir())) == 18
    finally:
        os.umask(before)


def test_metrics_in_a_file_are_for_node_exporter(tmp_path: Path) -> None:
    """The one file that another user is to read."""
    path = tmp_path / "x.prom"
    before = os.umask(0o022)
    try:
        exporting._write(path, CollectorRegistry())
    finally:
        os.umask(before)
    assert mode(path) == 0o644
    with pytest.raises(CannotMeasure, match="No such file"):
        exporting._write(tmp_path / "nowhere" / "x.prom", CollectorRegistry())


# --- in one piece -----------------------------------------------------------------------------------------


def test_a_link_that_was_planted_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even by who knew the name: what it leads to stays as it is."""
    monkeypatch.setattr(new_file.os, "urandom", lambda size: b"\0" * size)
    victim, draft = tmp_path / "victim", tmp_path / scratch.draft()
    victim.write_text("mine")
    draft.symlink_to(victim)
    for write in (lambda: ReportFile(tmp_path / "x.xml"), lambda: NewFile(draft).__enter__()):
        with pytest.raises(UsageError, match="exists"):
            write()
    assert victim.read_text() == "mine"


def test_the_name_of_a_draft_cannot_be_guessed(tmp_path: Path) -> None:
    names = set()
    for _ in range(20):
        with new_file.beside(tmp_path / "x"):
            names |= {path.name for path in tmp_path.iterdir()} - {"x"}
    assert len(names) == 20


def test_a_draft_of_a_process_that_was_killed_goes(tmp_path: Path) -> None:
    """Whoever writes into that folder next takes it away, and nothing else."""
    code = (
        "import os, sys; from hermes_diag.core.new_file import beside\n"
        "with beside(__import__('pathlib').Path(sys.argv[1])) as file: file.write(b'half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    others = [tmp_path / ".hermes-diag-1-2-3-abcd.part", tmp_path / "x.part", tmp_path / scratch.draft()]
    for path in others:
        path.touch()
    new_file.replace(tmp_path / "x", b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "x", *others])


@pytest.mark.parametrize(("where", "gone"), [("a disk", False), ("a terminal", True), ("a pipe", True)])
def test_a_disk_that_fails_is_no_reader_that_left(tmp_path: Path, where: str, gone: bool) -> None:
    """Both say EIO; a report on a disk that fails is lost."""
    error = OSError(errno.EPIPE if where == "a pipe" else errno.EIO, "x")
    with open(tmp_path / "x" if where == "a disk" else os.devnull, "wb") as file:
        assert pipes.is_gone(error, file.fileno()) == gone


def _broken_off(path: Path, end: type[BaseException]) -> None:
    before = path.read_bytes() if path.exists() else b"of today"
    with NewFile(path, force=True) as file:
        file.write(b"of today")
        assert path.read_bytes() == before or path.suffix == ".gz"
        raise end("x")


@pytest.mark.parametrize("end", [UsageError, CannotMeasure, KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("form", ["x.jsonl", "x.jsonl.gz"])
def test_what_was_there_stays_until_the_end(tmp_path: Path, end: type[BaseException], form: str) -> None:
    """--force: nothing is gone before the new one is whole, and after an error the old one is there alone."""
    path = tmp_path / form
    path.write_text("of yesterday")
    with pytest.raises(end):
        _broken_off(path, end)
    assert path.read_text() == "of yesterday"
    assert [one.name for one in tmp_path.iterdir()] == [form]
    with NewFile(path, force=True) as file:
        file.write(b"of today")
    assert path.read_bytes() != b"of yesterday"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("end", "stays"), [(UsageError, False), (CannotMeasure, True), (KeyboardInterrupt, True)])
def test_what_was_not_there(tmp_path: Path, end: type[BaseException], stays: bool) -> None:
    """A refused run leaves nothing; what was measured until an error can be read."""
    with pytest.raises(end):
        _broken_off(tmp_path / "x", end)
    assert (tmp_path / "x").exists() == stays


def test_a_folder_that_goes_meanwhile_is_said(tmp_path: Path) -> None:
    """The result is there all the same: it is no error of the run."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x").touch()
    made = NewFile(folder / "x", force=True)
    with made as file:
        file.write(b"x")
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    assert made.said() == (f"could not be saved to {folder / 'x'}: No such file or directory", False)


def test_no_room_for_a_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was wrong with the command line: exit code 3, and the old file is as it was."""
    path = tmp_path / "x"
    path.write_text("of yesterday")
    real = os.open

    def opened(name: Any, *rest: Any) -> int:
        if str(name).endswith(".part"):
            full()
        return real(name, *rest)

    monkeypatch.setattr(new_file.os, "open", opened)
    for write in (lambda: ReportFile(path), lambda: NewFile(path, force=True).__enter__()):
        with pytest.raises(CannotMeasure, match="No space left"):
            write()
    assert path.read_text() == "of yesterday"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_half_file(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM put what was measured in place; after SIGKILL the earlier file is as it was."""
    path = tmp_path / "main.jsonl"
    path.write_bytes(CLEAN.read_bytes())
    command = [sys.executable, "-m", "hermes_diag", "repro", "--save", str(path), "--force"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as host:
        end = time.monotonic() + 60
        while not any(one.read_bytes().count(b"\n") > 20 for one in tmp_path.glob(".*.part")):
            assert time.monotonic() < end
            assert path.read_bytes() == CLEAN.read_bytes()
            time.sleep(0.01)
        host.send_signal(number)
        host.wait(60)
    left = {one.name for one in tmp_path.iterdir()}
    if number == signal.SIGKILL:
        assert path.read_bytes() == CLEAN.read_bytes()
    else:
        assert left == {"main.jsonl"}
        assert json.loads(path.read_text().splitlines()[-1])["record"] == "ended"


# --- pipes ------------------------------------------------------------------------------------------------


def test_a_pipe_that_nobody_reads_does_not_hang(cli: Cli, tmp_path: Path) -> None:
    """Refused at once, with a cure."""
    for name, options in (("p.xml", ["--output"]), ("p.jsonl", ["--force", "--save"])):
        os.mkfifo(tmp_path / name)
        done = cli(*QUICK, *options, name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"hermes-diag: {name} is a pipe that nobody reads\n  start its reader first\n"


@contextlib.contextmanager
def reader_of(path: Path) -> Iterator[list[bytes]]:
    """Reads a pipe to its end, beside."""
    os.mkfifo(path)
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.append(path.read_bytes()), daemon=True)
    thread.start()
    yield read
    thread.join(30)
    assert not thread.is_alive()


def test_a_pipe_with_a_reader_gets_it_whole(tmp_path: Path) -> None:
    """Also more than it holds; its reader sees one end and no earlier one."""
    data = os.urandom(300_000)
    with reader_of(tmp_path / "p.xml") as read:
        until = time.monotonic() + 10
        while True:  # the reader may not be there yet
            try:
                file = ReportFile(tmp_path / "p.xml")
                break
            except UsageError:
                assert time.monotonic() < until
                time.sleep(0.01)
        assert file.write(data).whole
    assert read == [data]


def test_a_reader_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, and not for ever."""
    monkeypatch.setattr(new_file, "_PATIENCE", 0.05)
    os.mkfifo(tmp_path / "p")
    reader = os.open(tmp_path / "p", os.O_RDONLY | os.O_NONBLOCK)
    try:
        file = ReportFile(tmp_path / "p")
        assert file.write(b"x" * 300_000) == (f"could not be saved to {tmp_path / 'p'}: nobody reads it", False)
    finally:
        os.close(reader)


def test_every_writer_is_this_one() -> None:
    """No other module of the host makes a file that a user asked for."""
    may = {
        "core/new_file.py", "cli/github.py", "cli/telling.py", "provider/blocking.py",
        "run/environments/checkout.py", "run/environments/sources.py", "run/environments/cache.py",
        "run/environments/releases.py", "leakguard/attach/ask.py", "leakguard/attach/bundle.py", "core/packed.py",
        "provider/faults/large_event.py", "cli/__init__.py", "cli/exporting.py",
    }  # fmt: skip
    package, found = ROOT / "hermes_diag", set()
    signs = (
        ".write_bytes(",
        ".write_text(",
        'open("w',
        '"wb"',
        '"ab"',
        '"xb"',
        '"x"',
        '"a"',
        '"w"',
        "O_CREAT",
        "mkstemp",
    )
    for path in package.rglob("*.py"):
        place = path.relative_to(package).as_posix()
        foreign = place.startswith(("worker/", "leakguard/recorder/", "leakguard/attach/inside/"))
        if not foreign and any(sign in path.read_text() for sign in signs):
            found.add(place)
    assert found <= may, found - may
