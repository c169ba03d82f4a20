"""The README against the code: what it shows is what happens."""

from __future__ import annotations

import re
import shlex

import pytest
import typer
from conftest import ROOT

from hermes_diag.cli import app, sockets
from hermes_diag.core import matrix
from hermes_diag.judge import promises
from hermes_diag.watch import fail_on

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^(?:\$ )?hermes-diag ([^#\n]*)", README, re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist(line: str) -> None:
    """Every command line of the README parses."""
    name, *arguments = shlex.split(line)
    group = typer.main.get_command(app)
    command = group.commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)


def test_the_matrix_is_of_the_default_plan() -> None:
    """Sessions times turns of each workload stand in the README's table of results."""
    for own in matrix.SIZES.values():
        assert f"{own['sessions'] * own['turns']}/{own['sessions'] * own['turns']} ok" in README


SOCKETS = (ROOT / "docs" / "sockets.md").read_text()


@pytest.mark.parametrize("line", re.findall(r"^    (?:\$ )?hermes-diag sockets ([^#\n]*)", SOCKETS, re.MULTILINE))
def test_sockets_commands_exist(line: str) -> None:
    """Every command line of docs/sockets.md parses, and so does each of its conditions."""
    asked = sockets.parser().parse_args(shlex.split(line))
    for one in asked.fail_on:
        fail_on.parse(one)


LIVE = (ROOT / "docs" / "live.md").read_text()


@pytest.mark.parametrize("line", re.findall(r"^    hermes-diag ([^#\n]*)", LIVE, re.MULTILINE))
def test_live_commands_exist(line: str) -> None:
    """Every command line of docs/live.md parses."""
    test_commands_exist(line)


def test_examples_of_the_help_exist() -> None:
    """So do those of --help."""
    for line in re.findall(r"^  hermes-diag sockets (.*)$", sockets.EPILOG, re.MULTILINE):
        sockets.parser().parse_args(shlex.split(line))


def test_audit_docs_name_every_promise() -> None:
    """docs/audit.md has a row for each promise, in the order of the output."""
    text = (ROOT / "docs" / "audit.md").read_text()
    codes = [module.CODE for module in promises.modules()]
    assert [code for code in re.findall(r"`([a-z-]+)`", text) if code in codes] == codes
