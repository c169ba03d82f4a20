"""`--anonymise`: nothing that was planted is left in any format, and the same name is the same pseudonym everywhere."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import GOLDEN, Cli
from hypothesis import example, given
from hypothesis import strategies as st

from hermes_diag.cli import names
from hermes_diag.core import anonymise, learnt, redact, spotted
from hermes_diag.core.anonymise import Known
from hermes_diag.core.capture import Reader
from hermes_diag.core.evidence import Outcome
from hermes_diag.core.plan import PayloadInfo, Then
from hermes_diag.core.report import (
    AuditReport,
    CheckReport,
    Finding,
    Place,
    Report,
    Row,
    Scenario,
    ScenariosReport,
)
from hermes_diag.core.sockets import SocketRow
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.judge import verdicts
from hermes_diag.reporters import formats
from hermes_diag.run import capture
from hermes_diag.watch import capture as watch_capture
from hermes_diag.watch import reports
from hermes_diag.watch.attached import Attached, Holder, PoolSeen
from hermes_diag.watch.opened import Kept, Opened, Origins, Remains
from hermes_diag.watch.records import Ended, Holding, Look, Process, Summary, Tick, Watched
from hermes_diag.watch.records import Reader as Reading
from hermes_diag.watch.timeline import Timeline

#: What no anonymised report may hold, in any spelling.
PLANTED = (
    "brunhilde", "wotan", "fricka", "siegfried", "acme", "walhall", "buildbox", "gw7", "db-3", "rheingold", "ring",
    "10.20.30", "2001:db8", "fafner", "nibelheim",
)  # fmt: skip
KNOWN = Known(hosts=("buildbox", "buildbox.nibelheim.lan"), users=("wotan",))
TEXT = (
    "/home/brunhilde/My Work/app.py:12 in turn"
    " at src/walhall/clients.py:7, called from httpx/_client.py:914; https://siegfried:pw@api.acme.io:8443/rheingold/v1?a=1"
    " and gw7.acme.internal:443, db-3:5432, 10.20.30.40:80, [2001:db8::17]:443, 2001:db8::18, mail fricka@acme.example;"
    r" C:\Users\fafner\x.py, ~/ring.txt, ~fafner/y and /srv/acme/ring, on buildbox by wotan (brunhilde_gateway),"
    " buildbox.nibelheim.lan"
)


def left(text: str) -> list[str]:
    """What of the planted names a text holds."""
    return [name for name in PLANTED if name in text.lower()]


def rendered(report: Report) -> dict[str, str]:
    """By format; of a page without its style sheet and script, which are the same in each."""
    texts = {name: formats.load(name).render(report, 100, True) for name in formats.names()}
    return {name: bare(text) for name, text in texts.items()}


def bare(text: str) -> str:
    return re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)


def run_report() -> Report:
    """A run of a factory and a payload of the user's, with the text in what a worker may say."""
    plan, evidence = capture.read(GOLDEN / "worker-hung.fires.jsonl")
    source = "dump-of-siegfried.json"
    then = Then("2026-01-01T00:00:00", "x", "APIError", 500, "cannot reach gw7.acme.internal")
    payload = PayloadInfo(source, "hermes-dump", "responses", 9, then)
    spec = "src/walhall/clients.py:make_client"
    cells = tuple(
        replace(one, strategy="factory", factory=spec, payload=source, endpoint="api.acme.io/rheingold")
        for one in plan.cells
    )
    seen = [
        replace(
            one,
            cell=cell,
            outcome=Outcome("hung", TEXT, (TEXT, "thread wotan")),
            facts={"refused": ["walhall:3128"], "defined": {"file": "/home/brunhilde/My Work/app.py", "line": 3}},
        )
        for one, cell in zip(evidence, cells, strict=True)
    ]
    return verdicts.report(replace(plan, cells=cells, payload=payload), seen)


def rows() -> tuple[Row, ...]:
    return tuple(Row("promise", TEXT, "nodelay", TEXT, one, TEXT, TEXT, TEXT, TEXT, note=TEXT) for one in RowStatus)


def check_report() -> Report:
    return CheckReport(
        command="check",
        subject="walhall.clients:make_client",
        status=Status.FAILING,
        verdict=f"walhall.clients:make_client: {TEXT}",
        stack=None,
        rows=rows(),
        findings=(Finding("x", "problem", TEXT, {}, (TEXT,), TEXT, TEXT, TEXT),),
        defined=Place("walhall/clients.py", 3),
        settings=(("factory", "walhall.clients:make_client", "/home/brunhilde/ring/pyproject.toml"), ("cwd", TEXT, "")),
        better=(TEXT,),
        notes=(TEXT,),
    )


def audit_report() -> Report:
    return AuditReport(
        command="audit",
        subject="/srv/acme/walhall.py:Pool",
        status=Status.COULD_NOT_TELL,
        verdict=TEXT,
        stack=None,
        rows=rows(),
        kind="pool",
        client="OpenAI",
        frames=(TEXT, "/home/brunhilde/a b/x.py:3 in f"),
        notes=(TEXT,),
    )


def scenarios_report() -> Report:
    one = Scenario("cut-stream", TEXT, TEXT, Status.FAILING, TEXT, TEXT, TEXT)
    return ScenariosReport(
        command="scenarios", subject="upstream reports", status=Status.FAILING, verdict=TEXT, stack=None, rows=rows(),
        scenarios=(one,),
    )  # fmt: skip


REPORTS = [run_report, check_report, audit_report, scenarios_report]


@pytest.mark.parametrize("make", REPORTS)
def test_nothing_planted_is_left(make: Any) -> None:
    """In no format; and each of the planted names was there before."""
    report = make()
    assert set(PLANTED) <= {name for text in rendered(report).values() for name in left(text)} | {"ring"}
    found = anonymise.of(report, KNOWN)
    assert type(found) is type(report)
    for name, text in rendered(found).items():
        assert not left(text), name
        assert "path-" in text or name == "github"


def watch() -> tuple[Timeline, Ended]:
    """A watch of a process with the planted names in all that it tells."""
    watched = Watched(
        7, "brunhilde_gw", 0.0, 0.0, 1.0, "sock_diag", "", remotes=("gw7.acme.internal", "10.20.30.0/24"),
        conditions=("close_wait.growth > 5/h",),
    )  # fmt: skip
    timeline = Timeline(watched, drawn=True)
    for at in range(60):
        timeline.add(
            Tick(
                float(at), 0.0, {"CLOSE_WAIT": at}, {}, 0, 1, 10 + at, 100, 0.1, 1, 1,
                remotes={"10.20.30.40:443": {"CLOSE_WAIT": at}, "listening on [2001:db8::17]:80": {"LISTEN": 1}},
                opened={"10.20.30.40:443": 1}, gone={"gw7.acme.internal:443": 1},
                moved=((at, "CLOSE_WAIT", f"10.20.30.{at}:443", 40000 + at),),
            )
        )  # fmt: skip
    return timeline, Ended("exited", "process 7 (brunhilde_gw) has ended")


def look() -> Look:
    process = Process(7, "wotan-gateway", 0.0, 3, 1, 9, 100, {"SQLite": 1, "TCP": 8}, {"ring of fafner.db": 1})
    remote = ("10.20.30.40", 443)
    rows = (
        SocketRow("CLOSE_WAIT", ("10.20.30.41", 5000), remote, 7, 5, 1, recv_q=10),
        SocketRow("ESTABLISHED", ("127.0.0.1", 5001), ("127.0.0.1", 80), 7, 6, 2),
        SocketRow("ESTABLISHED", ("2001:db8::1", 5002), ("2001:db8::17", 443), 7, 8, 3),
    )
    readers = (Reading(7, 9, "reader of wotan", 5, False, remote, 3.0, 3.0, ("/home/brunhilde/ring/a.py:3 in read",)),)
    held = (Holding(7, 1, {"5": ("TCP", ""), "9": ("file", "/home/brunhilde/x")}, frozenset({7, 9})),)
    return Look(100.0, (process,), rows, rows[:1], (), frozenset(), (), "sock_diag", "", held, readers=readers)


def test_looks_and_what_processes_said() -> None:
    """A look, its openings, holders and reverse names share their pseudonyms; loopback stays as it is."""
    opened = Opened(1.0, ("src/walhall/clients.py:7 in turn",), "httpx/_client.py:914 in send", "wotan-1", "ring")
    origins = Origins({(7, 5): opened}, {(7, 9): opened}, {}, (7,), ("/tmp/fafner/7.box was left out",))
    chain = ("module app at /home/brunhilde/ring/a.py", ".pools['gw7.acme.internal:443']")
    told = Attached(
        7,
        0.1,
        9,
        True,
        "",
        0,
        (Holder(7, 5, "socket", "module", chain),),
        (PoolSeen(7, "P", "x", chain, 1, 1, 0, 0, 0),),
    )
    given = reports.of_look(look(), (), {"10.20.30.40": "gw7.acme.internal"}, origins, told)
    before = "\n".join(rendered(given).values())
    assert {"brunhilde", "wotan", "10.20.30", "2001:db8", "gw7", "fafner"} <= set(left(before))
    after = "\n".join(rendered(anonymise.of(given, Known(users=("wotan", "fafner"), hosts=("ring",)))).values())
    assert not left(after)
    assert "127.0.0.1:80" in after
    assert "httpx/_client.py:914 in send" in after
    ((host, count),) = Counter(re.findall(r"host-\d+:443(?!')", after)).most_common(1)
    assert count == before.count("10.20.30.40:443"), host


def test_a_watch() -> None:
    timeline, ended = watch()
    found = reports.of_watch(timeline, timeline.summary(ended))
    assert left("\n".join(rendered(found).values()))
    texts = rendered(anonymise.of(found, Known(users=("brunhilde",))))
    assert {name: left(text) for name, text in texts.items() if left(text)} == {}
    assert "host-1:443" in texts["json"]
    assert texts["html"].count("host-") > 40  # lives of single sockets


def test_what_a_trace_found() -> None:
    opened = Opened(1.0, ("/srv/acme/ring/a.py:3 in f",), thread="wotan")
    kept = (
        Kept(3, "socket", "gw7.acme.internal:443", opened),
        Kept(4, "file", "rheingold", opened),
        Kept(5, "socket", "[2001:db8::17]:443", opened),
    )
    remains = Remains(7, "3.11", "walhall.py", "ended", kept, True, ("see /home/brunhilde/x",))
    found = reports.of_trace([remains], 0)
    assert left("\n".join(rendered(found).values()))
    texts = rendered(anonymise.of(found, Known(users=("wotan",))))
    assert {name: left(text) for name, text in texts.items() if left(text)} == {}


def test_an_anonymised_capture_is_judged_as_before(tmp_path: Path) -> None:
    """Of each recorded run: whoever gets the file comes to the same statuses, findings and counts."""
    for path in (*GOLDEN.glob("*.jsonl"), GOLDEN / "pictures" / "matrix.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        other = tmp_path / path.name
        other.write_text("".join(f"{json.dumps(line)}\n" for line in anonymise.of_json(lines, KNOWN)))
        before, after = (verdicts.report(*capture.read(one)) for one in (path, other))
        assert [row.status for row in after.rows] == [row.status for row in before.rows]
        assert [(one.code, one.numbers) for one in after.findings] == [
            (one.code, one.numbers) for one in before.findings
        ]
        assert anonymise.of(before, KNOWN).verdict == after.verdict


def watch_summary(path: Path) -> Summary:
    timeline, ended = watch_capture.watch(Reader(path))
    return timeline.summary(ended)


def test_an_anonymised_watch_is_judged_as_before(tmp_path: Path) -> None:
    path = GOLDEN / "pictures" / "watch.jsonl"
    text = path.read_text().replace("127.0.0.1", "10.20.30.40").replace("/dev/null", "/home/brunhilde/log")
    lines = anonymise.of_json([json.loads(line) for line in text.splitlines()])
    other = tmp_path / "watch.jsonl"
    other.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert not left(other.read_text())
    before, after = (watch_summary(one) for one in (path, other))
    assert before.status == after.status
    assert [(one.name, one.word) for one in before.courses] == [(one.name, one.word) for one in after.courses]


def test_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    """`report --anonymise` writes every format, and the capture again, with the same pseudonyms in all of them; what
    this release does not know of the capture is passed on, too."""
    path = GOLDEN / "pictures" / "watch.jsonl"
    text = path.read_text().replace("127.0.0.1", "10.20.30.40").replace("/dev/null", "/home/brunhilde/log")
    head, rest = text.split("\n", 1)
    given = tmp_path / "night.jsonl"
    given.write_text(f'{head}\n{{"record":"of-tomorrow","at":"gw7.acme.internal"}}\n{rest}')
    names = ["n.html", "n.md", "n.xml", "n.json", "n.txt", "n.jsonl.gz"]
    done = cli("report", given, "--anonymise", *(word for name in names for word in ("--output", name)))
    assert done.returncode == cli("report", given).returncode
    texts = {name: (tmp_path / name).read_text() for name in names[:-1]} | {"stdout": done.stdout}
    texts["n.jsonl.gz"] = gzip.decompress((tmp_path / "n.jsonl.gz").read_bytes()).decode()
    assert {name: left(text) for name, text in texts.items() if left(bare(text))} == {}
    assert '"record":"of-tomorrow","at":"host-' in texts["n.jsonl.gz"]
    (host,) = set(re.findall(r"host-\d+(?=:)", texts["n.txt"]))
    assert host in texts["n.jsonl.gz"]
    assert host in texts["n.json"]
    assert json.loads(cli("report", "n.jsonl.gz", "--json").stdout)["rows"] == json.loads(texts["n.json"])["rows"]


def test_a_capture_is_not_written_over(cli: Cli, tmp_path: Path) -> None:
    """Nor is one capture made of several."""
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    for path in (one, two):
        path.write_bytes((GOLDEN / "close-wait-grows.fires.jsonl").read_bytes())
    for arguments in ((one, "--anonymise", "--output", one), (one, two, "--output", "three.jsonl")):
        done = cli("report", *arguments)
        assert done.returncode == 2, done.stdout
        assert len(done.stderr.splitlines()) == 2
    assert one.read_bytes() == two.read_bytes()
    assert not (tmp_path / "three.jsonl").exists()


# --- pseudonyms ------------------------------------------------------------------------------------------


def test_the_same_name_is_the_same_pseudonym() -> None:
    """In whatever form it stands: address with and without port, host in a URL, a mail and alone."""
    given = [
        "10.20.30.40", "10.20.30.40:443 and [::ffff:10.20.30.40]:80", "https://gw7.acme.io/v1/responses",
        "GW7.acme.io:443", "x@gw7.acme.io", "./a.py:make", "a.py", "/home/brunhilde/a", "brunhilde",
        "127.0.0.1:80 and [::1]:80", "http://localhost:8080/v1/responses",
    ]  # fmt: skip
    assert anonymise.of_json(given) == [
        "host-1", "host-1:443 and host-1:80", "https://host-2/v1/responses", "host-2:443",
        "user-1@host-2", "path-1:make", "path-1", "path-2", "user-2", "127.0.0.1:80 and [::1]:80",
        "http://localhost:8080/v1/responses",
    ]  # fmt: skip


def test_what_looks_like_a_pseudonym_keeps_it() -> None:
    """A host that is called host-1 by itself is not confused with the first other one."""
    assert anonymise.of_json(["host-1 and user-2", "10.0.0.9", "/srv/x"]) == ["host-1 and user-2", "host-2", "path-1"]


def test_once_more_changes_nothing() -> None:
    for make in REPORTS:
        found = anonymise.of(make(), KNOWN)
        assert anonymise.of(found, KNOWN) == found


HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.from_regex(r"[a-z]{3,8}-[0-9]\.(corp|acme)\.(internal|io)", fullmatch=True),
)


@given(st.lists(HOSTS, min_size=2, max_size=12, unique=True))
@example(["::ffff:10.0.0.1", "10.0.0.2"])
def test_two_hosts_never_get_the_same_pseudonym(hosts: list[str]) -> None:
    """Another host, another pseudonym, and none is left as it was but loopback; the same text again gives the same."""
    given_ = [f"to [{host}]:443" if ":" in host else f"to {host}:443" for host in hosts]
    shown = anonymise.of_json(given_)
    own = [host for host in hosts if (ip := spotted.address(host)) and spotted.is_own(ip)]
    different = {str(spotted.address(host) or host) for host in hosts if host not in own}
    assert len(set(shown)) == len(different) + len(own)
    assert sum("host-" in text for text in shown) == len(hosts) - len(own)
    assert anonymise.of_json(given_) == shown


@pytest.mark.parametrize("before", ["", "...", "-", "(", "=", "x" * 50, "a.b:"])
def test_an_address_behind_anything(before: str) -> None:
    """Whatever stands before it."""
    assert "acme" not in anonymise.of_json(
        f"{before}https://u:pw@api.acme.io/acme and {before}/home/acme/x.py:3, {before}/home/acme"
    )


@pytest.mark.parametrize("text", ["a", "a-", "a.", "+", "/", "a/", "x@", ":", "1:", "sk-", "key=", "://", "~", "data:"])
def test_no_text_takes_long(text: str) -> None:
    """Time grows with the length of a text and not with its square, which would take minutes here."""
    begun = time.process_time()
    for find in (anonymise.of_json, redact.name, learnt.learnt):
        find(text * (200_000 // len(text)))
    assert time.process_time() - begun < 20


@pytest.mark.parametrize(
    "text",
    [
        "2 of 3 turns ended well, CLOSE_WAIT 0 at the end", "APIConnectionError <- httpx.ReadError", "at 12:00:01.250",
        "openai 2.54.0, httpx 0.28.1, Linux 6.18.44-fc-v595 x86_64", "pool limits 100/20 instead of 1000/100",
        "httpx/_client.py:914 in send", "fixed/close/steady/rst-mid-stream=3", "POST /v1/responses", "/proc/net/tcp",
        "socket.socket() in asyncio.base_events", "the rest is in clients of :8080", "process 4242 (python), up 3 h",
        "app.state.client", "cut-stream/bad", "hermes-agent #11070", "127.0.0.1:37841", "[::1]:443", "0.0.0.0:80",
    ],
)  # fmt: skip
def test_what_names_nobody_stays(text: str) -> None:
    assert anonymise.of_json(text) == text


def test_files_of_libraries_are_seen_from_their_folder() -> None:
    for path, shown in (
        ("/home/wotan/.venv/lib/python3.11/site-packages/httpx/_client.py", "httpx/_client.py"),
        ("/usr/lib/python3.11/ssl.py", "ssl.py"),
        ("/home/wotan/.venv/lib/python3.11/site-packages/walhall/x.py", "path-1"),
    ):
        assert anonymise.of_json([f"{path}:3 in f"]) == [f"{shown}:3 in f"]


def test_names_of_this_machine() -> None:
    """Its host name and whoever runs this are known beforehand."""
    known = names.of_this_machine()
    assert known.hosts
    (shown,) = anonymise.of_json([f"on {known.hosts[0]} it is"], known)
    assert re.fullmatch("on host-1 it is", shown) or known.hosts[0] == "localhost"


def test_a_file_with_blanks_in_its_name() -> None:
    """It is one path wherever it stands: in a line, as a program, in a sentence, with and without ./ in front."""
    given = {
        "program": "Projekt Falke.py",
        "lines": ["Projekt Falke.py:4 in leak"],
        "factory": "./Falke Bank.py:make_client",
        "verdict": "./Falke Bank.py:make_client and Falke Bank.py:3 broke, process 7 (Projekt Falke.py, Python 3.11)",
    }
    assert anonymise.of_json(given) == {
        "program": "path-1",
        "lines": ["path-1:4 in leak"],
        "factory": "path-2:make_client",
        "verdict": "path-2:make_client and path-2:3 broke, process 7 (path-1, Python 3.11)",
    }
