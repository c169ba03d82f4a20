"""Whatever others put into a text takes no effect: on a terminal, in a log of CI, in Markdown, HTML, XML and JSON."""

from __future__ import annotations

import ast
import io
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import here
import hostile
import pictures
import pytest
from conftest import GOLDEN, ROOT
from lxml import html
from test_markdown import rendered

from hermes_diag.cli import report as command
from hermes_diag.cli import terminal as view
from hermes_diag.core import learnt, text
from hermes_diag.core.capture import Reader
from hermes_diag.core.escape import fields_of
from hermes_diag.core.evidence import Happened
from hermes_diag.core.report import Report
from hermes_diag.core.status import Status
from hermes_diag.core.trials import BisectReport, MatrixReport, Step, Trial, Tried
from hermes_diag.judge.trials import COUNTED
from hermes_diag.reporters import envelope, formats, sockets_json, sockets_live, sockets_watch, style, traffic
from hermes_diag.reporters.formats import terminal
from hermes_diag.watch import capture as watched
from hermes_diag.watch.records import Tick
from hermes_diag.watch.reports import LookReport

linux = pytest.mark.skipif(sys.platform != "linux", reason="names of processes and sockets as Linux keeps them")


# --- every kind of report in every format --------------------------------------------------------------


def _trials() -> tuple[Tried, ...]:
    trial = Trial("steady", "leaks", ("close-wait-grows",), ("it grows",), 4, dict.fromkeys(COUNTED, 1.0), 2.0)
    return Tried("0.19.0", (trial,)), Tried("0.18.2", missing="no such release")


@cache
def reports() -> dict[str, Report]:
    """One of each kind: of captures that every command has written, and those that no capture has."""
    found = {path.name: command.read(path)[0] for path in sorted((GOLDEN / "captures").glob("*.jsonl.gz"))}
    found["watch"] = command.read(GOLDEN / "pictures" / "watch.jsonl")[0]
    found["log"] = _log()
    found["compared"], found["check"] = pictures.compared(), pictures.check()
    found["learnt"] = learnt.of("x.md", b"token: abcdefgh12345 at https://host.example/x of /home/anna/x")
    common: Any = {"subject": "x", "status": Status.FAILING, "verdict": "it leaks", "stack": pictures.STACK}
    found["matrix"] = MatrixReport(command="matrix", targets=_trials(), **common)
    runs = ((_trials()[0].trials[0],),)
    steps = (
        Step("0.18.2", "not shown", 0, runs),
        Step("0.19.0", "shown", 1, runs),
        Step("0.20", "skipped", 0, (), "x"),
    )
    found["bisect"] = BisectReport(
        command="bisect", finding=("x",), first="0.19.0", steps=steps, repetitions=3, miss=0.01, **common
    )
    return found


def _log() -> Report:
    from test_logs import REAL, read

    return read(REAL / "hermes-0.19.0.log")


def test_there_is_a_report_of_each_kind() -> None:
    def below(kind: type) -> Iterator[type]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    assert {type(one) for one in reports().values()} == set(below(Report))


def is_clean_terminal(data: bytes) -> None:
    assert hostile.effects(data) == []
    assert b"[boldred]x[/]:smile:" in b"".join(data.split())  # markup is text
    assert "\N{SMILING FACE WITH OPEN MOUTH AND SMILING EYES}".encode() not in data


def is_clean_json(data: bytes) -> None:
    assert hostile.effects(data) == []
    said = json.dumps(json.loads(data))
    assert "\\u001b[31mil" in said  # read back as it was
    assert "::error::one" in said


def is_clean_junit(data: bytes) -> None:
    assert hostile.effects(data) == []
    tree = ET.fromstring(data)
    assert {one.tag for one in tree.iter()} <= {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped",
    }  # fmt: skip


def is_clean_html(data: bytes) -> None:
    assert hostile.effects(data, markup=True) == []
    tree = html.fromstring(data)
    assert not tree.xpath("//b[text()='h']")
    assert not [one for one in tree.xpath("//script") if (one.text or "").startswith("s()")]
    assert not tree.xpath("//a[contains(@href, 'x.test')]")


def is_clean_markdown(data: bytes) -> None:
    assert hostile.effects(data) == []
    tree = html.fromstring(rendered(data.decode()))
    assert not tree.xpath("//b[text()='h'] | //script | //img | //a[contains(@href, 'x.test')]")
    assert not [one for one in tree.xpath("//em") if one.text == "a"]


def is_clean_github(data: bytes) -> None:
    for line in data.decode().splitlines():
        assert line.startswith("::error ")
        assert hostile.effects(line[len("::error ") :].encode().replace(b"##[", b"").replace(b"##vso[", b"")) == []


CHECKS: dict[str, Callable[[bytes], None]] = {
    "terminal": is_clean_terminal,
    "json": is_clean_json,
    "junit": is_clean_junit,
    "html": is_clean_html,
    "markdown": is_clean_markdown,
    "github": is_clean_github,
}


@pytest.mark.parametrize("form", sorted(CHECKS))
def test_no_format_lets_a_text_take_effect(form: str) -> None:
    """Every text of every kind of report is hostile; the raw bytes, as they are written."""
    assert sorted(CHECKS) == formats.names()
    for name, report in reports().items():
        evil = hostile.planted(report)
        for width, verbose in ((40, True), (120, False)):
            data = formats.load(form).render(evil, width, verbose).encode("utf-8")
            try:
                CHECKS[form](data)
            except AssertionError as exc:
                raise AssertionError(f"{name} at {width}: {exc}") from None


def test_colours_stay_ours() -> None:
    """The terminal's view with colour has our sequences and no others."""
    for name, report in reports().items():
        shown = terminal.render(hostile.planted(report), 100, True, colour=True, blocks=True)
        assert hostile.effects(shown.encode(), colour=True) == [], name


def test_what_is_clean_is_not_touched() -> None:
    """A report without such a text is the very same, and so are its lines."""
    for report in reports().values():
        assert fields_of(report) is report
        lines = terminal.render(report, 100, True)
        assert text.lines(lines) == lines


def test_names_that_look_alike_stay_two() -> None:
    assert fields_of({"a\n": 1, "a": 2, "a ": 3}) == {"a": 1, "a (2)": 2, "a ": 3}
    assert fields_of({"a (2)": 1, "a": 2, "a\n": 3}) == {"a (2)": 1, "a": 2, "a (3)": 3}
    many = {"a" + "\n" * number: number for number in range(20_000)}  # each was compared with all before it
    begun = time.process_time()
    assert len(fields_of(many)) == len(many)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("::error::x", "\\x3a:error::x"),
        (" \t::stop-commands::x", " \\t::stop-commands::x"),
        ("a ##[error] b", "a #\\x23[error] b"),
        ("a ##vso[task.x] ##teamcity[y", "a #\\x23vso[task.x] #\\x23teamcity[y"),
        ("## heading", "## heading"),
        ("  ::1:8080 and ::2", "  ::1:8080 and ::2"),
        ("std::string::x", "std::string::x"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("\x1b[31mred\x1b[0m \x1b[2J", "\x1b[31mred\x1b[0m \\x1b[2J"),
        ("zero\u200bwidth \u202eturned \x9b", "zero\\u200bwidth \\u202eturned \\x9b"),
        ("naïve ✅ 漢字 ▁▂", "naïve ✅ 漢字 ▁▂"),
    ],
)
def test_lines(line: str, shown: str) -> None:
    assert text.lines(line) == shown


def test_json_is_read_back_as_it_was() -> None:
    """Escaped as JSON escapes it; also beyond U+FFFF, and bytes that are no UTF-8 as their escape."""
    value = {"x": hostile.TEXT.replace("\udce9", ""), "y": ["\U000e0041", 1.5, None]}
    for indent in (True, False):
        said = envelope.encoded(value, indent)
        assert json.loads(said) == value
        assert hostile.effects(said.encode()) == []
    assert json.loads(envelope.encoded({"\udce9": ("\udce9",)})) == {"\\udce9": ["\\udce9"]}


def test_a_capture_holds_any_name(tmp_path: Path) -> None:
    """A name that is no UTF-8 is written all the same, and read back as its escape."""
    look = next(one for one in reports().values() if isinstance(one, LookReport))
    path = tmp_path / "x.jsonl"
    with path.open("wb") as file:
        assert watched.write_look(file, hostile.planted(look)).failure == ""
    again = command.read(path)[0]
    assert "ev" in terminal.render(again, 100, True)
    assert hostile.effects(terminal.render(again, 100, True).encode()) == []


# --- what is printed beside reports ----------------------------------------------------------------------


def test_lines_of_a_watch_and_of_the_provider() -> None:
    """A sample, the live view, and what happens at a provider, for people and as JSON."""
    timeline, _ = watched.watch(Reader(GOLDEN / "pictures" / "watch.jsonl"))
    last = timeline.last
    assert last is not None
    tick: Tick = hostile.planted(last)
    tick = Tick(**{**vars(tick), "remotes": {hostile.TEXT: {"CLOSE_WAIT": 1}}, "states": {hostile.TEXT: 1}})
    timeline.watched = hostile.planted(timeline.watched)
    happened = Happened(0.0, 1, "request", 1, 0, 0, hostile.TEXT, hostile.TEXT, fault=hostile.TEXT)
    shown = [
        text.lines(sockets_watch.sample(tick, 0.0)),  # as it is emitted
        sockets_json.sample(tick),
        *map(text.lines, sockets_live.draw(timeline, tick, {}, 100, 40)),
        text.lines(traffic.line(happened)),
        traffic.as_json(happened),
    ]
    for line in shown:
        assert hostile.effects(re.sub("[\1-\5]", "", line).encode()) == [], line


def test_what_is_said_on_stderr(monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> None:
    """Lines, questions and what is redrawn; blanks of ours stay."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(" y \n"))
    view.say("1  two", f"  {hostile.TEXT}", "", "::error::x")
    assert view.ask(hostile.TEXT) == "y"
    view.redraw(hostile.TEXT)
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert err.startswith(b"1  two\n  ev\\x1b[31mil")
    assert err.count(b"\n") == 3
    assert hostile.effects(err.replace(b"\r\x1b[K", b"")) == []


def test_our_console_escapes_what_nobody_else_did(capsys: pytest.CaptureFixture[str]) -> None:
    """The last resort of rich's views: no markup, no emoji, no sequence."""
    console = style.console(200)
    console.print(f"[bold]x[/] :smile: {hostile.NAME}", "\u202e")
    shown = capsys.readouterr().out
    assert shown.startswith("[bold]x[/] :smile: e\\x1b[31m")
    assert hostile.effects(shown.encode()) in ([], ["command '::error::x \\\\u202e'"])


def _calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in ("print", "Console", "Live") or re.fullmatch(
                r"(sys\.)?(__)?std(out|err)(__)?\.write(lines)?", name
            ):
                yield node.lineno, name
            if name in ("typer.echo", "click.echo", "typer.secho", "os.write") and "cli" not in name:
                yield node.lineno, name


def test_there_is_no_other_way_out() -> None:
    """stdout and stderr are written to in cli/terminal.py, and by rich with the console of reporters/style.py."""
    may = {
        "cli/terminal.py": {"sys.stderr.write"},
        "reporters/style.py": set(),
        "reporters/progress.py": {"Live"},
        "reporters/sockets_live.py": {"Live"},
        "core/new_file.py": {"os.write"},  # a pipe that was named
        "cli/exporting.py": {"os.write"},  # to ourselves
    }
    # What runs in other processes, where nothing of ours can be imported.
    elsewhere = ("worker/", "leakguard/recorder/", "leakguard/attach/", "run/environments/base.py")
    package = ROOT / "hermes_diag"
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).as_posix()
        if place.startswith(elsewhere):
            continue
        found = {name for _, name in _calls(ast.parse(path.read_text()))}
        assert found <= may.get(place, set()), place


# --- errors ------------------------------------------------------------------------------------------------

ARGUMENTS: list[list[str]] = [
    ["repro", "EVIL"],
    ["repro", "--fault", "EVIL"],
    ["repro", "--workload", "EVIL"],
    ["repro", "--strategy", "EVIL"],
    ["repro", "--python", "EVIL"],
    ["repro", "--save", "EVIL/x"],
    ["repro", "--save", "."],
    ["repro", "--output", "EVIL/x.md"],
    ["repro", "--output", "x.EVIL"],
    ["repro", "--format", "EVIL"],
    ["repro", "--set", "EVIL"],
    ["repro", "--set", "seed=EVIL"],
    ["repro", "--timeout", "EVIL"],
    ["repro", "--turns", "EVIL"],
    ["repro", "--EVIL"],
    ["EVIL"],
    ["replay", "EVIL"],
    ["replay", "./EVIL.py:make"],
    ["replay", "x:EVIL"],
    ["audit", "EVIL:x"],
    ["audit", "fixed", "--expect", "EVIL"],
    ["check", "--allow", "EVIL"],
    ["check", "--fail-on", "EVIL"],
    ["check", "--cwd", "EVIL"],
    ["check", "--baseline", "EVIL"],
    ["hermes", "EVIL"],
    ["hermes", "--python", "EVIL"],
    ["hermes", "0.19.0", "--api", "EVIL"],
    ["matrix", "EVIL"],
    ["bisect", "EVIL", "EVIL"],
    ["bisect", "--good", "EVIL", "--bad", "EVIL", "--repo", "EVIL"],
    ["live", "EVIL"],
    ["live", "http://EVIL/"],
    ["scenarios", "EVIL"],
    ["sockets", "EVIL"],
    ["sockets", "--gateway", "--profile", "EVIL"],
    ["sockets", "1", "--state", "EVIL"],
    ["sockets", "1", "--remote", "EVIL"],
    ["sockets", "1", "--fail-on", "EVIL"],
    ["sockets", "--box", "EVIL"],
    ["logs", "EVIL"],
    ["logs", "--home", "EVIL"],
    ["logs", "--tz", "EVIL"],
    ["logs", "--since", "EVIL"],
    ["trace", "--", "EVIL"],
    ["export", "--pid", "EVIL"],
    ["export", "--gateway", "--listen", "EVIL"],
    ["serve", "--fault", "EVIL"],
    ["serve", "--plan", "EVIL"],
    ["serve", "--reply", "EVIL"],
    ["serve", "--for", "EVIL"],
    ["serve", "--host", "EVIL"],
    ["serve", "--record", "x", "--upstream", "EVIL"],
    ["faults", "EVIL"],
    ["report", "EVIL"],
    ["report", "--check", "EVIL"],
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
def test_an_error_shows_what_was_given_and_obeys_none_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfdbinary: Any, arguments: list[str]
) -> None:
    """Wrong usage in two lines, whatever is in the words; with --json a document beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    evil = "e\x1b[31m\r\n::error::x\n##[error]y\u202e\x9b\udce9"
    given = [one.replace("EVIL", evil) for one in arguments]
    if "--" not in given and given[0] not in ("export", evil):
        given.append("--json")
    code = here.run(monkeypatch, given)
    out, err = capfdbinary.readouterr()
    assert code in (2, 3), err
    assert hostile.effects(err) == []
    assert 1 <= err.count(b"\n") <= 2, err
    assert err.startswith(b"hermes-diag: ")
    assert b"internal error" not in err
    assert hostile.effects(out) == []
    if "--json" in given:
        document = json.loads(out)
        assert document["exit_code"] == code
        assert document["error"]["message"] == document["verdict"]
        assert text.without_commands(document["verdict"]) in err.decode()
    else:
        assert out == b""


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "EVIL.jsonl", "--output", "EVIL.md", "--output", "EVIL.jsonl.gz"],
        ["report", "EVIL.jsonl", "other.jsonl", "-v"],
        ["report", "EVIL.jsonl", "other.jsonl", "--format", "junit"],
        ["report", "--check", "EVIL.jsonl"],
        ["report", "--check", "EVIL.txt", "--output", "EVIL.html"],
        ["logs", "EVIL.log", "-v", "--output", "EVIL.md", "--output", "EVIL.xml"],
        ["logs", "EVIL.log", "--json"],
    ],
    ids=" ".join,
)
def test_names_and_contents_of_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfdbinary: Any, arguments: list[str]
) -> None:
    """Of what is read, and of what is written."""
    monkeypatch.chdir(tmp_path)
    evil = "e\x1b[31m\n::error::x##[y]\u202e\udce9"
    for name in (f"{evil}.jsonl", "other.jsonl"):
        shutil.copy(GOLDEN / "close-wait-grows.fires.jsonl", name)
    log = (ROOT / "tests" / "gateway_logs" / "hermes-0.19.0.log").read_text()
    words = "a\x1b[31m\u202e##[error]"
    Path(f"{evil}.log").write_text(log.replace("thread=", f"thread={words}").replace("provider=", f"provider={words}"))
    Path(f"{evil}.txt").write_text(f"token: s3cr3tsecret{words}\n::error::https://u:pw@{words}.example/{words}\n")
    assert here.run(monkeypatch, [one.replace("EVIL", evil) for one in arguments]) in (0, 1, 3)
    out, err = capfdbinary.readouterr()
    assert hostile.effects(out) == []
    assert hostile.effects(err) == []
    assert out
    for path in tmp_path.iterdir():
        if path.suffix in (".md", ".xml", ".html"):
            assert hostile.effects(path.read_bytes(), markup=path.suffix == ".html") == []


# --- a process that chose its names ------------------------------------------------------------------------

SOURCE = """
import ctypes, os, socket, sqlite3, sys, threading
name = sys.argv[1]
ctypes.CDLL(None).prctl(15, os.fsencode(name)[:15], 0, 0, 0)
database = sqlite3.connect(name + ".db"); database.execute("create table t (x)")
listener = socket.socket(socket.AF_UNIX); listener.bind(name + ".sock"); listener.listen()
file = open(name + os.fsdecode(b"\\xe9"), "w")
server = socket.create_server(("127.0.0.1", 0))
def waits():
    ctypes.CDLL(None).prctl(15, os.fsencode(name)[:15], 0, 0, 0)
    client = socket.create_connection(server.getsockname()); client.recv(1)
threading.Thread(target=waits, daemon=True).start()
server.accept()[0].detach()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def evil_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its name, a thread, a database, a socket and a file have names that a terminal would obey."""
    folder = tmp_path_factory.mktemp("evil")
    command = [sys.executable, "-c", SOURCE, hostile.NAME]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.communicate()


def raw(tmp_path: Path, *arguments: object, **environment: str) -> bytes:
    """stdout and stderr of a command, through a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "hermes_diag", *map(str, arguments)],
        capture_output=True, cwd=tmp_path, env={**os.environ, **environment}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1, 3), done.stderr
    return done.stdout + done.stderr


@linux
def test_a_process_writes_nothing_to_the_operators_terminal(tmp_path: Path, evil_process: int) -> None:
    """A look and a watch, as they come and from their captures, in every format."""
    shown = raw(tmp_path, "sockets", evil_process, "-v", "--save", "look.jsonl", COLUMNS="300")
    assert hostile.effects(shown) == []
    assert b"e\\x1b[31m ::error::x.db" in shown
    watch = ("--watch", "--interval", "20ms", "--set", "count=3", "--save", "watch.jsonl")
    assert hostile.effects(raw(tmp_path, "sockets", evil_process, *watch)) == []
    for saved in ("look.jsonl", "watch.jsonl"):
        files = [part for end in (".txt", ".md", ".json", ".xml", ".html") for part in ("--output", f"{saved}{end}")]
        assert hostile.effects(raw(tmp_path, "report", saved, "-v", *files)) == []
        for end in (".txt", ".md", ".json", ".xml", ".html"):
            data = (tmp_path / f"{saved}{end}").read_bytes()
            assert hostile.effects(data, markup=end == ".html") == [], end


def seen_on_a_terminal(tmp_path: Path, *arguments: object) -> bytes:
    """All that a command writes to a terminal of its own until it ends."""
    main, side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "hermes_diag", *map(str, arguments)],
        stdin=side, stdout=side, stderr=side, cwd=tmp_path, env={**os.environ, "TERM": "xterm", "COLUMNS": "90"},
    ) as process:  # fmt: skip
        os.close(side)
        data, end = b"", time.monotonic() + 60
        while time.monotonic() < end and select.select([main], [], [], 30)[0]:
            try:
                part = os.read(main, 65536)
            except OSError:  # the other end is closed
                break
            data += part
        os.close(main)
        assert process.wait(10) in (0, 1, 3)
    return data


#: What the live view writes itself: colours, the other screen, the cursor's place, and whether it is seen.
_OURS = re.compile(rb"\x1b\[(?:[0-9;]*[mHJKAG]|\?(?:25|1049)[hl])|\r")


@linux
def test_on_a_terminal_itself(tmp_path: Path, evil_process: int) -> None:
    """The live view, the summary, and a look, in the bytes that reach the terminal."""
    arguments = ("sockets", evil_process, "--watch", "--interval", "20ms", "--duration", "1s")
    for data in (seen_on_a_terminal(tmp_path, *arguments), seen_on_a_terminal(tmp_path, "sockets", evil_process)):
        assert b"e\\x1b[31m" in data
        assert hostile.effects(_OURS.sub(b"", data)) == []


@linux
def test_what_a_trace_saw(tmp_path: Path) -> None:
    """File names of a traced program and of its own script, in its report and in its box."""
    script = tmp_path / f"{hostile.NAME}.py"
    script.write_text("import os\nopen('x' + chr(27) + '[31m', 'w').detach().detach() if 0 else None\n"
                      "keep = os.open('y' + chr(27) + '[31m\\n::error::x', os.O_CREAT)\n")  # fmt: skip
    shown = raw(tmp_path, "trace", "--paths", "-v", "--save", "t.jsonl", "--", sys.executable, script)
    assert hostile.effects(shown) == []
    assert b"::error::x" in shown
    assert hostile.effects(raw(tmp_path, "report", "t.jsonl", "--format", "markdown")) == []


HOSTILE_FACTORY = """
import openai
class E(Exception):
    pass
E.__name__ = E.__qualname__ = "E\\x1b[31m\\n::error::x"
def make(kwargs):
    kwargs["k\\x1b[31m\\n::error::x##[error]"] = 1
    return openai.OpenAI(**{key: value for key, value in kwargs.items() if "\\x1b" not in key})
def breaks(kwargs):
    raise E("m\\x1b[31m\\n::error::x")
"""


def test_a_factory_names_things(tmp_path: Path) -> None:
    """Keys, classes, files and texts of a factory: an audit, and a check on GitHub."""
    folder = tmp_path / hostile.NAME.replace("/", "")
    folder.mkdir()
    (folder / "f.py").write_text(HOSTILE_FACTORY)
    audited = raw(tmp_path, "audit", f"{folder}/f.py:make", "--save", "a.jsonl")
    assert hostile.effects(audited) == []
    assert b"k\\x1b[31m ::error::x" in b" ".join(audited.split())
    assert hostile.effects(raw(tmp_path, "report", "a.jsonl", "--format", "junit")) == []
    (tmp_path / "sum.md").touch()
    checked = raw(
        tmp_path, "check", f"{folder}/f.py:breaks", "--workload", "steady", GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY=str(tmp_path / "sum.md"),
    )  # fmt: skip
    ours = [line for line in checked.splitlines() if line.startswith(b"::error ")]
    assert ours
    assert hostile.effects(b"\n".join(line for line in checked.splitlines() if line not in ours)) == []
    assert hostile.effects((tmp_path / "sum.md").read_bytes()) == []


def test_a_python_that_lies() -> None:
    """The line of the stack comes from the interpreter under test."""
    evil = hostile.planted(pictures.STACK)
    assert hostile.effects(text.lines(style.stack_line(fields_of(evil))).encode()) == []
