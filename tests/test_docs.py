"""README, docs and help against the code: every command line that they show is one."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer
from conftest import ROOT, Cli

from hermes_diag.cli.app import COMMANDS, GUIDE, build
from hermes_diag.core import matrix
from hermes_diag.judge import promises, rules
from hermes_diag.watch import fail_on

GROUP = typer.main.get_command(build())
DOCS = {path.name: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
EXAMPLES = {name: importlib.import_module(f"hermes_diag.cli.{name}").EXAMPLES for name in COMMANDS}
#: A command line: after `$ `, in a block of shell lines, or indented in a help text.
LINE = re.compile(r"^(?:\$ | {2,4}(?:\$ )?|- run: )?hermes-diag ((?!COMMAND)[a-z][^#|\n]*)", re.MULTILINE)
LINES = sorted({(where, line.strip()) for where, text in {**DOCS, **EXAMPLES}.items() for line in LINE.findall(text)})


@pytest.mark.parametrize(("where", "line"), LINES)
def test_command_lines_parse(where: str, line: str) -> None:
    """A line that README, a page or a help text shows is one that the parser takes, conditions too."""
    name, *arguments = shlex.split(re.sub(r" {3,}.*", "", line))
    assert name in COMMANDS
    GROUP.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]
    for at, word in enumerate(arguments):
        if word == "--fail-on":
            fail_on.parse(arguments[at + 1])


def test_every_command_is_shown() -> None:
    """Each has examples of its own, and README or docs/index.md leads to it."""
    for name in COMMANDS:
        assert f"hermes-diag {name}" in EXAMPLES[name]
        assert name in DOCS["index.md"] + DOCS["provider.md"] + DOCS["options.md"]


def test_the_guide_names_commands_that_exist() -> None:
    """`hermes-diag` alone: each of its lines parses (URL stands for one)."""
    lines = [line for line in LINE.findall(GUIDE) if not line.startswith("--")]
    assert len(lines) >= 9
    for line in lines:
        name, *arguments = shlex.split(re.sub(r" {3,}.*", "", line))
        GROUP.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


OF_REPORTS = ("save", "force", "files", "form", "open", "json", "verbose")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_small(name: str, cli: Cli) -> None:
    """About fifteen options beside those that say where its report goes; a help with examples that fits its
    purpose."""
    options = [one for one in GROUP.commands[name].params if one.param_type_name == "option"]  # type: ignore[attr-defined]
    assert len([one for one in options if one.name not in OF_REPORTS]) <= 15
    done = cli(name, "--help")
    assert done.returncode == 0
    assert "Examples:" in done.stdout


CHEAP = [
    ("faults", 0),
    ("faults idle-close", 0),
    ("scenarios list", 0),
    ("audit buggy --expect sdk-defaults", 1),
    ("repro --strategy buggy --end close --workload steady --retries 3 -v", 0),
    ("repro --fault fin-mid-stream:every=3 --strategy fixed --retries 1", 1),
]


@pytest.mark.parametrize(("line", "code"), CHEAP)
def test_examples_run(cli: Cli, line: str, code: int) -> None:
    """Examples that need no file, process or network of the user's do what they say."""
    assert line in {line for _, line in LINES}
    assert cli(*shlex.split(line)).returncode == code


def test_hermes_diag_alone(cli: Cli) -> None:
    """It says where to start, by situation, and that is no error."""
    done = cli()
    assert (done.returncode, done.stderr) == (0, "")
    for situation in (
        "A gateway is sick now",
        "I have a client factory",
        "I have a bug report",
        "I want it to stay fixed",
    ):
        assert situation in done.stdout


def test_the_matrix_is_of_the_default_plan() -> None:
    """Sessions times turns of each workload stand in the README's picture."""
    for name in ("steady", "interrupted", "overlapping"):
        count = matrix.SIZES[name]["sessions"] * matrix.SIZES[name]["turns"]
        assert f"{count}/{count} ok" in DOCS["README.md"]


def test_audit_docs_name_every_promise() -> None:
    """docs/audit.md has a row for each promise, in the order of the output."""
    codes = [module.CODE for module in promises.modules()]
    assert [code for code in re.findall(r"`([a-z-]+)`", DOCS["audit.md"]) if code in codes] == codes


@pytest.mark.parametrize("where", DOCS)
def test_links_lead_somewhere(where: str) -> None:
    """Every relative link of README and docs names a file."""
    folder = ROOT if where == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", DOCS[where]):
        assert (folder / Path(target)).exists(), target


def test_every_finding_is_explained() -> None:
    """docs/findings.md has each rule, as it says of itself what it sees and what to do."""
    for rule in rules.modules():
        seen = rule.__doc__.strip().split("\n\n")[0].replace("\n", " ")
        assert f"| `{rule.CODE}` | {rule.SEVERITY} | {seen} | {rule.REMEDY} |" in DOCS["findings.md"]
