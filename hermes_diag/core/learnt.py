"""What somebody could learn from a file that is passed on: a report in any format, or a capture. Pure.

It finds by shape, as `--anonymise` does, so that it may miss what looks like an ordinary word: it helps to read a file,
and does not replace that.
"""

from __future__ import annotations

import contextlib
import html
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from hermes_diag.core import reading, redact, spotted
from hermes_diag.core.anonymise import COMMON, Known
from hermes_diag.core.report import Learnt, LearntReport, Row
from hermes_diag.core.status import RowStatus, Status

SECRETS, HOSTS, ADDRESSES, MAILS = "things that look like secrets", "names of hosts", "addresses", "e-mail addresses"
USERS, PATHS, PROCESSES, PIDS = "users", "paths and files", "names of processes", "PIDs"
TIMES, VERSIONS = "times", "releases"
#: In the order in which they are told.
KINDS = (SECRETS, HOSTS, ADDRESSES, MAILS, USERS, PATHS, PROCESSES, PIDS, TIMES, VERSIONS)
#: Those that are gone from an anonymised report.
NAMES = (HOSTS, ADDRESSES, MAILS, USERS, PATHS)

_PSEUDONYM = re.compile(r"(host|user|path)-\d+", re.IGNORECASE)  # a page begins a sentence with a capital
_NO_CONTENT = re.compile(
    r"\bdata:[\w/+.-]+;base64,[\w+/=]+|xmlns(:\w+)?=\"[^\"]*\"|\bsha256-[\w+/=]+"
    r"|\x1b\[[0-9;]*m|<\?xml[^>]{0,999}>|<!doctype[^>]{0,999}>",
    re.DOTALL | re.IGNORECASE,
)
#: The name of a tag; what its attributes say is read.
_TAG = re.compile(r"</?[a-z][\w:-]*/?>?", re.IGNORECASE)
#: What a page does not show begins so. Its end is looked for once: an expression would do so from each of many begins.
_HIDDEN = re.compile(r"<(style|script)\b", re.IGNORECASE)
_ENDS = {name: re.compile(f"</{name}>", re.IGNORECASE) for name in ("style", "script")}
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|$)')
_PROCESS = re.compile(r"\bprocess (\d+)(?: \(([^)]{1,300}?)(?:, Python [\d.]+)?\))?")
_PID = re.compile(r'"pid": ?(\d+)')
_TIME = re.compile(r"\b20\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d)?)?|\b[0-2]\d:[0-5]\d:[0-5]\d\b")
_EPOCH = re.compile(r'"(?:at|begun|started)": ?(1[5-9]\d{8}|2\d{9})')
_VERSION = re.compile(r"\b(CPython|Python|Linux|Darwin|openai|httpx2?|httpcore2?|h11|Hermes Agent) v?(\d+\.\d+[\w.-]*)")
#: A value behind the name of a secret thing; the name alone, or with what stands for a secret, is none.
_CALLED = re.compile(
    r"(?<![a-z])(authorization|(?:set-)?cookie|(?:x-)?api[_-]?key|access[_-]?token|token|secret|password|passwd|credentials?)"
    r"[\"']?\s*[:=]\s*[\"']?(?!\[\.\.\.\]|null\b|none\b|true\b|false\b)[^\s\"',]{4,}",
    re.IGNORECASE,
)
_PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_WITH_PASSWORD = re.compile(r"://[^\s/@:]*:[^\s/@]+@")


def of(name: str, data: bytes, known: Known = Known()) -> LearntReport:
    """What a reader of a file of that name could learn. Failing where something looks like a secret."""
    text = text_of(data)
    found = learnt(text, known)
    secrets = has_secrets(found)
    kinds = ", ".join(one.what for one in found if one.what in (SECRETS, *NAMES))
    return LearntReport(
        command="report",
        subject=name,
        status=Status.FAILING if secrets else Status.CLEAN,
        verdict=f"{name} has {kinds or 'nothing that looks like a secret, or like the name of a host, user or path'}"
        + ("; names of processes were not looked for: it has too many values" if _is_crowded(text) else ""),
        stack=None,
        rows=tuple(map(_row, found)),
        found=tuple(found),
    )


def _row(one: Learnt) -> Row:
    status = RowStatus.FAILED if one.what == SECRETS else RowStatus.NOTED
    return Row("learnt", one.what, "", f"{one.count:,} in it", status, ", ".join(one.examples))


def text_of(data: bytes) -> str:
    """A file as text, unpacked if it is packed with gzip, as far as it goes."""
    if data.startswith(b"\x1f\x8b"):
        unpacker, parts = zlib.decompressobj(zlib.MAX_WBITS | 16), []
        with contextlib.suppress(zlib.error):  # cut off, or changed
            parts.append(unpacker.decompress(data))
        data = b"".join(parts)
    return data.decode("utf-8", "replace")


def learnt(text: str, known: Known = Known(), few: int = 3) -> list[Learnt]:
    """Every kind of thing that is in a text, in the order of KINDS; each thing counts once. few: examples at most."""
    found: dict[str, dict[str, None]] = {kind: {} for kind in KINDS}
    plain = _NO_CONTENT.sub(lambda gone: "\n" * gone[0].count("\n"), _shown(text))
    quoted = plain.lstrip().startswith(("{", "["))
    words = [re.compile(rf"(?<![^\W_]){re.escape(one)}(?![^\W_])", re.I) for one in (*known.hosts, *known.users)]
    for number, line in enumerate(plain.split("\n"), start=1):
        for piece in _pieces(line, quoted):
            for kind, what in _things(piece):
                found[kind][what] = None
            for word in words:
                for one in word.finditer(piece):
                    found[HOSTS if one[0].lower() in map(str.lower, known.hosts) else USERS][one[0]] = None
            for what in _secrets(piece):
                found[SECRETS][f"{what} in line {number:,}"] = None
        for kind, what in _numbers(line) if quoted else ():
            found[kind][what] = None
    for document in (plain, *plain.split("\n")) if quoted else ():
        if _is_crowded(document):
            continue
        with contextlib.suppress(ValueError, RecursionError):
            found[PROCESSES] |= dict.fromkeys(_processes(json.loads(document)))
    return [Learnt(kind, len(things), tuple(things)[:few]) for kind, things in found.items() if things]


def _is_crowded(document: str) -> bool:
    """Whether it would take GB to look for names of processes in it."""
    return document.lstrip()[:1] in ("{", "[") and (
        len(document) > reading.MIB and reading.is_crowded(document.encode("utf-8", "replace"))
    )


def has_secrets(found: Iterable[Learnt]) -> bool:
    """Whether something looks like a secret: such a file is not passed on."""
    return any(one.what == SECRETS for one in found)


def _shown(text: str) -> str:
    """The text without styles and scripts, with as many lines; a script that holds data stays."""
    shown: list[str] = []
    endless: set[str] = set()
    at = looked = 0
    for found in _HIDDEN.finditer(text):
        name = found[1].lower()
        if found.start() < looked or name in endless:
            continue
        looked = text.find(">", found.end())
        end = _ENDS[name].search(text, looked) if looked >= 0 else None
        if end is None:
            endless.add(name)
        elif name == "style" or "json" not in text[found.end() : looked].lower():
            shown += [text[at : found.start()], "\n" * text.count("\n", found.start(), end.end())]
            at = looked = end.end()
    return "".join([*shown, text[at:]])


def _pieces(line: str, quoted: bool) -> Iterator[str]:
    """The texts of a line as a reader sees them. quoted: it is JSON, and each of its strings is one."""
    if not quoted:
        bare = html.unescape(_TAG.sub(" ", line)).replace("\u200b", "")
        yield re.sub(r"\\(?=[^\w\s\\]|_)", "", bare)  # a backslash in front of a sign is markdown's
        return
    before = ""
    for one in _STRING.findall(line):
        with contextlib.suppress(ValueError):
            piece = json.loads(one)
            yield piece
            if _CALLED.fullmatch(f"{before}: {piece}"):
                yield f"{before}: {piece}"
            before = piece


def _things(text: str) -> Iterator[tuple[str, str]]:
    for spot in spotted.spots(text):
        what = text[spot.begin : spot.end]
        if spot.shown is not None or _PSEUDONYM.fullmatch(what):
            continue
        if spot.kind == spotted.PATH:
            yield PATHS, what
            yield from _user(spotted.user_of(what))
        elif spot.kind == spotted.ADDRESS:
            yield ADDRESSES, what.strip("[]")
        elif spot.kind == spotted.MAIL:
            user, _, host = what.partition("@")
            if not (_PSEUDONYM.fullmatch(user) and _PSEUDONYM.fullmatch(host)):
                yield MAILS, what
                yield from _user(user)
        else:
            yield from _host(what)
    for pid, name in _PROCESS.findall(text):
        yield PIDS, pid
        if name:
            yield PROCESSES, name
    yield from ((TIMES, one) for one in _TIME.findall(text))
    yield from ((VERSIONS, f"{name} {number}") for name, number in _VERSION.findall(text))


def _user(name: str) -> Iterator[tuple[str, str]]:
    if name and name.lower() not in COMMON and not _PSEUDONYM.fullmatch(name):
        yield USERS, name


def _host(what: str) -> Iterator[tuple[str, str]]:
    """The host of a URL, or of a name with a port and a path."""
    host = what.partition("://")[2] or what
    host = host.partition("/")[0].rpartition("@")[2]
    ip = spotted.address(host) or spotted.address(host.rpartition(":")[0])
    name = host.partition(":")[0]
    if ip is not None:
        if not spotted.is_own(ip):
            yield ADDRESSES, str(ip)
    elif name and name.lower() != "localhost" and not _PSEUDONYM.fullmatch(name):
        yield HOSTS, name.lower()


def _numbers(line: str) -> Iterator[tuple[str, str]]:
    """What JSON has outside of strings."""
    yield from ((PIDS, pid) for pid in _PID.findall(line))
    yield from ((TIMES, at) for at in _EPOCH.findall(line))


def _processes(value: Any) -> Iterator[str]:
    """Names of programs, and names beside a PID, wherever they stand in an object."""
    if isinstance(value, dict):
        names = (value.get("program"), value.get("name") if "pid" in value else None)
        yield from (name for name in names if isinstance(name, str) and name)
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _processes(one)


def _secrets(text: str) -> Iterator[str]:
    """What looks like a secret, by its kind."""
    yield from redact.kinds(text)
    if _CALLED.search(text):
        yield "a value called like a secret"
    if _PRIVATE.search(text):
        yield "a private key"
    if _WITH_PASSWORD.search(text):
        yield "an address with a password"
