"""--save, --output, --json and -v: where a report goes, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hermes_diag.core.errors import UsageError

Save = Annotated[
    Path | None,
    typer.Option(metavar="FILE", show_default=False, help="Write the evidence as JSON Lines, as it happens."),
]
Force = Annotated[bool, typer.Option("--force", help="Let --save overwrite.")]
Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        metavar="FILE",
        show_default=False,
        help="Write the report there too, as its ending says: .html, .json, .md, .xml (JUnit) or .txt. Repeatable.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Every turn and every detail.")]


@dataclass(frozen=True)
class Output:
    """What the command line asks for. `save`: the capture; `files`: reports."""

    json: bool = False
    verbose: bool = False
    save: Path | None = None
    force: bool = False
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would have no effect. Raises UsageError."""
        if self.force and not self.save:
            raise UsageError("--force needs --save", "name the file to overwrite")
        if self.verbose and self.json and not any(file.suffix == ".txt" for file in self.files):
            raise UsageError("-v has no effect with --json: the document has every detail", "leave one of them out")
