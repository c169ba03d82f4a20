"""What no linter checks of the package's structure; `scripts/check` runs it. One line for each offence.

no module of more than 300 lines but the recorder, no function of more than 40
no circle of imports, those for type checkers included
the worker imports nothing of the host, and only two of its modules import beyond the standard library
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "hermes_diag"
MODULE_LINES, FUNCTION_LINES = 300, 40
#: The modules of the worker that may import what the target's Python holds: the SDK, and Hermes.
BEYOND = ("sdk", "hermes_agent")
#: One file on purpose, that any Python can load by itself.
ONE_FILE = "hermes_diag_recorder.py"


def modules() -> dict[str, Path]:
    """Every module of the package: its file by its dotted name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def sizes(path: Path, tree: ast.Module) -> Iterator[str]:
    """Modules and functions that are too long."""
    place = path.relative_to(ROOT)
    count = path.read_text().count("\n")
    if count > MODULE_LINES and path.name != ONE_FILE:
        yield f"{place}: {count} lines, at most {MODULE_LINES}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{place}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES}"


def imports(tree: ast.Module, name: str, is_package: bool) -> Iterator[tuple[int, str, str]]:
    """(line, module, name taken from it or "") of each import; relative ones are resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".")
            base = parts[: len(parts) - node.level + is_package] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, source, alias.name


def circles(graph: dict[str, set[str]]) -> Iterator[str]:
    """Each set of modules that import each other, directly or not (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(module: str) -> Iterator[str]:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in index:
                yield from visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            at = stack.index(module)
            together, stack[at:] = stack[at:], []
            if len(together) > 1:
                yield "import circle: " + ", ".join(sorted(together))

    for module in graph:
        if module not in index:
            yield from visit(module)


def worker(name: str, place: Path, found: list[tuple[int, str, str]]) -> Iterator[str]:
    """What a module of the worker may not import."""
    for line, source, _ in found:
        top = source.partition(".")[0]
        if top == PACKAGE and not source.startswith(f"{PACKAGE}.worker"):
            yield f"{place}:{line}: the worker imports {source}, of the host"
        elif top != PACKAGE and top not in sys.stdlib_module_names and name.rpartition(".")[2] not in BEYOND:
            yield f"{place}:{line}: the worker imports {source}, which is not in the standard library"


def main() -> int:
    known = modules()
    graph: dict[str, set[str]] = {}
    told: list[str] = []
    for name, path in known.items():
        tree = ast.parse(path.read_text())
        found = list(imports(tree, name, path.name == "__init__.py"))
        told += sizes(path, tree)
        if name.startswith(f"{PACKAGE}.worker"):
            told += worker(name, path.relative_to(ROOT), found)
        meant = {source if f"{source}.{taken}" not in known else f"{source}.{taken}" for _, source, taken in found}
        graph[name] = (meant & set(known)) - {name}
    told += circles(graph)
    print("\n".join(told) or f"structure: {len(known)} modules, nothing to complain about")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
