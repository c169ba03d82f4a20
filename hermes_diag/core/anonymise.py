"""Reports without the names of hosts, users and paths: each has a pseudonym, the same wherever it stands. Pure.

It works on what reports are made of, before they are rendered, so that every format has the pseudonyms, and on the JSON
of captures. Ports, PIDs, times, releases and names in code (functions, classes) stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from hermes_diag.core import spotted
from hermes_diag.core.spotted import words

T = TypeVar("T")

#: Fields whose words are ours.
_OURS = words(
    "api as_expected backend cause code command end expected how kind label outcome racy record root schema scope "
    "severity status strategy word workload"
)
#: Names of accounts that many machines have: they say nothing, and stand in other words of a report.
COMMON = words(
    "admin agent app application container daemon debian default dev docker gateway guest hermes node nobody openai "
    "postgres project public python root runner service shared src system test tests tmp ubuntu user username users "
    "vagrant work worker www-data"
)
_TAKEN = re.compile(r"\b(host|user|path)-(\d+)\b")
_SPEC = re.compile(r"(?P<module>.+\.py|[^\s/:]+):(?P<name>[\w.]+)", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z]*")
#: `FILE:LINE in FUNCTION`, where a file may have any sign in its name.
_LINE = re.compile(r"(?P<file>[^<].*?)(?P<rest>:\d+ in .*)", re.DOTALL)
#: A path that is found by its shape alone, wherever it stands.
_SHAPED = re.compile(r"[\w./+~-]*")
#: What stands in front of a path in a text.
_BEFORE = r"\s:'\"`(),;<>|=\[\]{}"


@dataclass(frozen=True)
class Known:
    """Names that are known beforehand, such as those of the machine that a report is printed on."""

    hosts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


def of(report: T, known: Known = Known()) -> T:
    """The same of the same type: a report, or anything else made of frozen dataclasses, tuples and dicts."""
    return Pseudonyms(known).of(report)


def of_json(value: Any, known: Known = Known()) -> Any:
    """The same of a JSON value, such as a document or the list of all lines of a capture."""
    return Pseudonyms(known).of(value)


class Pseudonyms:
    """Gives names their pseudonyms. Several values that go through one of these share them."""

    def __init__(self, known: Known = Known()) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._taken: set[tuple[str, int]] = set()  # numbers that the text has by itself
        self._words: dict[str, tuple[str, str]] = {}  # what is replaced wherever it stands -> (kind, name)
        self._pattern: re.Pattern[str] | None = None
        self._unshaped: re.Pattern[str] | None = None  # paths that no shape would find whole
        for name in known.hosts:
            self._learn("host", name)
        for name in known.users:
            self._learn_user(name)

    def of(self, value: T) -> T:
        """The value with pseudonyms."""
        self._walk(value, "", frozenset(), self._learn_from)
        known = sorted(self._words, key=len, reverse=True)
        # A plain word stands for a file only behind a slash, as at the end of a cell's name.
        shapes = (rf"(?<=/){re.escape(word)}" if self._is_word(word) else re.escape(word) for word in known)
        self._pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(shapes)})(?![^\W_])", re.IGNORECASE) if known else None
        odd = [
            word.removeprefix("./") for word in known if self._words[word][0] == "path" and not _SHAPED.fullmatch(word)
        ]
        tails = "|".join(map(re.escape, odd))
        self._unshaped = re.compile(rf"(?<![^{_BEFORE}])(?:[^{_BEFORE}]*/)?(?:{tails})(?!\w)") if odd else None
        return self._walk(value, "", frozenset(), self._shown)  # type: ignore[no-any-return]

    def _is_word(self, word: str) -> bool:
        return self._words[word][0] == "path" and bool(_PLAIN.fullmatch(word))

    # --- the walk --------------------------------------------------------------------------------

    def _walk(self, value: Any, name: str, owner: frozenset[str], seen: Any) -> Any:
        """The value with each text in it as `seen(text, field, fields of its owner)` has it."""
        if isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return value if name in _OURS else seen(value, name, owner)
        if is_dataclass(value) and not isinstance(value, type):
            names = frozenset(field.name for field in fields(value))
            given = {field.name: getattr(value, field.name) for field in fields(value)}
            walked = {name: self._walk(one, _field(name, given), names, seen) for name, one in given.items()}
            changed = {name: one for name, one in walked.items() if one is not given[name] and one != given[name]}
            return replace(value, **changed) if changed else value
        if isinstance(value, Mapping):
            return self._mapping(value, name, seen)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            names = frozenset(value._fields)
            return type(value)(
                *(self._walk(one, field, names, seen) for field, one in zip(value._fields, value, strict=True))
            )
        if isinstance(value, list | tuple | frozenset | set):
            return type(value)(self._walk(one, name, owner, seen) for one in value)
        return value

    def _mapping(self, value: Mapping[Any, Any], name: str, seen: Any) -> dict[Any, Any]:
        """Keys that are a word are names of fields; all others, and the names of files, are data."""
        names = frozenset(key for key in value if isinstance(key, str))
        found: dict[Any, Any] = {}
        for key, one in value.items():
            shown = key
            if isinstance(key, str) and (name == "sqlite" or not key.replace("_", "").replace("-", "").isalnum()):
                shown = seen(key, "file" if name == "sqlite" else "", names)
            while shown in found:
                shown = f"{shown} (2)"
            found[shown] = self._walk(one, _field(key, value) if isinstance(key, str) else "", names, seen)
        return found

    # --- first: which names there are ------------------------------------------------------------

    def _learn_from(self, text: str, field: str, owner: frozenset[str]) -> str:
        self._taken.update((kind, int(number)) for kind, number in _TAKEN.findall(text))
        role = _role(field, owner)
        if role == "path" and text != "built-in":
            self._learn("path", text)
        elif role == "line" and (found := _LINE.fullmatch(text)):
            self._learn("path", found["file"])
        elif role == "program" and any(
            spot.kind == spotted.PATH and spot.end == len(text) for spot in spotted.spots(text)
        ):
            self._learn("path", text)
        elif role == "spec" and (found := _SPEC.fullmatch(text)):
            self._learn("path", found["module"] if _is_told(found["module"]) else text)
        elif role == "host" and spotted.address(text.partition(":")[0]) is None:
            self._learn("host", text.partition("/")[0].partition(":")[0])
        for spot in spotted.spots(text):
            what = text[spot.begin : spot.end]
            if spot.kind == spotted.PATH:
                self._learn_user(spotted.user_of(what))
            elif spot.kind == spotted.MAIL:
                self._learn_user(what.partition("@")[0])
            elif spot.kind == spotted.URL and (host := _split(what)[1]) and spotted.address(host) is None:
                self._learn("host", host)
        return text

    def _learn(self, kind: str, name: str) -> None:
        if name and name.lower() != "localhost" and not (kind == "path" and spotted.public(name)):
            self._words.setdefault(name, (kind, name))

    def _learn_user(self, name: str) -> None:
        if len(name) > 1 and name.lower() not in COMMON:
            self._learn("user", name)

    # --- then: what is shown for them ------------------------------------------------------------

    def _shown(self, text: str, field: str, owner: frozenset[str]) -> str:
        role = _role(field, owner)
        if role == "path" and text not in ("", "built-in"):
            return spotted.public(text) or self._name("path", text)
        if role == "spec" and (found := _SPEC.fullmatch(text)):
            return f"{spotted.public(found['module']) or self._name('path', found['module'])}:{found['name']}"
        if role == "line" and (found := _LINE.fullmatch(text)):
            file = spotted.public(found["file"]) or self._name("path", found["file"])
            return f"{file}{self._in_text(found['rest'])}"
        return self._in_text(text)

    def _in_text(self, text: str) -> str:
        if self._unshaped is not None:
            text = self._unshaped.sub(lambda found: self._name("path", found[0]), text)
        shown, at = [], 0
        for spot in spotted.spots(text):
            shown += [self._without_words(text[at : spot.begin]), self._spot(spot, text[spot.begin : spot.end])]
            at = spot.end
        return "".join([*shown, self._without_words(text[at:])])

    def _spot(self, spot: spotted.Spot, text: str) -> str:
        if spot.shown is not None:
            return spot.shown
        if spot.kind == spotted.PATH:
            return self._name("path", text)
        if spot.kind == spotted.MAIL:
            user, _, host = text.partition("@")
            return f"{self._name('user', user)}@{self._host(host)}"
        if spot.kind == spotted.URL:
            scheme, host, port, path = _split(text)
            return f"{scheme}://{self._host(host)}{port}{self._below(path)}"
        name, slash, path = text.partition("/")
        host, colon, port = (name, "", "") if spot.kind == spotted.ADDRESS else name.partition(":")
        return f"{self._host(host)}{colon}{port}{self._below(slash + path)}"

    def _below(self, path: str) -> str:
        """The path of an address on the web."""
        stays = not path or spotted.public(path) or _TAKEN.fullmatch(path[1:])
        return path if stays else f"/{self._name('path', path)}"

    def _host(self, name: str) -> str:
        ip = spotted.address(name)
        if name.lower() == "localhost" or (ip is not None and spotted.is_own(ip)):
            return name
        return self._name("host", str(ip) if ip is not None else name.lower().rstrip("."))

    def _without_words(self, text: str) -> str:
        if self._pattern is None:
            return text
        by_word = {word.lower(): known for word, known in self._words.items()}
        return self._pattern.sub(lambda found: self._word(*by_word[found[0].lower()]), text)

    def _word(self, kind: str, name: str) -> str:
        if kind == "host":
            return self._host(name)
        spec = _SPEC.fullmatch(name) if kind == "path" else None
        return f"{self._name('path', spec['module'])}:{spec['name']}" if spec else self._name(kind, name)

    def _name(self, kind: str, name: str) -> str:
        """The pseudonym; new numbers are none that the text has already. What is one stays."""
        if _TAKEN.fullmatch(name):
            return name
        key = name.removeprefix("./").rstrip("/") or name if kind == "path" else name.lower()
        if (kind, key) not in self._given:
            number = 1 + sum(given == kind for given, _ in self._given)
            while (kind, number) in self._taken:
                number += 1
            self._taken.add((kind, number))
            self._given[kind, key] = f"{kind}-{number}"
        return self._given[kind, key]


def _field(name: str, owner: Mapping[Any, Any]) -> str:
    """What a field is called; the name of something that is a file is called `file`."""
    return "file" if name == "name" and "fd" in owner and owner.get("kind") == "file" else name


def _role(field: str, owner: frozenset[str]) -> str:
    """What a text is as a whole, by where it stands: path, spec, line, program, host, or "" for text."""
    if field == "file" or (field == "source" and "api" in owner) or field == "payload":
        return "path"
    if field in ("factory", "subject"):
        return "spec"
    if field in ("lines", "place", "library", "frames"):
        return "line"
    if field == "program":
        return field
    return "host" if field in ("endpoint", "refused", "meant_for") else ""


def _is_told(module: str) -> bool:
    """Whether a module's name alone is told from a word."""
    return not _PLAIN.fullmatch(module)


def _split(url: str) -> tuple[str, str, str, str]:
    """Scheme, host, port with its colon, and path with its slash; what else an address has is left out."""
    scheme, _, rest = url.partition("://")
    try:
        found = urlsplit(url)
        return scheme, found.hostname or "", f":{found.port}" if found.port else "", found.path
    except ValueError:
        return scheme, rest.partition("/")[0], "", ""
