"""What comes in from outside: files, pipes, answers of the kernel, bodies. Each is bounded, checked once, and told in a
line."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import GOLDEN, Cli

from hermes_diag.cli import report
from hermes_diag.core import reading
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.judge import pyproject
from hermes_diag.provider.protocols.http1 import BadRequest, Wire, decoded
from hermes_diag.provider.protocols.room import Room
from hermes_diag.run import credentials, payload
from hermes_diag.watch import proc, process
from hermes_diag.watch.tables import proc_net, sock_diag

KEPT = GOLDEN / "captures"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc and netlink")

# --- one way to read ---------------------------------------------------------------------------------


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def writing(path: Path, *pieces: bytes, pause: float = 0.05) -> threading.Thread:
    """Somebody who writes into a pipe, piece by piece."""

    def write() -> None:
        with open(path, "wb", buffering=0) as file:
            for piece in pieces:
                time.sleep(pause)
                file.write(piece)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_what_is_no_file(tmp_path: Path) -> None:
    """A directory, a device and a socket are refused by name, and not opened; so is a name that none can have."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
        for path, says in (
            (folder, "it is a directory"),
            ("/dev/zero", "it is a device, not a file"),
            (f"{folder}/socket", "it is a socket, not a file"),
            ("a\0b", "NUL"),
        ):
            with pytest.raises(reading.Unreadable, match=says):
                reading.whole(path, 10)
    with pytest.raises(FileNotFoundError):
        reading.whole(tmp_path / "none", 10)


def test_a_file_is_read_up_to_its_limit(tmp_path: Path, fifo: Path) -> None:
    """Exactly so many bytes are taken, one more is not: of a file, and of a pipe, whose size nobody knows before."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3000)
    assert reading.whole(path, 3000) == path.read_bytes()
    with pytest.raises(reading.TooLarge, match="more than 2 KiB"):
        reading.whole(path, 2999)
    for most, taken in ((3000, True), (2999, False)):
        writer = writing(fifo, b"x" * 1000, b"x" * 2000)
        try:
            assert (len(reading.whole(fifo, most)) == 3000) is taken
        except reading.TooLarge:
            assert not taken
        writer.join()


def test_a_pipe_nobody_writes_into(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No silent wait for ever; one that is closed without a word is empty, and one that takes its time is read."""
    monkeypatch.setattr(reading, "PATIENCE", 0.3)
    with pytest.raises(reading.Unreadable, match="nobody writes"):
        reading.whole(fifo, 10)
    for pieces in ((), (b"late",), (b"in", b" ", b"pieces")):
        writer = writing(fifo, *pieces, pause=0.1)
        assert reading.whole(fifo, 100) == b"".join(pieces)
        writer.join()


@linux
def test_a_process_substitution(tmp_path: Path) -> None:
    """`report <(cat run)` opens its file once, also for a copy of it; an empty one is told at once."""
    run = GOLDEN / "stream-killed.fires.jsonl"
    program = f"{sys.executable} -m hermes_diag report"
    script = f"{program} {run}; {program} <(cat {run}) --output {tmp_path}/copy.jsonl; {program} <(true)"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    whole, twice = done.stdout, done.stdout[: len(done.stdout) // 2]
    assert whole == twice + twice
    assert "stream-killed" in twice
    assert "is empty" in done.stderr
    assert (tmp_path / "copy.jsonl").read_bytes().count(b"\n") == run.read_bytes().count(b"\n")


@linux
def test_reading_hears_sigterm(fifo: Path) -> None:
    """Whoever writes into the pipe has nothing to say: the reader waits, and leaves when it is told to."""
    command = [sys.executable, "-m", "hermes_diag", "report", str(fifo)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as reader, open(fifo, "wb"):
        time.sleep(0.2)  # our end is open, so that theirs is
        reader.send_signal(signal.SIGTERM)
        _, said = reader.communicate(timeout=10)
    assert (reader.returncode, said.count("\n") < 2) == (130, True), said


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "{}"),
        ("report", "--check", "{}"),
        ("check", "--baseline", "{}"),
        ("repro", "{}"),
        ("logs", "--with", "{}", GOLDEN.parent / "gateway_logs" / "hermes-0.19.0.log"),
        ("serve", "--reply", "{}"),
        ("serve", "--plan", "{}"),
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:2])),
)
def test_endless_input_is_refused_at_once(cli: Cli, arguments: tuple[object, ...]) -> None:
    """`/dev/zero`: two lines, exit code 2, wherever a file is named."""
    done = cli(*("/dev/zero" if one == "{}" else one for one in arguments))
    assert done.returncode == 2, done.stderr
    assert "cannot read /dev/zero: it is a device, not a file" in done.stderr.replace("'", "")
    assert done.stderr.count("\n") == 2


def test_endless_files_of_others(tmp_path: Path) -> None:
    """auth.json and pyproject.toml, whoever has put them there."""
    (tmp_path / "auth.json").symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="it is a device"):
        credentials.of_codex("codex", environ={"CODEX_HOME": str(tmp_path)})
    (tmp_path / "auth.json").unlink()
    (tmp_path / "auth.json").write_bytes(b" " * (credentials.MAX_BYTES + 1))
    with pytest.raises(UsageError, match="more than 1 MiB"):
        credentials.of_codex("codex", environ={"CODEX_HOME": str(tmp_path)})


# --- captures ----------------------------------------------------------------------------------------

Change = Callable[[list[dict[str, Any]]], object]


def changed(tmp_path: Path, source: Path, change: Change) -> Path:
    """A capture with its lines changed."""
    data = source.read_bytes()
    lines = [
        msgspec.json.decode(line) for line in (gzip.decompress(data) if source.suffix == ".gz" else data).splitlines()
    ]
    found = change(lines)
    path = tmp_path / "x.jsonl"
    path.write_bytes(
        b"".join(msgspec.json.encode(line) + b"\n" for line in (found if isinstance(found, list) else lines))
    )
    return path


def of(name: str, **fields: object) -> Change:
    """The first record of that name has other fields."""

    def change(lines: list[dict[str, Any]]) -> None:
        next(line for line in lines if line["record"] == name).update(fields)

    return change


def fact(name: str, value: object) -> Change:
    def change(lines: list[dict[str, Any]]) -> None:
        next(line for line in lines if line["record"] == "fact" and line["name"] == name).update(value=value)

    return change


def without(fact_: str) -> Change:
    return lambda lines: [line for line in lines if not (line["record"] == "fact" and line["name"] == fact_)]


def head(name: str, **fields: object) -> Change:
    return lambda lines: lines[0][name].update(fields)


def cell(**fields: object) -> Change:
    return lambda lines: lines[0]["plan"]["cells"][0].update(fields)


AUDIT, RUN, WATCH, LOOK, TRACE = (KEPT / f"{name}.jsonl.gz" for name in ("audit", "run", "watch", "look", "trace"))
KILLED = GOLDEN / "stream-killed.fires.jsonl"


@pytest.mark.parametrize(
    ("source", "change", "says"),
    [
        # What was "internal error" once: audit.py, claims.py, and promises.
        (AUDIT, lambda lines: lines[0]["plan"]["cells"].pop(), "line 1: an audit without its part"),
        (AUDIT, cell(audit=""), "line 1: the cell 'audit/' is an audit and does not say which part"),
        (AUDIT, without("subject"), "does not say what was audited"),
        (AUDIT, without("first_turn"), "does not say how its first turn ended"),
        (AUDIT, fact("subject", []), r"line \d+: subject: Expected `object`, got `array`"),
        (AUDIT, fact("failed", [1]), r"line \d+: failed: Expected `str`, got `int`"),
        (AUDIT, fact("mutation", {"added": []}), r"line \d+: mutation: Object missing required field `removed`"),
        (AUDIT, fact("sharing", {"clients": None}), r"line \d+: sharing: Expected `int`.*at `\$\.clients`"),
        (AUDIT, fact("sharing_turns", 7), r"line \d+: sharing_turns: Expected `array`"),
        (RUN, of("measured", value=10**400), r"line \d+: Number out of range - at `\$\.value`"),
        (KILLED, of("turn", cell=["a"]), r"line \d+: Expected `str \| null`, got `array` - at `\$\.cell`"),
        (KILLED, of("turn", events=-1), r"line \d+: Expected `int` >= 0 - at `\$\.events`"),
        (KILLED, of("turn", ms=1e300), r"line \d+: Expected `float` <= 250000000000.0 - at `\$\.ms`"),
        (KILLED, of("turn", chain=["x" * 200_000]), r"line \d+: Expected `str` of length <= 100000"),
        (KILLED, lambda lines: lines.insert(2, {"record": [1]}), r"line 3: Expected `str`, got `array`"),
        (KILLED, lambda lines: lines.append(lines[2]), "which was over before"),
        (KILLED, cell(turns=10**12), "line 1: .* has 2 sessions and 1,000,000,000,000 turns"),
        (KILLED, cell(timeout=0.0), "has a timeout that is not above 0"),
        (KILLED, cell(payload="other"), "has a payload that its plan does not know"),
        (KILLED, cell(strategy="factory"), "does not say which factory"),
        (KILLED, lambda lines: lines[0]["plan"]["cells"].append(lines[0]["plan"]["cells"][0]), "two cells have the"),
        (KILLED, head("plan", expect=["nonsense"]), "line 1: .*nothing of that name can be expected"),
        (WATCH, head("watched", interval=0.0), "line 1: an interval of 0 s"),
        (WATCH, head("watched", conditions=["fds >"]), "line 1: .*no condition"),
        (WATCH, of("sample", at=-1.0), "line 2: its time is not after that of the line before"),
        (WATCH, of("sample", states={"DREAMING": 1}), "line 2: there is no state 'DREAMING'"),
        (WATCH, of("sample", lives={"fds": {"born": 0, "died": [[0.0, 10**9]]}}), "more have gone than were there"),
        (LOOK, of("look", processes=[]), "a look at no process"),
        (LOOK, of("look", held=[{"pid": 1, "version": 1, "fds": {"x": ["TCP", ""]}, "threads": []}]), "descriptor 'x'"),
        (LOOK, lambda lines: lines[0].update(group_by="colour"), "nothing is grouped by 'colour'"),
        (TRACE, of("process", how="dreaming"), r"line \d+: Invalid enum value 'dreaming' - at `\$\.how`"),
        (TRACE, of("exit", code=1000), "no program ends with 1000"),
    ],
)  # fmt: skip
def test_a_capture_that_was_changed(tmp_path: Path, source: Path, change: Change, says: str) -> None:
    """One line: the file, its line, the field. What is said there is what a rule or a page would have stumbled on."""
    with pytest.raises(UsageError, match=rf"x\.jsonl.*{says}") as caught:
        report.read(changed(tmp_path, source, change))
    assert "\n" not in caught.value.whole
    assert caught.value.hint


def test_a_million_brackets(tmp_path: Path, cli: Cli) -> None:
    """Deep nesting is no capture, and nothing else either: report, payload, pyproject.toml."""
    path = tmp_path / "deep.json"
    path.write_bytes(b"[" * 1_000_000)
    done = cli("report", path)
    assert (done.returncode, "is no capture" in done.stderr) == (2, True)
    for data in (
        b'{"record":"capture","schema":4,"kind":"run","plan":' + b"[" * 1_000_000,
        KILLED.read_bytes() + b"[" * 9999,
    ):
        path.write_bytes(data + b"\n")
        with pytest.raises(UsageError, match=r"is no capture|nested too deeply|not a record"):
            report.read(path)
    path.write_bytes(b"[" * 1_000_000)
    with pytest.raises(UsageError, match=r"nested too deeply|more than 250,000 values"):
        payload.load(path)
    with pytest.raises(UsageError, match=r"nested too deeply|more than 200 parts"):
        pyproject.document(b"a = " + b"[" * 100_000, "pyproject.toml")
    with pytest.raises(UsageError, match="more than 200 parts"):
        pyproject.document(b"a" + b".a" * 100_000 + b" = 1\n", "pyproject.toml")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A small file that would be a large one, a line without an end, 100,000 packed files: refused in a moment."""
    path = tmp_path / "bomb.jsonl.gz"
    unknown = b'{"record":"of-tomorrow","text":"' + b"x" * 100_000 + b'"}\n'
    bomb = gzip.compress(KILLED.read_bytes() + unknown * 700, 1)
    assert len(bomb) < 2 << 20
    for data, says in (
        (bomb, "more than 64 MiB unpacked"),
        (gzip.compress(b"x" * (20 << 20), 1), "a line of more than 16 MiB"),
        (gzip.compress(b"") * 100_000, "cannot be unpacked"),
    ):
        path.write_bytes(data)
        begun = time.process_time()
        with pytest.raises(UsageError, match=says):
            report.read(path)
        assert time.process_time() - begun < 2


def test_a_million_things_at_once(tmp_path: Path) -> None:
    """Of what came and stays nobody makes a list: a sample that speaks of 2**40 sockets costs no more than another."""
    lives = {"sockets": {"born": 2**40, "died": []}, "CLOSE_WAIT": {"born": 2**40, "died": []}}
    path = changed(
        tmp_path,
        WATCH,
        lambda lines: [line | {"lives": lives} if line["record"] == "sample" else line for line in lines],
    )
    begun = time.process_time()
    assert report.read(path)[0].rows
    assert time.process_time() - begun < 2


# --- answers of the kernel -------------------------------------------------------------------------------

DONE = struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)


class Kernel:
    """Answers with these bytes."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = [*answers]

    def send(self, question: bytes) -> None:
        pass

    def recv(self, most: int) -> bytes:
        return self._answers.pop(0) if self._answers else b""


def message(length: int | None = None, state: int = 8, attributes: bytes = b"") -> bytes:
    """A socket as the kernel tells it. length: what it says of its own."""
    body = struct.pack(
        "=BBBB2s2s16s16s12xIIIII", 2, state, 2, 0, b"\0\x50", b"\x1f\x90", b"\x7f\0\0\1", b"\x7f\0\0\1", 0, 1, 0, 0, 7
    )
    whole = 16 + len(body) + len(attributes)
    return struct.pack("=IHHII", whole if length is None else length, 18, 2, 1, 0) + body + attributes


@pytest.mark.parametrize("info", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        message(length=0) + DONE,
        message(length=15) + DONE,
        message(length=2**32 - 1) + DONE,
        message()[:40],
        message()[:-1] + DONE,
        message(state=99) + DONE,
        message(),
        b"",
        b"\x10\0\0\0",
        struct.pack("=IHHII", 16, 2, 0, 1, 0),
        struct.pack("=IHHIIi", 20, 2, 0, 1, 0, 5),
    ],
    ids=range(11),
)
def test_a_malformed_answer_about_sockets(answer: bytes, info: bool) -> None:
    """It ends, and is what the system refuses: an OSError, exit code 3. A good one is read."""
    with pytest.raises(OSError, match="cannot be read"):
        sock_diag._dump(Kernel(answer), 0, None, info)  # type: ignore[arg-type]
    (row,) = sock_diag._dump(Kernel(message(), DONE), 0, None, info)  # type: ignore[arg-type]
    assert (row.state, row.local, row.inode) == ("CLOSE_WAIT", ("127.0.0.1", 80), 7)


@pytest.mark.parametrize("attribute", [b"\0\0\2\0", b"\1\0\2\0", b"\xff\xff\2\0", b"\x08\0\2\0", b"\2"])
def test_an_attribute_of_any_length(attribute: bytes) -> None:
    """Of length 0, too short, longer than the message: what it would have told is not known."""
    (row,) = sock_diag._dump(Kernel(message(attributes=attribute * 3), DONE), 0, None, True)  # type: ignore[arg-type]
    assert (row.silent_ms, row.memory) == (None, None)


def test_refused_by_the_kernel() -> None:
    """Its own error is told as what it is."""
    with pytest.raises(PermissionError):
        sock_diag._dump(Kernel(struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -1)), 0)  # type: ignore[arg-type]


@linux
def test_short_lines_of_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A line without its end: could not be measured, and no traceback."""
    for line in (b"", b"1", b"1 (a", b"1 (a) S 1", b"1 (a) S x " + b"0 " * 30):
        with pytest.raises((ValueError, IndexError)):
            proc.stat(line)
        (tmp_path / "stat").write_bytes(line)
        with pytest.raises(CannotMeasure, match="cannot be read"):
            process.stat(f"../{tmp_path}")
    for table in (b"head\n 0: 0100007F:1F90", b"head\n 0: x:1 y:2 01 0:0 0:0 0 0 0 0\n", b"head\n" + b"0 " * 10):
        with pytest.raises((ValueError, KeyError, struct.error)):
            proc_net.rows_of(table, socket.AF_INET, 4)
    for line in (b"running\n", b"", b"x 2 3 4 5 6 7 8 9", b"1 2"):
        assert proc.call(line) == (-1, 0, 0)


# --- request bodies ---------------------------------------------------------------------------------------


def test_a_body_of_brackets() -> None:
    """60 MB of `[],` would take 3 GB: it is no body. As much text, with all signs of JSON in it, is one."""
    assert decoded(b'{"input":[' + b"[]," * 20_000_000 + b"[]]}") is None
    prose = decoded(b'{"input":"' + rb"\"[],{" * 4_000_000 + b'"}')
    assert prose is not None
    assert len(prose["input"]) == 20_000_000
    assert reading.is_crowded(b'"' + rb"\"" * 3_000_000 + b"[" * 300_000) is False  # one text without an end


def test_bodies_share_their_room() -> None:
    """What several clients send at the same time is bounded together, and free again once it is answered."""
    room = Room(1000)
    head = b"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 600\r\n\r\n"
    first, second = Wire(room=room), Wire(room=room)
    request = first.feed(head + b"x" * 600)
    assert request is not None
    with pytest.raises(BadRequest) as caught:
        second.feed(head + b"x" * 600)
    assert caught.value.status == 503
    second.forget()
    first.head(200, (("content-length", "0"),))
    first.end()
    first.next()
    assert room.taken == 0
    assert Wire(room=room).feed(head + b"x" * 600) is not None
    bomb = gzip.compress(b"x" * 5000)
    with pytest.raises(BadRequest, match="503"):
        Wire(room=Room(1000)).feed(
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (len(bomb), bomb)
        )
