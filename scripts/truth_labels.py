"""Labels of the corpus in tests/truth/: what is right of each case stands in its docstring.

    def make(kwargs):
        \"\"\"faulty close-releases, close-wait-grows: its close leaves the http_client open. [openai 3]\"\"\"

The docstring of a function or class at the top of a file, or the text behind `name = ...`, begins with

healthy:           no problem
choice PROMISE:    no problem, and told as a choice
faulty FINDING, ...:  a problem, for each of these; A|B where either names the same harm
untellable:        nothing can be measured (exit code 3)
ambiguous:         people who know the matter would not agree; any answer is right

and goes on with one sentence. Conditions stand in brackets behind it:

[openai 3]         for this generation of the SDK only
[needs MODULE]     where it can be imported; [needs openai.NAME]: where this class of the SDK can be made
[fault SPEC]       as `check --fault SPEC`
[expect TEXT]      as `check --expect TEXT`
[also FINDING ...] what may be said besides, and need not
[wrong]            known to be told wrong today: counted as wrong, and not held against a change of something else
[slow]             takes longer than ten seconds, so that it is not among those that run at every change

The files are read and not imported: they are for the interpreter under test.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "tests" / "truth"
KINDS = ("healthy", "choice", "faulty", "untellable", "ambiguous")
_HEAD = re.compile(rf"(?P<kind>{'|'.join(KINDS)})(?P<codes>(?: [a-z0-9|-]+,?)*): +(?P<rest>\S.*)", re.DOTALL)
_BRACKET = re.compile(r"\[(openai|needs|fault|expect|also|slow|wrong)\b([^\]]*)\]")


@dataclass(frozen=True)
class Case:
    """One case. codes: of a faulty one the findings, of a choice the promise."""

    file: str
    name: str
    kind: str
    codes: tuple[str, ...]
    sentence: str
    openai: str = ""
    needs: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    slow: bool = False
    wrong: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.file}:{self.name}"

    @property
    def spec(self) -> str:
        return f"{FOLDER / self.file}.py:{self.name}"


class WrongLabel(ValueError):
    """A label that cannot be read."""


def cases(folder: Path = FOLDER) -> list[Case]:
    """Every case, by file and place in it. Raises WrongLabel."""
    return [case for path in sorted(folder.glob("*.py")) for case in read(path.stem, path.read_text())]


def read(file: str, source: str) -> Iterator[Case]:
    """The cases of one file. What has no label is a helper. Raises WrongLabel."""
    body = ast.parse(source).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name, text = node.name, ast.get_docstring(node) or ""
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _is_text(after):
            name, text = node.targets[0].id, after.value.value  # type: ignore[union-attr]
        else:
            continue
        if text.partition(":")[0].split(" ")[0] in KINDS:
            yield _case(file, name, text)


def _is_text(node: ast.stmt | None) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _case(file: str, name: str, text: str) -> Case:
    text = " ".join(text.split())
    head = _HEAD.fullmatch(text)
    if head is None:
        raise WrongLabel(f"{file}:{name}: no label: {text[:60]}")
    said: dict[str, list[str]] = {}
    for key, value in _BRACKET.findall(head["rest"]):
        said.setdefault(key, []).append(value.strip())
    sentence = _BRACKET.sub("", head["rest"]).strip()
    kind, codes = head["kind"], tuple(head["codes"].replace(",", " ").split())
    wanted = {"faulty": len(codes) > 0, "choice": len(codes) == 1}.get(kind, not codes)
    if not wanted or "[" in sentence or not sentence:
        raise WrongLabel(f"{file}:{name}: cannot be read: {text[:60]}")
    return Case(
        file,
        name,
        kind,
        codes,
        sentence,
        openai="".join(said.get("openai", ())),
        needs=tuple(said.get("needs", ())),
        faults=tuple(said.get("fault", ())),
        expect=tuple(said.get("expect", ())),
        also=tuple(" ".join(said.get("also", ())).split()),
        slow="slow" in said,
        wrong="wrong" in said,
    )
