"""`hermes-diag logs`: what real releases wrote, a generator's truth, and files that are no such log."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import ROOT, Cli

sys.path.insert(0, str(ROOT / "scripts"))

import bench_logs
import synthetic_log

from hermes_diag.cli import logs
from hermes_diag.core.agent_log import File, LogReport
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.new_file import NewFile
from hermes_diag.hermes.logs import files, joined, judged
from hermes_diag.hermes.logs import open as under_way
from hermes_diag.hermes.logs.balance import Balance
from hermes_diag.reporters import formats
from hermes_diag.watch.capture import WatchCapture
from hermes_diag.watch.records import Ended, Tick, Watched

REAL = ROOT / "tests" / "gateway_logs"
UTC = ZoneInfo("UTC")
TAIL = "provider=p base_url=http://127.0.0.1/v1 model=m"


def read(*paths: Path, zone: str = "UTC", watch: joined.Watch | None = None) -> LogReport:
    """The report of these files, the oldest first."""
    found, told = Balance(ZoneInfo(zone)), list[File]()
    for source in files.opened(files.newest_first(paths)):
        for chunk in files.chunks(source, told.append):
            found.feed(chunk)
    return judged.report(found, told, zone, "a log", watch)


def of_text(tmp_path: Path, text: str | bytes, **more: Any) -> LogReport:
    path = tmp_path / "agent.log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, **more)


def document(report: LogReport) -> dict[str, Any]:
    return json.loads(formats.load("json").render(report, 80, False))


def line(second: float, text: str) -> str:
    return f"2026-11-28 04:{int(second) // 60:02}:{int(second) % 60:02},000 INFO {text}\n"


def client(verb: str, thread: str, session: str = "", more: str = "") -> str:
    tag = f"[{session}] " if session else ""
    return f"{tag}run_agent: OpenAI client {verb} (a_reason, shared=False{more}) thread={thread} {TAIL}"


# --- real logs -----------------------------------------------------------------------------------

#: By release, from a run of 6 turns, of which each second request fell silent: created, closed, aborted, nothing closed
#: of the request clients; closed by others, stranded, aborted and never closed; failures.
WROTE = {
    "0.13.0": ((11, 12, 0, 0), (5, 0, 0), 5), "0.14.0": ((11, 12, 0, 0), (5, 0, 0), 5),
    "0.15.2": ((7, 6, 4, 0), (0, 0, 1), 1), "0.16.0": ((7, 6, 4, 0), (0, 0, 1), 1),
    "0.17.0": ((7, 6, 4, 0), (0, 0, 1), 1),
    "0.18.2": ((11, 6, 5, 5), (0, 5, 0), 5), "0.19.0": ((11, 6, 5, 5), (0, 5, 0), 5),
}  # fmt: skip


@pytest.mark.parametrize("release", WROTE)
def test_what_real_releases_wrote(release: str) -> None:
    """Every line about a client is understood, each client has its end, and what was left is named by its thread."""
    path = REAL / f"hermes-{release}.log"
    report = read(path)
    lines_, split, failures = WROTE[release]
    assert tuple(vars(report.roles["request"]).values()) == lines_
    found = report.clients
    assert (found.ended_by_others, found.stranded, found.aborted_unclosed) == split
    assert found.created == found.closed + sum(split)
    assert (report.roles["shared"].created, report.turns, report.failures) == (6, 6, {"TimeoutError": failures})
    assert report.runs[0].started
    assert report.runs[0].stopped
    assert report.runs[0].lines == {
        "3": "0.13 or 0.14",
        "4": "0.13 or 0.14",
        "5": "0.15 or 0.16",
        "6": "0.15 or 0.16",
    }.get(release[3], "0.17 or newer")
    if split[1]:
        assert [one.thread for one in report.left] == [f"Thread-{number} (_call)" for number in (6, 8, 10, 12, 14)]


# --- the generator's truth ------------------------------------------------------------------------


def generated(folder: Path, seed: int, sessions: int, **more: Any) -> tuple[list[Path], dict[str, int]]:
    log = synthetic_log.Log(random.Random(seed), sessions=sessions, noise=1)
    zone = more.pop("zone", UTC)
    text = synthetic_log.stamped(log.lines(4, 60 * sessions), zone, more.pop("shifts", ()))
    return synthetic_log.write(folder, text, 200_000 * sessions, **more), log.truth


@pytest.mark.parametrize(
    ("seed", "encoding"), [(0, "utf-8"), (1, "latin-1"), (2, "utf-16"), (3, "utf-8"), (4, "utf-8-sig"), (2, "utf-8")]
)
def test_the_balance_is_the_truth(seed: int, encoding: str, tmp_path: Path) -> None:
    """Rotations, some of them packed, in any encoding, while the clock is set back and forward."""
    shifts = ((300, -7200.0), (500, 90_000.0), (900, -90_000.0))[: seed if encoding == "utf-8" else 0]
    generated(tmp_path, seed, 1, rotations=seed, encoding=encoding, packed=seed == 3, shifts=shifts)
    paths = list(reversed(files.of_home(_home(tmp_path))))
    assert len(paths) == seed + 1
    report = read(*paths)
    truth = generated(tmp_path / "again", seed, 1)[1]
    assert bench_logs.wrong(document(report), truth) == {}
    assert len(report.clock) >= len(shifts)
    assert {one.encoding for one in report.files} == {"UTF-16-LE" if encoding == "utf-16" else "UTF-8"}


def _home(folder: Path) -> Path:
    """A home whose logs are those of a folder."""
    home = folder / "home"
    home.mkdir()
    (home / "logs").symlink_to(folder)
    return home


@pytest.mark.parametrize("seed", range(2))
def test_with_many_sessions_at_once(seed: int, tmp_path: Path) -> None:
    """What a line says is counted exactly, and so is who was left; which line meant which is nearly always known."""
    paths, truth = generated(tmp_path, seed, 8)
    wrong = bench_logs.wrong(document(read(*paths)), truth)
    assert set(wrong) <= set(bench_logs.SPLIT)
    assert all(abs(found - true) <= 4 for found, true in wrong.values()), wrong


def test_summer_time_ends(tmp_path: Path) -> None:
    """The hour that comes twice is told, and time runs on."""
    log = synthetic_log.Log(random.Random(1), begin=1_792_888_800.0, sessions=1, noise=0)  # 2026-10-25 00:40 UTC
    zone = ZoneInfo("Europe/Berlin")
    paths = synthetic_log.write(tmp_path, synthetic_log.stamped(log.lines(4, 120), zone), 10**9)
    report = read(*paths, zone="Europe/Berlin")
    assert any("an hour that comes twice" in one.what for one in report.clock)
    assert report.begin == pytest.approx(log.begin, abs=30)
    assert report.end == pytest.approx(log.now, abs=120)


# --- verdicts ------------------------------------------------------------------------------------


def test_under_way_is_no_problem(tmp_path: Path) -> None:
    """A client whose turn is under way at the end of the log has done nothing wrong."""
    turn = line(1, "[s1] agent.turn_context: conversation turn: session=s1 model=m provider=p")
    report = of_text(tmp_path, turn + line(2, client("created", "Thread-1 (_call):11")))
    assert (report.exit_code, report.clients.under_way, report.clients.endless) == (0, 1, 0)
    assert "1 under way at the end of the log" in report.verdict


def test_left_when_its_thread_goes_on(tmp_path: Path) -> None:
    """Neither closed nor aborted, and the same thread makes another one."""
    text = line(1, client("created", "Thread-1 (_call):11")) + line(5, client("created", "Thread-2:11"))
    report = of_text(tmp_path, text + line(6, client("closed", "Thread-2:11", more=", tcp_force_closed=0")))
    assert (report.exit_code, report.clients.endless, report.clients.closed) == (1, 1, 1)
    assert report.left[0].thread == "Thread-1 (_call)"
    assert [one.code for one in report.findings] == ["client-without-end"]


@pytest.mark.parametrize(("forced", "closes", "code"), [(0, False, 1), (0, True, 0), (1, True, 0), (1, False, 1)])
def test_an_abort(forced: int, closes: bool, code: int, tmp_path: Path) -> None:
    """It is a problem where no close by the client's own thread follows while its session goes on."""
    text = line(1, "[s1] agent.turn_context: conversation turn: session=s1 model=m provider=p")
    text += line(2, client("created", "Thread-1 (_call):11"))
    text += line(
        9, client("aborted", "asyncio_0:7", "s1", f", tcp_force_closed={forced}, deferred_close=stranger_thread")
    )
    if closes:
        text += line(9, client("closed", "Thread-1 (_call):11", more=", tcp_force_closed=0"))
    assert of_text(tmp_path, text).exit_code == 0  # its session has not gone on yet
    text += line(11, "[s1] agent.turn_finalizer: Turn ended: reason=interrupted model=m session=s1")
    report = of_text(tmp_path, text)
    assert report.exit_code == code
    assert report.clients.under_way == 0


def test_a_restart_ends_everything(tmp_path: Path) -> None:
    """What was under way when the gateway was started anew is no problem, and a shift is told with both counts."""
    turn = "[s{n}] agent.turn_context: conversation turn: session=s{n} model=m provider=p"
    text = "".join(line(n, turn.format(n=n)) for n in range(30)) + line(30, client("created", "Thread-1 (_call):11"))
    text += line(31, "gateway.run: Starting Fabric Gateway...")
    for n in range(40, 70):
        text += line(n, turn.format(n=n))
        text += line(
            n, f"[s{n}] agent.conversation_loop: API call failed (attempt 1/3) error_type=E thread=a:1 summary=x"
        )
    report = of_text(tmp_path, text)
    assert (report.clients.cut, report.exit_code) == (1, 0)
    assert [(one.name, one.before, one.after) for one in report.shifts] == [("failures", 0, 30)]
    assert "100 in 100 turns (30 in 30), before 0 (0 in 30)" in formats.load("terminal").render(report, 200, False)


def test_bounded_whatever_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Millions of sessions and threads that end nothing: the oldest are forgotten, and the balance holds."""
    monkeypatch.setattr(under_way, "CLIENTS", 50)
    monkeypatch.setattr(under_way, "SESSIONS", 50)
    text = "".join(
        line(n % 3000, f"[s{n}] agent.turn_context: conversation turn: session=s{n} model=m provider=p")
        + line(n % 3000, client("created", f"Thread-{n} (_call):{n}"))
        for n in range(2000)
    )
    found = of_text(tmp_path, text).clients
    assert found.created == 2000
    assert found.created == sum(vars(found).values()) - found.created


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 3_000_000,
        b"x" * 5_000_000,
        b"\xff\xfe",
        "ü".encode() * 100 + b"\xc3",
        b"\n" * 100_000,
        b"\xfe\xff\x00",
    ],
    ids=["empty", "NULs", "one line", "BOM alone", "cut character", "newlines", "half a character"],
)
def test_no_log(content: bytes, tmp_path: Path) -> None:
    """Exit code 3, and what log level is needed."""
    report = of_text(tmp_path, content)
    assert report.exit_code == 3
    assert "level INFO" in report.verdict


def test_a_line_that_is_too_long(tmp_path: Path) -> None:
    """It is passed over; the lines around it count."""
    made = line(1, client("created", "Thread-1 (_call):11"))
    text = (
        made
        + line(2, "x: " + "y" * 7_000_000)
        + line(3, client("closed", "Thread-1 (_call):11", more=", tcp_force_closed=0"))
    )
    assert of_text(tmp_path, text).clients.closed == 1


def test_a_rotation_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """agent.log becomes agent.log.1 between two openings: it is read once, and nothing is missed."""
    _, truth = generated(tmp_path, 1, 1, rotations=1)
    real, opened = os.open, []

    def rotate(path: Any, *rest: Any, **named: Any) -> int:
        number = real(path, *rest, **named)
        opened.append(path)
        if len(opened) == 1:
            os.rename(tmp_path / "agent.log.1", tmp_path / "agent.log.2")
            os.rename(tmp_path / "agent.log", tmp_path / "agent.log.1")
        return number

    (tmp_path / "agent.log.2").touch()
    monkeypatch.setattr(files.os, "open", rotate)
    report = read(tmp_path / "agent.log.2", tmp_path / "agent.log.1", tmp_path / "agent.log")
    assert bench_logs.wrong(document(report), truth) == {}


def test_a_packed_file_that_was_cut(tmp_path: Path) -> None:
    """What could be read is told, and that it was not all."""
    paths, _ = generated(tmp_path, 1, 1, rotations=1, packed=True)
    packed = tmp_path / "agent.log.1.gz"
    packed.write_bytes(packed.read_bytes()[:-2000])
    report = read(packed)
    assert report.clients.created
    assert "could not be read to its end" in report.notes[0]
    assert not paths[0].exists()


def test_what_is_refused(cli: Cli, tmp_path: Path) -> None:
    """A pipe, a device, what is not there, a home without a log, a zone or moment that is none: a cure for each."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "logs").mkdir()
    for path, said in (
        (tmp_path / "pipe", "no regular file"),
        ("/dev/zero", "it is a device, not a file"),
        ("none", "no file"),
    ):
        with pytest.raises(UsageError, match=said):
            files.opened([REAL / "hermes-0.19.0.log", Path(path)])
    with pytest.raises(CannotMeasure, match=r"no agent\.log"):
        files.of_home(tmp_path)
    with pytest.raises(UsageError, match="--tz"):
        logs._zone("Mars/Olympus")
    with pytest.raises(UsageError, match="--since"):
        logs._moment("--since", "never", None)
    done = cli("logs", "--home", tmp_path, "x.log")
    assert (done.returncode, "name two logs" in done.stderr) == (2, True), done.stderr


def test_nothing_of_strangers(tmp_path: Path) -> None:
    """No prompt, URL, summary or key is told in any format; names are escaped, sessions are shortened."""
    folder = tmp_path / "log"
    paths, _ = generated(folder, 2, 2)
    evil = client("created", "\x1b[31mevil\x07::error::x:77")
    with paths[0].open("a") as file:
        file.write(line(1, evil) + line(2, evil) + line(3, "[a-session-of-a-person@example.org] " + "x"))
        file.write(
            line(4, "[a-session-of-a-person] agent.turn_context: conversation turn: session=a-session-of-a-person x")
        )
    report = read(*paths)
    for name in formats.names():
        text = formats.load(name).render(report, 100, True)
        for secret in ("s3cret", "chatgpt.example", "the prompt", "\x1b", "\x07", "of-a-person"):
            assert secret not in text, name


def test_ctrl_c(tmp_path: Path) -> None:
    """What was read until then is told, with exit code 130."""
    path = tmp_path / "agent.log"
    path.write_bytes((REAL / "hermes-0.19.0.log").read_bytes())
    os.truncate(path, 1 << 38)  # NULs without an end, which take no room
    command = [sys.executable, "-m", "hermes_diag", "logs", "--json", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        number = process.pid
        until = time.monotonic() + 30
        while time.monotonic() < until and not _reads(number, path):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert json.loads(out)["clients"]["stranded"] == 5


def _reads(pid: int, path: Path) -> bool:
    """Whether a process has read some of a file."""
    import psutil

    try:
        if not any(one.path == str(path) for one in psutil.Process(pid).open_files()):
            return False
        return psutil.Process(pid).cpu_times().user > 0 and any(
            getattr(one, "position", 1) > 1 << 24 for one in psutil.Process(pid).open_files() if one.path == str(path)
        )
    except psutil.Error:
        return False


# --- with a watch ---------------------------------------------------------------------------------


def watched(path: Path, begun: float, samples: int) -> Path:
    """The capture of a watch in which threads and sockets grow."""
    about = Watched(4242, "python", begun - 60, begun, 1.0, "sock_diag", "because")
    with NewFile(path) as file:
        saved = WatchCapture(file, about)
        for at in range(samples):
            saved.write(
                Tick(
                    float(at),
                    0.0,
                    {"ESTABLISHED": at, "CLOSE_WAIT": 1},
                    {},
                    None,
                    1,
                    30 + at,
                    1024,
                    0.03,
                    10 + at,
                    None,
                )
            )
        saved.write(Ended("done", ""))
    return path


def test_beside_a_watch(cli: Cli, tmp_path: Path) -> None:
    """Counts of the log and highs of the watch stand in the same parts of the time, in every format."""
    log = REAL / "hermes-0.19.0.log"
    begun = read(log).begin
    assert begun is not None
    saved, page = watched(tmp_path / "w.jsonl", begun, 40), tmp_path / "r.html"
    done = cli("logs", log, "--with", saved, "--tz", "UTC", "--output", page)
    assert done.returncode == 1, done.stderr
    assert "threads, seen by the watch" in done.stdout
    assert "Counts of the log, and the highest that the watch saw" in done.stdout
    assert page.read_text().count("seen by the watch") >= 4
    parts = read(log, watch=joined.watch(saved)).buckets
    assert sum(one.counts["aborted"] for one in parts) == 5
    assert max(one.highs["threads"] or 0 for one in parts) == 49
    assert parts[1].highs["ESTABLISHED"] is not None


def test_a_line_with_a_wrong_clock(tmp_path: Path) -> None:
    """One line of 1970 makes neither a silence of decades nor a picture of them."""
    text = line(1, client("created", "Thread-1:1")) + line(2, client("closed", "Thread-1:1"))
    wrong = line(3, client("created", "Thread-2:2")).replace("2026-11-28", "1970-01-01")
    report = of_text(tmp_path, text + wrong + line(4, client("closed", "Thread-2:2")))
    assert report.exit_code == 0
    assert report.silence is None
    assert len(report.buckets) == 4
    assert [round(jump.seconds) < 0 for jump in report.clock] == [True, False]


def test_a_watch_that_was_cut(tmp_path: Path) -> None:
    """It is told that there was more of it."""
    begun = read(REAL / "hermes-0.19.0.log").begin
    assert begun is not None
    saved = watched(tmp_path / "w.jsonl", begun, 8)
    assert joined.watch(saved).notes == []
    lines = saved.read_text().splitlines(keepends=True)
    saved.write_text("".join(lines[:-2]))
    (note,) = joined.watch(saved).notes
    assert "ends before its watch did" in note


def test_a_watch_of_another_time(tmp_path: Path) -> None:
    """It is told in one line how far apart they are."""
    log = REAL / "hermes-0.19.0.log"
    begun = read(log).begin
    assert begun is not None
    report = read(log, watch=joined.watch(watched(tmp_path / "w.jsonl", begun + 86400, 5)))
    assert any("do not overlap: the watch lies 23 h 59 min after the log ends" in note for note in report.notes)
    assert report.buckets
    assert not report.buckets[0].highs


def test_since_and_until() -> None:
    """Only what lies between is counted."""
    since, until = (logs._moment("--since", f"2026-11-28 04:18:{second}", UTC) for second in (40, 50))
    found = Balance(UTC, since, until)
    found.feed(b"\n" + (REAL / "hermes-0.19.0.log").read_bytes())
    assert found.roles()["request"].aborted == 3


# --- what must not be told, and what must not be done --------------------------------------------

SECRETS = (
    "sk-proj-AbCdEf0123456789AbCdEf0123456789", "xoxb-1234-5678-abcdefghij", "password=Passw0rdX",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9", "ghp_0123456789abcdef0123", "Mustermann qwertzprompt alice@example.com",
)  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_in_a_name_is_told(secret: str, tmp_path: Path) -> None:
    """In names of threads, sessions, reasons, errors and ends of turns, in every format."""
    word = secret.replace(" ", "_")
    text = line(1, f"[{secret}] agent.turn_context: conversation turn: session={word} model=m provider=p")
    text += line(2, client("created", f"{secret} (_call):11").replace("a_reason", secret))
    text += line(9, client("aborted", "asyncio_0:7", secret, ", tcp_force_closed=0, deferred_close=stranger_thread"))
    text += line(10, f"[{secret}] agent.conversation_loop: API call failed (attempt 1/3) error_type={word} s=x")
    text += line(
        20, f"[{secret}] agent.turn_finalizer: Turn ended: reason={re.sub(r'[^A-Za-z0-9_]', '_', secret)} model=m"
    )
    report = of_text(tmp_path, text)
    assert sum(report.failures.values()) == 1
    for name in ("terminal", "json", "html", "markdown", "junit"):
        shown = formats.load(name).render(report, 100, True)
        assert not any(part in shown for part in (secret, word)), name


def test_sessions_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    """By the whole name, where Hermes has given it, and by what is made of it elsewhere."""
    names = ("20261128_041830_a1b2c3", "20261128_041830_a1b2c4", "agent:main:whatsapp:+491", "agent:main:whatsapp:+492")
    text = "".join(
        line(at, f"[{name}] run_agent: conversation turn: session={name} model=m") for at, name in enumerate(names)
    )
    told = list(of_text(tmp_path, text + line(9, client("created", "Thread-1:1"))).sessions)
    assert sorted(told)[:2] == list(names[:2])
    assert len(told) == 4
    assert "whatsapp" not in "".join(told)


def test_what_is_read_is_not_written_over(cli: Cli, tmp_path: Path) -> None:
    """Neither by its own name nor by a link."""
    log, link = tmp_path / "agent.txt", tmp_path / "link.txt"
    log.write_bytes((REAL / "hermes-0.19.0.log").read_bytes())
    link.symlink_to(log)
    for path in (log, link):
        done = cli("logs", log, "--output", path)
        assert done.returncode == 2
        assert "is a file that is read" in done.stderr
    assert log.read_bytes() == (REAL / "hermes-0.19.0.log").read_bytes()


def test_what_cannot_be_read(cli: Cli, tmp_path: Path) -> None:
    """A folder, a pipe in the place of a capture, and a range of time that holds nothing."""
    log, pipe = tmp_path / "agent.log", tmp_path / "pipe"
    log.write_bytes((REAL / "hermes-0.19.0.log").read_bytes())
    os.mkfifo(pipe)
    for arguments, code, says in (
        ((tmp_path,), 2, "it is a directory"),
        ((log, "--with", pipe), 2, "it is a pipe into which nobody writes"),
        ((log, "--since", "2026-11-28", "--until", "2026-11-27"), 2, "--since is after --until"),
    ):
        done = cli("logs", *arguments)
        assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    done = cli("logs", log, "--until", "2020-01-01")
    assert done.returncode == 3
    assert "none of its lines is of the time" in done.stdout


def test_a_gateway_that_ends_right_after_an_abort(tmp_path: Path) -> None:
    """The thread that was woken has had no time to close its client."""
    text = line(1, "[s1] agent.turn_context: conversation turn: session=s1 model=m provider=p")
    text += line(2, client("created", "Thread-1 (_call):11"))
    text += line(9, client("aborted", "asyncio_0:7", "s1", ", tcp_force_closed=1, deferred_close=stranger_thread"))
    text += line(9, "[s1] agent.turn_finalizer: Turn ended: reason=interrupted model=m session=s1")
    assert of_text(tmp_path, text).exit_code == 0
