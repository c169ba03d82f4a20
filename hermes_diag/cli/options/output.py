"""--format, --output, --open, --save, --json and -v: the form of a report, where it goes, and how much of it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from hermes_diag.cli.options import complete
from hermes_diag.core.errors import UsageError

Save = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        show_default=False,
        help="Write the evidence as it happens, for `hermes-diag report`; packed if FILE ends in .gz.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Let --save overwrite.")]
Form = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        show_default="terminal",
        autocompletion=complete.formats,
        help="What is printed: terminal, json, markdown, html or junit.",
    ),
]
Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        metavar="FILE",
        show_default=False,
        help="Write the report there too, as its ending says: .html, .json, .md, .xml (JUnit) or .txt. Repeatable.",
    ),
]
Open = Annotated[
    bool, typer.Option("--open", help="Show the report in a browser: the HTML file of --output, or a new one.")
]
Json = Annotated[bool, typer.Option("--json", help="The same as --format json: one JSON document and nothing else.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Every turn and every detail.")]


@dataclass(frozen=True)
class Output:
    """What the command line asks for. `save`: the capture; `files`: reports; `open`: show one in a browser."""

    json: bool = False
    verbose: bool = False
    save: Path | None = None
    force: bool = False
    files: tuple[Path, ...] = ()
    form: str | None = None
    open: bool = False

    def __post_init__(self) -> None:
        """Refuse what would have no effect, and formats that are none. Raises UsageError."""
        if self.force and not self.save:
            raise UsageError("--force needs --save", "name the file to overwrite")
        if self.form is not None:
            from hermes_diag.reporters import formats

            formats.load(self.form)
            if self.json and self.form != "json":
                raise UsageError(f"--json and --format {self.form}: which of them?", "leave one of them out")
        heeds = self.format in ("terminal", "markdown") or any(file.suffix in (".txt", ".md") for file in self.files)
        if self.verbose and not heeds:
            form = "--json" if self.format == "json" else f"--format {self.format}"
            raise UsageError(f"-v has no effect with {form}, which has every detail", "leave one of them out")

    @property
    def format(self) -> str:
        """What is printed."""
        return "json" if self.json else self.form or "terminal"


#: Options by the field of Output that they set.
_OPTIONS = {"save": Save, "force": Force, "files": Files, "form": Form, "open": Open, "json": Json, "verbose": Verbose}
Command = Callable[..., int]


def reporting(without: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """Gives a command all options of this module, which reach it as its parameter `output`. without: but these."""
    options = {name: option for name, option in _OPTIONS.items() if name not in without}

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**given: Any) -> int:
            own = {name: given.pop(name) for name in options}
            return command(**given, output=Output(**{**own, "files": tuple(own["files"] or ())}))

        # Typer reads the signature and the hints of what it is given.
        hints = get_type_hints(command, include_extras=True)
        parameters = [one for name, one in inspect.signature(command).parameters.items() if name != "output"]
        parameters = [one.replace(annotation=hints[one.name]) for one in parameters]
        for name, option in options.items():
            default = False if name in ("force", "open", "json", "verbose") else None
            parameters.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option)
            )
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate
