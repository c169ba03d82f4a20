"""Wheels on disk, and an environment of variables in which pip knows these alone, asks nobody, and finds no uv."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path


def wheel(folder: Path, name: str, version: str, files: Mapping[str, str], *metadata: str) -> None:
    """A wheel with those files. metadata: further lines, `Requires-Python: >=3.11` for example."""
    folder.mkdir(exist_ok=True)
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata]
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as file:
        for path, text in files.items():
            file.writestr(path, text)
        file.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


def variables(wheels: Path, cache: Path) -> dict[str, str]:
    """The variables of a user whose index is that folder."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
        "XDG_CACHE_HOME": str(cache),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_CONFIG_FILE": os.devnull,
        "PATH": os.defpath,
    }
