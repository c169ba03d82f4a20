"""Folders in which each file is one thing of a kind (a strategy, a workload), read without importing the files.

The files of the worker are Python 3.9 for the interpreter of a user, so that the host reads their source: the first
line of the docstring is the summary, and names assigned a literal at the top are the constants.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

WORKER = Path(__file__).parents[1] / "worker"


@dataclass(frozen=True)
class Leaf:
    """One file of such a folder."""

    name: str
    summary: str
    constants: Mapping[str, Any]


@cache
def leaves(folder: str) -> dict[str, Leaf]:
    """The files of a folder of the worker by name, those with a small constant ORDER first."""
    found = [_read(path) for path in (WORKER / folder).glob("*.py") if not path.name.startswith("_")]
    found.sort(key=lambda leaf: (leaf.constants.get("ORDER", 100), leaf.name))
    return {leaf.name: leaf for leaf in found}


def _read(path: Path) -> Leaf:
    tree = ast.parse(path.read_bytes())
    constants: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            with contextlib.suppress(ValueError):  # not a literal, so of no interest here
                constants[node.targets[0].id] = ast.literal_eval(node.value)
    return Leaf(path.stem, (ast.get_docstring(tree) or "").partition("\n")[0].rstrip("."), constants)
