"""docs/architecture.md against the code: its picture has the arrows that there are, and its paths lead to files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "hermes_diag"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
NAMES = {"plugin": "pytest_plugin"}
#: Files of the page that stand outside the package.
OTHER = ("pyproject.toml", "tests/")


def drawn() -> dict[str, set[str]]:
    """The arrows of the picture, by room."""
    return {
        NAMES.get(room, room): set(targets.split(" & "))
        for room, targets in re.findall(r"^    (\w+) --> (.+)$", PAGE, re.MULTILINE)
    }


def found() -> dict[str, set[str]]:
    """The imports that there are, by room; those for type checkers included."""
    arrows: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or node.level or not (node.module or "").startswith("hermes_diag"):
                continue
            for name in [node.module or ""] if node.module != "hermes_diag" else [f".{one.name}" for one in node.names]:
                target = name.split(".")[1] if "." in name else ""
                if target not in ("", room, "__version__"):
                    arrows.setdefault(room, set()).add(target)
    arrows.pop("__main__")
    return arrows


def test_the_picture_is_true() -> None:
    """Every arrow of the picture is an import, and every import between rooms is an arrow."""
    assert {
        room: targets - drawn().get(room, set()) for room, targets in found().items() if targets - drawn()[room]
    } == {}
    assert {room: targets - found()[room] for room, targets in drawn().items() if targets - found()[room]} == {}


def test_the_root_holds_rooms_and_four_files() -> None:
    """api.py, pytest_plugin.py, __init__.py and __main__.py, and nothing else but rooms."""
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()} - {"py.typed"}
    assert files == {"api.py", "pytest_plugin.py", "__init__.py", "__main__.py"}
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == {*drawn(), "worker"} - {"api", "pytest_plugin"}


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([a-z_]+(?:/[a-z_.]+)+)`", PAGE))))
def test_what_it_names_is_there(named: str) -> None:
    """Files, folders, and names in modules (`core/plan.Cell`)."""
    if named.startswith(OTHER):
        assert (ROOT / named).exists()
        return
    path = PACKAGE / named
    if path.exists():
        return
    module, _, name = named.rpartition(".")
    source = (PACKAGE / f"{module}.py").read_text()
    assert re.search(rf"^(class|def) {name}\b", source, re.MULTILINE), named


def test_names_with_capitals_are_there() -> None:
    """`core/sockets.SocketRow` and the like."""
    for module, name in re.findall(r"`([a-z_/]+)\.([A-Z]\w+)`", PAGE):
        source = Path(PACKAGE / f"{module}.py").read_text()
        assert re.search(rf"^class {name}\b", source, re.MULTILINE), (module, name)
