"""Evidence survives the file: written as it happens, read back the same, refused in a line."""

from __future__ import annotations

import errno
import io
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import GOLDEN, Cli

from hermes_diag.core import jsonl
from hermes_diag.core.errors import UsageError
from hermes_diag.core.jsonl import Writer
from hermes_diag.run import capture
from hermes_diag.watch.capture import WatchCapture
from hermes_diag.watch.records import Watched

ANY = GOLDEN / "stream-killed.fires.jsonl"


def test_round_trip(tmp_path: Path) -> None:
    """What is read and written again is the same evidence."""
    plan, (evidence,) = capture.read(ANY)
    again = tmp_path / "again.jsonl"
    with jsonl.create(again) as file:
        recorder = capture.Recorder(evidence.cell, capture.Capture(file, plan))
        for kind in (
            "stack",
            "clients",
            "turns",
            "samples",
            "moved",
            "served",
            "connections",
            "pools",
            "measured",
            "outcome",
        ):
            value = getattr(evidence, kind)
            for record in value if isinstance(value, tuple) else (value,):
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


def test_what_cannot_be_kept_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no room for it while it is not known whether the run is one."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"of yesterday")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(UsageError, match="No space left"), jsonl.create(path, force=True):
        pass
    assert path.read_bytes() == b"of yesterday"


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
