"""The README against the code: what it shows is what happens."""

from __future__ import annotations

import re
import shlex

import pytest
import typer
from conftest import ROOT

from hermes_diag import plan
from hermes_diag.cli import app

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
    for sessions, turns, _ in (plan.DEFAULTS[workload] for workload in plan.WORKLOADS):
        assert f"{sessions * turns}/{sessions * turns} ok" in README
