"""Evidence survives the file: written as it happens, read back the same, refused in a line."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import golden_text
import msgspec
import pytest
from conftest import GOLDEN, ROOT, Cli

from hermes_diag.cli import report
from hermes_diag.core.capture import Reader, Writer
from hermes_diag.core.errors import UsageError
from hermes_diag.core.new_file import NewFile
from hermes_diag.core.packed_lines import Lines as unpacked
from hermes_diag.reporters.formats import json as document
from hermes_diag.run import capture
from hermes_diag.watch.capture import WatchCapture
from hermes_diag.watch.records import Watched

ANY = GOLDEN / "stream-killed.fires.jsonl"


def test_round_trip(tmp_path: Path) -> None:
    """What is read and written again is the same evidence."""
    plan, (evidence,) = capture.read(ANY)
    again = tmp_path / "again.jsonl"
    with NewFile(again) as file:
        recorder = capture.Recorder(evidence.cell, capture.Capture(file, plan))
        for record in capture.records_of(evidence):
            recorder.add(record)
    assert capture.read(again) == (plan, [evidence])


def test_a_killed_run_can_be_read(tmp_path: Path) -> None:
    """Cut anywhere, the whole lines count; the cell is known to be cut."""
    data = ANY.read_bytes()
    for keep in (len(data) // 3, len(data) // 2, len(data) - 5):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(data[:keep])
        _, (evidence,) = capture.read(path)
        assert evidence.outcome.how == "cut"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is empty"),
        (b"{}\n", "is no capture"),
        (b"\xff\xfe\n", "is no capture"),
        (b"not one of ours, and without a newline", "is no capture"),
        (b"[" * 100_000 + b"\n", "is no capture"),
        (b'{"record":"capture","schema":99,"plan":{}}\n', "schema 99"),
        (b'{"record":"capture","schema":2,"plan":{"cells":7}}\n', "line 1: Expected `array`"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: bytes, says: str) -> None:
    """Which line, what is wrong."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(text)
    with pytest.raises(UsageError, match=r"x\.jsonl") as caught:
        capture.read(path)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("watchdog", "watchdgo"), "a plan has no 'watchdgo'"),
        (('"scenario"', '"scenarios"'), "a plan has no 'scenarios'"),
        (('"watchdog":1.0', '"watchdog":"soon"'), "Expected `float | null`, got `str`"),
    ],
)
def test_a_misspelt_setting_is_refused(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    """What a cell was told is checked by name and type: an unknown key is not taken for none at all."""
    head, rest = (GOLDEN / "posts-unwanted.fires.jsonl").read_text().split("\n", 1)
    path = tmp_path / "x.jsonl"
    path.write_text(f"{head.replace(*change)}\n{rest}")
    with pytest.raises(UsageError, match="line 1") as caught:
        capture.read(path)
    assert says in caught.value.message


def test_a_changed_line_is_named(tmp_path: Path) -> None:
    """A record of the wrong shape is refused with its line number."""
    lines = ANY.read_bytes().split(b"\n")
    lines[3] = msgspec.json.encode({"record": "turn", "cell": "buggy/close/overlapping", "session": "one"})
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(UsageError, match="line 4"):
        capture.read(path)


def test_report_on_the_command_line(cli: Cli) -> None:
    """A capture is judged again without running anything; a bad file is exit 2."""
    done = cli("report", ANY)
    assert "stream-killed" in done.stdout
    assert done.returncode == 0
    assert cli("report", GOLDEN).returncode == 2
    assert cli("report", "none.jsonl").returncode == 2


def test_save_does_not_overwrite(cli: Cli, tmp_path: Path) -> None:
    """An existing file is kept unless --force."""
    kept = tmp_path / "kept.jsonl"
    kept.write_text("mine")
    done = cli("repro", "--save", kept)
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert kept.read_text() == "mine"


def test_a_refused_run_changes_no_file(cli: Cli, tmp_path: Path) -> None:
    """--force is for a run that is made: what was there is still there, and what was not is not."""
    path = tmp_path / "run.jsonl"
    for content in (None, b"of yesterday\n" * 9999):
        if content:
            path.write_bytes(content)
        done = cli("replay", "nowhere.clients:make", "--save", path, "--force")
        assert done.returncode == 2, done.stderr
        assert (path.read_bytes() if path.exists() else None) == content


def test_a_link_to_what_was_not_there(cli: Cli, tmp_path: Path) -> None:
    """What the refused run has made goes, and not the link to it."""
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    assert cli("check", "nowhere.clients:make", "--save", link, "--force").returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
    assert link.is_symlink()


class NearlyFull(io.RawIOBase):
    """A file on a disk that takes half of each line and refuses nothing."""

    def write(self, data: Any) -> int:
        return len(data) // 2


@pytest.mark.parametrize("kind", ["run", "watch"])
def test_half_a_line_is_noticed(kind: str) -> None:
    """A disk that is nearly full takes a part of a line without an error: each kind of capture says so."""
    file: Any = NearlyFull()
    if kind == "run":
        made: Writer = capture.Capture(file, capture.read(GOLDEN / "close-wait-grows.fires.jsonl")[0])
    else:
        made = WatchCapture(file, Watched(1, "x", 0.0, 0.0, 1.0, "psutil", ""))
    assert made.failure == "the disk is full"


# --- packed, cut, and of other releases ---------------------------------------------------------------


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A capture of each kind, written by the commands themselves."""
    folder = tmp_path_factory.mktemp("captures")
    factory = folder / "clients.py"
    factory.write_text((ROOT / "scripts" / "leaky.py").read_text())
    made = {
        "run": ["repro", "--strategy", "buggy", "--workload", "steady", "--turns", "6"],
        "check": ["check", "./clients.py:make_client", "--workload", "steady", "--fail-on", "close_wait_left > 0"],
        "watch": ["sockets", os.getpid(), "--watch", "--interval", "20ms", "--set", "count=12"],
        "look": ["sockets", os.getpid()],
        "trace": ["trace", "--", sys.executable, "-c", "import socket; a = [socket.socket() for _ in range(9)]"],
    }
    for name, arguments in made.items():
        first, *rest = map(str, arguments)
        command = [sys.executable, "-m", "hermes_diag", first, "--save", f"{name}.jsonl.gz", *rest]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode in (0, 1, 3), done.stderr
        (folder / f"{name}.jsonl").write_bytes(gzip.decompress((folder / f"{name}.jsonl.gz").read_bytes()))
    return {path.name: path for path in folder.glob("*.jsonl*")}


def told(path: Path) -> Any:
    """What `report` says of a file, as its JSON document."""
    return msgspec.json.decode(document.line(report.read(path)[0]))


KINDS = ("run", "check", "watch", "look", "trace")


@pytest.mark.parametrize("kind", KINDS)
def test_packed_or_not_is_the_same(captures: dict[str, Path], kind: str) -> None:
    """By name packed, by content read: also under another name."""
    packed, plain = captures[f"{kind}.jsonl.gz"], captures[f"{kind}.jsonl"]
    assert packed.read_bytes()[:2] == b"\x1f\x8b"
    assert packed.stat().st_size < plain.stat().st_size * 3 / 4  # that of a look is small
    other = packed.with_name(f"{kind}.of-another-name")
    shutil.copy(packed, other)
    assert told(packed) == told(plain) == told(other)


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize("kind", KINDS)
def test_cut_at_every_997th_byte(captures: dict[str, Path], tmp_path: Path, kind: str, form: str) -> None:
    """What is left is reported, more of it the later the cut; without its first line a file is refused in a line."""
    data = captures[f"{kind}.{form}"].read_bytes()
    path, lines = tmp_path / "cut", 0
    for keep in (*range(1, len(data), 997), len(data) - 1):
        path.write_bytes(data[:keep])
        whole = sum(1 for _ in unpacked(path))
        assert whole >= lines
        lines = whole
        if whole > (kind == "look"):  # a look is one record
            assert told(path)["verdict"]
        else:
            with pytest.raises(UsageError, match=r"is cut off|is no capture"):
                report.read(path)
    assert lines == len(list(unpacked(captures[f"{kind}.jsonl"]))) - (form == "jsonl")


def test_a_cut_run_is_no_clean_one(captures: dict[str, Path], tmp_path: Path) -> None:
    """Of what is not in the file nobody says that it went well."""
    for kind in ("run", "check"):
        lines = captures[f"{kind}.jsonl"].read_bytes().splitlines(keepends=True)
        path = tmp_path / "cut.jsonl"
        path.write_bytes(b"".join(lines[: len(lines) // 2]))
        assert told(path)["exit_code"] != 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_later_release_adds(captures: dict[str, Path], tmp_path: Path, kind: str) -> None:
    """Fields and records that this release does not know are left out; what it knows counts as ever."""
    head, *records = map(msgspec.json.decode, captures[f"{kind}.jsonl"].read_bytes().splitlines())
    head |= {"release": "99.1", "tomorrow": 1}
    for name in {"plan", "watched"} & set(head):
        head[name]["tomorrow"] = 1
    records = [{**record, "tomorrow": {"a": 1}} for record in records]
    lines = [head, {"record": "of-tomorrow", "a": 1}, *records]
    path = tmp_path / "later.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    found, notes = report.read(path)
    assert msgspec.json.decode(document.line(found)) == told(captures[f"{kind}.jsonl"])
    assert "written by hermes-diag 99.1" in notes[0]
    assert "'of-tomorrow'" in notes[0]


def test_a_key_that_no_release_knows(captures: dict[str, Path], tmp_path: Path) -> None:
    """In a plan of this release it would be a condition that is not kept to."""
    path = tmp_path / "changed.jsonl"
    path.write_bytes(
        captures["run.jsonl"].read_bytes().replace(b'"pool_timeout":', b'"pool_timeot":0,"pool_timeout":', 1)
    )
    with pytest.raises(UsageError, match="a plan has no 'pool_timeot'"):
        report.read(path)


def test_a_later_schema_is_refused(captures: dict[str, Path], tmp_path: Path, cli: Cli) -> None:
    """One line, one cure, exit code 2; so is a kind that this release does not know."""
    for old, new, says in (
        (b'"schema":4', b'"schema":5', "has schema 5, this hermes-diag reads 4 and earlier"),
        (b'"kind":"run"', b'"kind":"dream"', "is a capture of a dream, which this release does not know"),
    ):
        path = tmp_path / "x.jsonl"
        path.write_bytes(captures["run.jsonl"].read_bytes().replace(old, new, 1))
        done = cli("report", path)
        assert done.returncode == 2
        assert says in done.stderr
        assert done.stderr.count("\n") == 2


def test_damage_in_a_packed_file(captures: dict[str, Path], tmp_path: Path) -> None:
    """A changed byte is no end of the file."""
    data = bytearray(captures["run.jsonl.gz"].read_bytes())
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"cannot be unpacked|line \d+"):
        report.read(path)


def test_a_packed_capture_is_small(captures: dict[str, Path]) -> None:
    """At most 1 MB for 10,000 turns: 100 bytes a turn. What a run has only once is most of so small a one."""
    lines = captures["run.jsonl"].read_bytes().splitlines()
    turns = [line for line in lines if b'"record":"turn"' in line]
    of_turns = [line for line in lines if re.search(rb'"record":"(turn|client|served|connection|life)"', line)]
    assert len(gzip.compress(b"\n".join(of_turns))) / len(turns) < 100


# --- captures that are kept ----------------------------------------------------------------------------

KEPT = GOLDEN / "captures"
#: Of schema 4, one of each kind and command; of the schemas before it a run (2) and a watch (3).
OF_RELEASES = (*sorted(KEPT.glob("*.jsonl.gz")), *sorted((GOLDEN / "pictures").glob("*.jsonl")))


def test_captures_of_this_release_and_earlier_ones() -> None:
    """Whatever a later release changes, they say the same. HERMES_DIAG_GOLDEN=write writes it anew: look at what has
    changed. They were written by --save and anonymised; nothing in them is made by hand."""
    found = {}
    for path in OF_RELEASES:
        report_, notes = report.read(path)
        assert notes == []
        found[path.name] = {
            "exit_code": report_.exit_code,
            "verdict": report_.verdict,
            "findings": [f"{one.code} {one.where}" for one in report_.findings],
            "rows": [f"{one.name} {one.code} {one.status}" for one in report_.rows],
        }
    golden_text.same(KEPT / "expected.json", json.dumps(found, indent=1) + "\n")
    assert {Reader(path).kind for path in OF_RELEASES} == set(KINDS) - {"check"}
    assert {Reader(path).schema for path in OF_RELEASES} == {2, 3, 4}


@pytest.mark.parametrize("kind", ["run", "check", "watch", "trace"])
def test_a_cut_is_said(captures: dict[str, Path], tmp_path: Path, cli: Cli, kind: str) -> None:
    """What ends too early is no program without Python, and no run that found nothing."""
    lines = captures[f"{kind}.jsonl"].read_bytes().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[: 1 if kind == "trace" else -3]))
    done = cli("report", "cut.jsonl")
    assert kind == "watch" or done.returncode in (1, 3)  # what was seen of a watch counts
    assert "ends before" in " ".join((done.stdout + done.stderr).split())
    assert "no Python" not in done.stdout
