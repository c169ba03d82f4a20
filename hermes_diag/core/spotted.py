"""Finds in any text what names a host, a user or a path. Pure.

Hosts and files are told from names in code by their shape, so that one too many is found rather than one too few.
Loopback addresses, files of Python and of public libraries, devices and the paths of the APIs name nobody.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

URL, MAIL, ADDRESS, HOST, PATH = "url", "mail", "address", "host", "path"


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


#: Packages and modules that anybody may have: of Python, of HTTP clients, of Hermes Agent, of ours.
PUBLIC = frozenset(sys.stdlib_module_names) | words(
    "agent aiohttp anyio certifi distro exceptiongroup gevent greenlet gunicorn h11 h2 hermes_cli "
    "hermes_diag hermes-diag hpack httpcore httpcore2 httptools httpx httpx2 hyperframe idna jiter msgspec multidict "
    "openai outcome pip psutil py_spy pydantic pydantic_core pytest requests rich run_agent sniffio socksio tenacity "
    "trio trustme typer urllib3 uvicorn uvloop websockets yarl pluggy _pytest starlette fastapi setuptools"
)
_PUBLIC_FILES = frozenset({"pyproject.toml", "config.yaml"})
_API = re.compile(r"/(?:v1/)?(?:responses|chat/completions|models)?/?")
_NOBODYS = ("/dev/", "/proc/", "/sys/")
_ENDINGS = (
    "py pyi pyx pyc so json jsonl ndjson md rst xml txt html yaml yml toml cfg ini conf env log db sqlite sqlite3 "
    "box pem key crt cert sock socket pid lock gz zip tar tgz sh bash csv tsv parquet pickle pkl ipynb"
).replace(" ", "|")
#: Behind the last dot of a name without a port; of two letters only those that are no word of a program.
_TOP = words(
    "com net org io ai dev app cloud internal local lan corp home intranet test example invalid info biz edu gov mil "
    "arpa tech online site systems network host hosting services solutions software agency eu de uk fr nl ch se fi dk "
    "pl cz es pt ru ua cn jp kr tw hk sg au nz ca us br mx ar in il tr gr hu ro sk ie lt lv ee za company xyz"
)
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_IP4 = r"\d{1,3}(?:\.\d{1,3}){3}"
_SHAPES = re.compile(
    rf"""
    (?P<url>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s'"<>|\\)\]}},;]+)
    | (?P<mail>(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*)
    | (?P<windows>(?<!\w)(?:[a-z]:\\[^\s:*?"<>|']*|\\\\[\w.$-]+\\[^\s:*?"<>|']+))
    | (?P<whole>^(?:~[\w.-]*|\.{{0,2}})/[^:\n]*\.\w+(?=:\d+|$) | (?<=^file\ ).+)   # blanks in it, too
    | (?P<path>(?<![\w.~/-])(?:~[\w.-]*|\.{{1,2}})?/[^\s:'"`(),;<>|\\\[\]{{}}=]+)
    | (?P<file>(?<![\w./~@-])(?:[\w.+-]+/)*[\w.+-]+\.(?:{_ENDINGS})(?![\w/-]))
    | (?P<ip6>(?<![\w:.])\[?(?:[0-9a-f]{{0,4}}:){{2,7}}(?:{_IP4}|[0-9a-f]{{0,4}})(?:%[\w.-]+)?\]?(?!\w))
    | (?P<ip4>(?<![\w.]){_IP4}(?!\.?\w))
    | (?P<host>(?<![\w.@/-]){_LABEL}(?:\.{_LABEL})+(?![\w(])(?P<port>:\d{{2,5}}(?!\w))?(?:/[^\s:'"(),;<>|]*)?)
    | (?P<label>(?<![\w.@/-])[a-z]+(?:-?[0-9]|-[a-z0-9])[a-z0-9-]*(?=:\d{{2,5}}(?!\w)))
    """,
    re.IGNORECASE | re.VERBOSE,
)


class Spot(NamedTuple):
    """What stands at text[begin:end]. shown: how it may be shown although it is of that kind; None: it may not."""

    kind: str
    begin: int
    end: int
    shown: str | None = None


def spots(text: str) -> Iterator[Spot]:
    """What is found, from left to right."""
    at = 0
    while found := _SHAPES.search(text, at):
        what = str(found.lastgroup if found.lastgroup != "port" else "host")
        begin, end = found.span()
        if what in ("path", "url", "host"):
            end = begin + len(found[0].rstrip(".")) or end
        at = end
        spot = _judged(what, text[begin:end], begin, end, bool(found["port"]))
        if spot is None:
            at = begin + 1
        else:
            yield spot


def _judged(what: str, text: str, begin: int, end: int, port: bool) -> Spot | None:
    """The spot if it is one."""
    if what in ("url", "mail"):
        return Spot(what, begin, end)
    if what in ("windows", "whole", "path", "file"):
        return Spot(PATH, begin, end, public(text))
    if what in ("ip6", "ip4"):
        ip = address(text)
        return None if ip is None else Spot(ADDRESS, begin, end, text if is_own(ip) else None)
    if what == "label":
        return Spot(HOST, begin, end)
    return Spot(HOST, begin, end) if _is_host(text.partition("/")[0].partition(":")[0], port) else None


def _is_host(name: str, port: bool) -> bool:
    labels = name.lower().split(".")
    if labels[0] in PUBLIC or not labels[-1].isalpha() or len(labels[-1]) < 2:
        return False
    return port or labels[-1] in _TOP or any(not label.isalpha() for label in labels)


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IP address, with or without brackets and zone; None: it is none. One that stands for an IPv4 one is that."""
    try:
        found = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def is_own(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is the same on every machine: loopback, or any."""
    return ip.is_loopback or ip.is_unspecified


def public(path: str) -> str | None:
    """A path as anybody may see it: of Python and public libraries as it is seen from their folder. None: it says
    something of who has it."""
    if path.startswith(_NOBODYS) or _API.fullmatch(path) or path in _PUBLIC_FILES:
        return path
    inside = re.split(
        r"(?:^|(?<=/)|/)(?:site|dist)-packages/|/lib/python3(?:\.\d+)?t?/|^/usr/lib/python3/|<frozen ", path
    )[-1]
    root = inside.partition("/")[0].partition(".")[0]
    is_whole = (inside == path and path.startswith(("/", "~", "."))) or "\\" in path or ".." in inside
    return None if is_whole or root not in PUBLIC else inside


def user_of(path: str) -> str:
    """Whose home folder a path is in, "" where it is in none."""
    found = re.match(r"(?:/var)?/(?:home|Users)/([^/]+)|[A-Za-z]:\\Users\\([^\\]+)|~([^/]+)", path)
    return next(filter(None, found.groups()), "") if found else ""
