"""Build hook of the wheel: the man page, and completion for bash and zsh, generated from the commands themselves."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # a test imports this module for what it generates
    BuildHookInterface = object  # type: ignore[assignment,misc]

NAME = "hermes-diag"
#: Where `pip install` puts each of them, below the prefix of the environment.
MAN = f"share/man/man1/{NAME}.1"
BASH = f"share/bash-completion/completions/{NAME}"
ZSH = f"share/zsh/site-functions/_{NAME}"


class WheelData(BuildHookInterface):  # type: ignore[misc]
    """Adds the generated files to a wheel. An editable install gets none: it would be stale at the next change."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        self._folder = tempfile.TemporaryDirectory()
        for number, (place, text) in enumerate(files().items()):
            path = Path(self._folder.name, str(number))
            path.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(path)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._folder.cleanup()


def files() -> dict[str, str]:
    """The text of each generated file, by its place below the prefix."""
    from typer._completion_shared import get_completion_script
    from typer.main import get_command

    from hermes_diag.cli.app import build

    def completion(shell: str) -> str:
        return get_completion_script(prog_name=NAME, complete_var="_HERMES_DIAG_COMPLETE", shell=shell) + "\n"  # nosec B604

    return {MAN: man_page(get_command(build())), BASH: completion("bash"), ZSH: completion("zsh")}


def man_page(group: Any) -> str:
    """The commands of a click group as a page of section 1, in roff."""
    from hermes_diag import __version__

    summary = _escaped(" ".join((group.help or "").split()))
    lines = [
        f'.TH HERMES\\-DIAG 1 "" "{NAME} {__version__}" "User Commands"',
        ".SH NAME",
        f"hermes\\-diag \\- {summary}",
        ".SH SYNOPSIS",
        ".B hermes\\-diag\n.I COMMAND\n[OPTION]...",
        ".SH COMMANDS",
    ]
    for name, command in group.commands.items():
        if not command.hidden:
            lines += _section(name, command)
    epilog = " ".join((group.epilog or "").split())
    return "\n".join([*lines, ".SH EXIT STATUS", _escaped(epilog.removeprefix("Exit codes: "))]) + "\n"


def _section(name: str, command: Any) -> list[str]:
    context = command.context_class(command, info_name=name)
    usage = " ".join((NAME, name, *command.collect_usage_pieces(context)))
    lines = [f'.SS "{_escaped(usage)}"', *_paragraphs(command.help or "")]
    for param in command.params:
        record = param.get_help_record(context) if param.param_type_name == "option" else None
        if record is not None:
            names, about = record
            lines += [".TP", f"\\fB{_escaped(names)}\\fR", _escaped(" ".join(about.split()))]
    if command.epilog:
        lines += [".PP", ".nf", *map(_escaped, command.epilog.replace("\b", "").strip().splitlines()), ".fi"]
    return lines


def _paragraphs(text: str) -> list[str]:
    blocks = [_escaped(" ".join(block.split())) for block in text.replace("\b", "").split("\n\n")]
    return [line for block in blocks if block for line in (block, ".PP")][:-1]


def _escaped(text: str) -> str:
    """Text of which roff takes no character for a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text
