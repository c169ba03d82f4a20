"""`report --check`: each kind of thing is found in a file of each format, an anonymised one names nobody."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import secrets_planted as planted
from conftest import GOLDEN, Cli
from hypothesis import given
from hypothesis import strategies as st
from secrets_planted import PLANTED
from test_anonymise import KNOWN, REPORTS, TEXT, check_report, run_report, watch

from hermes_diag.core import anonymise, learnt, redact
from hermes_diag.core.learnt import ADDRESSES, HOSTS, KINDS, MAILS, NAMES, PATHS, PIDS, PROCESSES, SECRETS, TIMES, USERS
from hermes_diag.core.report import Learnt
from hermes_diag.judge import verdicts
from hermes_diag.reporters import formats, sockets_text
from hermes_diag.reporters import learnt as learnt_text
from hermes_diag.run import capture
from hermes_diag.watch import reports

#: What TEXT has of each kind, by some examples.
EXPECTED = {
    HOSTS: {"api.acme.io", "gw7.acme.internal", "db-3"},
    ADDRESSES: {"10.20.30.40", "2001:db8::17", "2001:db8::18"},
    MAILS: {"fricka@acme.example"},
    USERS: {"brunhilde", "fricka", "fafner"},
    PATHS: {"src/walhall/clients.py", "~/ring.txt", "/srv/acme/ring"},
}


def found(text: str, **more: Any) -> dict[str, Learnt]:
    return {one.what: one for one in learnt.learnt(text, few=1000, **more)}


@pytest.mark.parametrize("format_", formats.names())
@pytest.mark.parametrize("make", REPORTS)
def test_each_kind_is_found_in_each_format(make: Any, format_: str) -> None:
    """Hosts, addresses, mails, users and paths, however a format writes them."""
    text = formats.load(format_).render(make(), 400, True)
    known = found(text, known=KNOWN)
    assert SECRETS in known or format_ == "markdown"  # the password in an address; markdown takes the address apart
    for kind, some in EXPECTED.items():
        if format_ == "github":  # cuts what is long
            some = {one for one in some if one in text}
        assert not some or some <= set(known[kind].examples), (kind, known.get(kind))
    if "buildbox" in text:
        assert "buildbox" in known[HOSTS].examples
        assert "wotan" in known[USERS].examples


@pytest.mark.parametrize("format_", formats.names())
@pytest.mark.parametrize("make", REPORTS)
def test_an_anonymised_report_names_nobody(make: Any, format_: str) -> None:
    report = anonymise.of(make(), KNOWN)
    known = found(formats.load(format_).render(report, 100, True), known=KNOWN)
    assert not {*NAMES, SECRETS} & known.keys(), known


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.jsonl")), ids=lambda path: path.stem)
def test_recorded_runs_hold_no_secret(path: Any) -> None:
    """Neither as a capture nor in any format; releases are found in each of them that has a stack."""
    report = verdicts.report(*capture.read(path))
    texts = [path.read_text(), *(formats.load(name).render(report, 100, True) for name in formats.names())]
    assert all(SECRETS not in found(text) for text in texts)
    assert any("openai 2" in one for one in found(texts[1 + formats.names().index("markdown")])["releases"].examples)


@pytest.mark.parametrize("wrap", ["plain", "json", "lines", "html", "gz"])
def test_secrets_are_found_and_not_shown(wrap: str) -> None:
    """Those that have a shape: their kind and line, never themselves."""
    texts = [text for place, text in PLANTED.items() if place not in ("x-api-key header", "extra body")]
    shaped = [text for text in texts if redact.name(text) != text or "://" in text]
    assert len(shaped) >= 18
    for secret in shaped:
        lines = ["one", "two", f"with {secret} in it"]
        data = {
            "plain": "\n".join(lines),
            "json": json.dumps(lines, indent=2),
            "lines": "\n".join(json.dumps({"record": line}) for line in lines),
            "html": "<p>" + "<br>\n".join(lines) + "</p><style>a{}</style>",
            "gz": "\n".join(lines),
        }[wrap].encode()
        got = learnt.learnt(learnt.text_of(gzip.compress(data) if wrap == "gz" else data))
        secrets = next((one for one in got if one.what == SECRETS), None)
        assert secrets, secret
        assert learnt.has_secrets(got)
        assert all(one.endswith(f"in line {4 if wrap == 'json' else 3}") for one in secrets.examples)
        shown = "\n".join(learnt_text.lines(learnt.of("x.md", data), 100))
        assert not planted.found(shown.partition("secrets")[2].partition("\n")[0])


@pytest.mark.parametrize(
    "text",
    ['{"api_key": "abcdefgh"}', "Set-Cookie: abcdefghij", "-----BEGIN RSA PRIVATE KEY-----", "https://u:pw@x.example/"],
)
def test_secrets_by_their_name(text: str) -> None:
    assert SECRETS in found(text)


@pytest.mark.parametrize(
    "text", ["token: [...]", "3 tokens: 12", "the key of a dict", "", "https://example.com/x", "{}"]
)
def test_no_secret(text: str) -> None:
    assert SECRETS not in found(text)


def test_processes_and_times() -> None:
    """Of a watch as text and as JSON: its process and PID, its endpoints, its times."""
    timeline, ended = watch()
    report = reports.of_watch(timeline, timeline.summary(ended))
    for name in ("terminal", "json"):
        text = formats.load(name).render(report, 200, True)
        known = found(text)
        assert "7" in known[PIDS].examples
        assert "brunhilde_gw" in known[PROCESSES].examples
        assert "10.20.30.40" in known[ADDRESSES].examples
    assert found("begun 2026-11-27T05:53:35 or 12:00:01")[TIMES].count == 2
    assert found('{"begun":1795759702.6,"at":3.5}')[TIMES].count == 1


def test_the_report_of_it() -> None:
    """Each kind once, what was not found, what to do; it says how many there are besides the examples."""
    text = formats.load("json").render(check_report(), 100, True)
    said = "\n".join(
        sockets_text.painted([line], False) for line in learnt_text.lines(learnt.of("a.json", text.encode()), 100)
    )
    assert "Do not pass it on" in said
    assert "more" in said
    clean = formats.load("json").render(anonymise.of(run_report(), KNOWN), 100, True)
    said = sockets_text.painted(learnt_text.lines(learnt.of("a.json", clean.encode()), 100), False)
    assert "found none: things that look like secrets, names of hosts" in said
    assert "--anonymise" not in said
    assert all(len(line) <= 60 for line in learnt_text.lines(learnt.of("x", TEXT.encode()), 60))


@given(st.binary(max_size=400), st.booleans())
def test_any_file(data: bytes, packed: bool) -> None:
    """Whatever is in it, cut anywhere: kinds in their order, no count without a thing, nothing raised."""
    data = gzip.compress(data)[:-3] if packed else data
    got = learnt.learnt(learnt.text_of(data))
    assert [one.what for one in got] == [kind for kind in KINDS if kind in {one.what for one in got}]
    assert all(one.count >= len(one.examples) >= 1 for one in got)


def test_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    """A page with its own style and script has no secret; one that somebody has written into it is found, in every
    format, and not shown; exit code 1."""
    run = GOLDEN / "close-wait-grows.fires.jsonl"
    assert cli("report", run, "--output", "a.html", "--output", "a.md").returncode == 0
    for name in ("a.html", "a.md"):
        done = cli("report", "--check", name)
        assert done.returncode == 0, done.stdout
        assert "openai 2.54.0" in done.stdout
    secret = "sk-proj-" + "abcdEFGH1234" * 3
    with open(tmp_path / "a.md", "a") as file:
        file.write(f"it was {secret}\n")
    for form in formats.names():
        done = cli("report", "--check", "a.md", "--format", form)
        assert done.returncode == 1
        assert secret not in done.stdout + done.stderr
        assert "in line" in done.stdout
    assert cli("report", "--check", "nowhere.md").returncode == 2
    assert cli("report", "--check", "a.md", "a.html").returncode == 2


def test_what_cannot_be_read_is_refused(cli: Cli, tmp_path: Path) -> None:
    """Damaged and binary files in one line with a cure; UTF-16 is decoded, and a cut file is read as far as it goes."""
    text = b"to gw7.acme.internal:443\n" * 50
    packed = gzip.compress(text)
    damaged = packed[:-8] + bytes(8)
    for name, data in (("damaged.gz", damaged), ("x.zip", b"PK\3\4\0\0"), ("bad16", b"\xff\xfea")):
        (tmp_path / name).write_bytes(data)
        done = cli("report", "--check", name)
        assert done.returncode == 2, name
        assert len(done.stderr.splitlines()) == 2
    for name, data in (("u16", text.decode().encode("utf-16")), ("cut.gz", packed[:-4])):
        (tmp_path / name).write_bytes(data)
        done = cli("report", "--check", name)
        assert "gw7.acme.internal" in done.stdout
        assert ("cut off" in done.stderr) == (name == "cut.gz")


@pytest.mark.parametrize("indent", [None, 2])
def test_a_process_is_named_anywhere_beside_its_pid(indent: int | None) -> None:
    text = json.dumps({"look": [{"name": "gw7-acme jdoe", "threads": 3, "pid": 7}, {"name": "x"}]}, indent=indent)
    assert found(text)[PROCESSES].examples == ("gw7-acme jdoe",)
