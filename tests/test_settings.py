"""Settings of `check`: who wins, and what is said of what is wrong."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from hermes_diag.core.errors import UsageError
from hermes_diag.judge import pyproject, settings

TODAY = datetime.date(2026, 11, 23)

PYPROJECT = """\
[project]
name = "shop"  # python, factory and workloads are not set here

[tool.hermes-diag]
factory = "shop.clients:make"
python = ".venv/bin/python"
cwd = "src"
workloads = ["steady"]
faults = [
    "rst-mid-stream",
    "fin-mid-stream:every=2",
]
fail_on = ["close_wait_left > 1"]
expect = ["separate"]

[[tool.hermes-diag.allow]]
finding = "default-limits"
reason = "ten are plenty"
expires = 2027-01-31
"""


def resolve(text: str = "", environ: dict[str, str] | None = None, **given: Any) -> Any:
    layers = [settings.flags(given), settings.environment(environ or {})]
    if text:
        layers += filter(None, [pyproject.document(text.encode(), "../pyproject.toml")])
    return settings.resolve(layers, TODAY)


EXAMPLE = "write for example 'close_wait_left > 0'"
#: key -> (flag, variable, file, default), each with what comes out of it.
LAYERS: dict[str, tuple[Any, Any, Any, Any]] = {
    "factory": ("a:b", "c:d", "shop.clients:make", "fixed"),
    "python": ("/a/python", "python3", "../.venv/bin/python", None),
    "cwd": ("/a", "b", "../src", None),
    "workloads": (("overlapping",), ("steady", "interrupted"), ("steady",), ("steady", "interrupted", "overlapping")),
    "faults": (("a",), ("b", "c:every=2"), ("rst-mid-stream", "fin-mid-stream:every=2"), ()),
    "allow": ("nodelay", "drop-releases", "default-limits", None),
    "fail_on": (
        ("close_wait_left > 0",),
        ("close_wait_left > 2", "established_left >= 9"),
        ("close_wait_left > 1",),
        (),
    ),
    "expect": (("timeout=20s",), ("retries=2", "sdk-defaults"), ("separate",), ()),
}
FLAGS = {
    "factory": "a:b", "python": "/a/python", "cwd": "/a", "workloads": ["overlapping"], "faults": ["a"],
    "allow": ["nodelay:2026-11-23:today is the last day: it counts"],
    "fail_on": ["close_wait_left > 0"],
    "expect": ["timeout=20s"],
}  # fmt: skip
ENVIRON = {
    "HERMES_DIAG_FACTORY": "c:d",
    "HERMES_DIAG_PYTHON": "python3",
    "HERMES_DIAG_CWD": "b",
    "HERMES_DIAG_WORKLOADS": "steady, interrupted",
    "HERMES_DIAG_FAULTS": "b c:every=2",
    "HERMES_DIAG_FAIL_ON": "close_wait_left > 2; established_left >= 9",
    "HERMES_DIAG_EXPECT": "retries=2 sdk-defaults",
    "HERMES_DIAG_ALLOW": "drop-releases:2027-02-01:gc will do",
}


@pytest.mark.parametrize("key", LAYERS)
def test_precedence(key: str) -> None:
    """Flag before environment before pyproject.toml before default; the source is named but for a default."""
    flag = {key: FLAGS[key]} if key in FLAGS else {}
    variable = {name: text for name, text in ENVIRON.items() if name == f"HERMES_DIAG_{key.upper()}"}
    found = [
        resolve(PYPROJECT, variable, **flag),
        resolve(PYPROJECT, variable),
        resolve(PYPROJECT, {f"HERMES_DIAG_{key.upper()}": " "}),  # an empty variable is not set
        resolve(),
    ]
    assert [_value(one, key) for one in found] == list(LAYERS[key])
    sources = [{name: source for name, _, source in one.asked().sources}.get(key) for one in found]
    assert sources == [settings.FLAGS[key], f"HERMES_DIAG_{key.upper()}", "../pyproject.toml", None]


def _value(found: Any, key: str) -> Any:
    if key == "allow":
        return found.allow[0].finding if found.allow else None
    return tuple(one.text for one in found.fail_on) if key == "fail_on" else getattr(found, key)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FACTROY", "FACTORY"),
        ("factory", "FACTORY"),
        ("FACTORIES", "FACTORY"),
        ("WORKLOAD", "WORKLOADS"),
        ("ALLOWANCES", "ALLOW"),
        ("FAIL_IN", "FAIL_ON"),
    ],
)
def test_a_slip_in_a_variable(name: str, meant: str) -> None:
    """Refused: without it the factory meant would not be the one that is checked."""
    with pytest.raises(UsageError) as refused:
        settings.environment({f"HERMES_DIAG_{name}": "x"})
    assert refused.value.message == f"HERMES_DIAG_{name}: no such setting; did you mean HERMES_DIAG_{meant}?"
    assert settings.environment({f"HERMES_DIAG_{name}": " "}).values == {}  # an empty variable is not set


@pytest.mark.parametrize("name", ["DEBUG", "WORKER_PYTHONS", "OLD_PYTHONS", "HERMES_PYTHONS", "GOLDEN_PYTHON"])
def test_variables_of_other_tools(name: str) -> None:
    assert settings.environment({f"HERMES_DIAG_{name}": "x"}).values == {}


def test_a_factory_of_a_file_counts_from_its_folder() -> None:
    """Without a `cwd` a project's factory is imported in the project's folder, wherever one stands; one that
    is given on the command line is not."""
    text = '[tool.hermes-diag]\nfactory = "./clients.py:make"\n'
    assert resolve(text).cwd == ".."
    assert resolve(text, factory="./clients.py:make").cwd is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[tool.hermes-diag]\nwrokloads = ["steady"]',
            "2: tool.hermes-diag.wrokloads: unknown key; did you mean workloads?",
        ),
        (
            '[tool.hermes-diag]\n\nxyz = 1',
            "3: tool.hermes-diag.xyz: unknown key; known: factory, python, cwd, workloads, faults, allow, "
            "fail_on, expect",
        ),
        ("\ntool = 3", "2: tool: a table, not 3"),
        ("[tool.hermes_diag]", "1: tool.hermes_diag: unknown table; did you mean hermes-diag?"),
        (
            '[tool.hermes-diag]\n"a\\n\\u001b[31m" = 3',
            '1: tool.hermes-diag."a\\n\\u001b[31m": unknown key; known: factory, python, cwd, workloads, faults, '
            "allow, fail_on, expect",
        ),
        ("\ufeff[tool]", "1: not TOML: begins with a byte order mark; save it as UTF-8 without one"),
        ("[tool]\nhermes-diag = 3", "2: tool.hermes-diag: a table, not 3"),
        ("[tool.hermes-diag]\nfactory = 5", "2: tool.hermes-diag.factory: a string, not 5"),
        ('[tool.hermes-diag]\n# factory\nfactory = ""', "3: tool.hermes-diag.factory: empty"),
        ('[tool.hermes-diag]\npython = ["a"]', "2: tool.hermes-diag.python: a string, not a list"),
        ('[tool.hermes-diag]\nworkloads = "steady"', "2: tool.hermes-diag.workloads: a list of strings, not 'steady'"),
        (
            "[tool.hermes-diag]\nworkloads = []",
            "2: tool.hermes-diag.workloads: empty; known: steady, interrupted, overlapping",
        ),
        (
            '[tool.hermes-diag]\nworkloads = [\n  "steady",\n  "interupted",\n]',
            "4: tool.hermes-diag.workloads[1]: no workload 'interupted'; did you mean interrupted?",
        ),
        ("[tool.hermes-diag]\nfaults = [1]", "2: tool.hermes-diag.faults[0]: a string, not 1"),
        (
            '[tool.hermes-diag]\nfail_on = "close_wait_left > 0"',
            "2: tool.hermes-diag.fail_on: a list of strings, not 'close_wait_left > 0'",
        ),
        (
            '[tool.hermes-diag]\nfail_on = [\n  "close_wait_left > 0",\n  "close_wait_peak > -1",\n]',
            "4: tool.hermes-diag.fail_on[1]: 'close_wait_peak > -1': no condition; "
            "write for example 'close_wait_left > 0'",
        ),
        (
            "tool.hermes-diag.fail_on = [-1]",
            "1: tool.hermes-diag.fail_on[0]: a string, not -1",
        ),
        ("[tool.hermes-diag]\nallow = 1", "2: tool.hermes-diag.allow: a list of tables, not 1"),
        (
            '[tool.hermes-diag]\nallow = ["nodelay"]',
            "2: tool.hermes-diag.allow[0]: a table of finding, reason and expires, not 'nodelay'",
        ),
        (
            '[[tool.hermes-diag.allow]]\nfinding = "nodelay"\nreason = "a"\nexpires = 2027-01-01\n\n'
            '[[tool.hermes-diag.allow]]\nfinding = "nodelay"\nexpires = 2027-01-01',
            "6: tool.hermes-diag.allow[1]: reason is missing: an allowance has finding, reason, expires",
        ),
        (
            '[[tool.hermes-diag.allow]]\nfinding = "nodelay"\nreasons = "a"',
            "3: tool.hermes-diag.allow[0].reasons: unknown key; did you mean reason?",
        ),
        (
            '[tool.hermes-diag]\nallow = [\n  {finding="nodelay", reason="a", expires="2027-01-01"},\n'
            '  {finding="no-delay", reason="a", expires="2027-01-01"},\n]',
            "4: tool.hermes-diag.allow[1].finding: no finding 'no-delay'; did you mean nodelay?",
        ),
        (
            '[tool.hermes-diag]\nallow = [{finding="nodelay", reason=" ", expires=2027-01-01}]',
            "2: tool.hermes-diag.allow[0].reason: empty",
        ),
        (
            '[tool.hermes-diag]\nallow = [{finding="nodelay", reason="a", expires="soon"}]',
            "2: tool.hermes-diag.allow[0].expires: a date like 2027-01-31, not 'soon'",
        ),
        (
            '[[tool.hermes-diag.allow]]\nfinding = "nodelay"\nreason = "a"\nexpires = 2026-11-22',
            "4: tool.hermes-diag.allow[0].expires: the allowance of nodelay expired on 2026-11-22: "
            "fix the cause, or set a later day",
        ),
        ("[tool.hermes-diag]\nfactory = ", "2: not TOML: Invalid value"),
        ("[tool.hermes-diag\n", "1: not TOML: Expected ']' at the end of a table declaration"),
        ('a = """\n', "1: not TOML: Unterminated string"),
        ("a = 1\na = 2\n", "2: not TOML: Cannot overwrite a value"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file(text: str, line: str) -> None:
    """One line: file, line, key, what is wrong and what would do."""
    with pytest.raises(UsageError) as caught:
        resolve(text)
    assert caught.value.message == f"../pyproject.toml:{line}"
    assert caught.value.hint == ""


def test_a_number_of_thousands_of_digits() -> None:
    with pytest.raises(UsageError, match=r"pyproject.toml: cannot be read: Exceeds the limit"):
        pyproject.document(b"[tool.hermes-diag]\nfail_on = " + b"9" * 5000, "pyproject.toml")


def test_the_line_is_found_in_a_large_file() -> None:
    """Strings that hold the key are no places to look at, and what would take long is given up."""
    many = "".join(f' "python-{n}; python_version >= 3",\n' for n in range(1000))
    text = f"a = [\n{many}]\n[tool.hermes-diag]\npython = 3\n"
    assert pyproject.line_of(text, ("tool", "hermes-diag", "python")) == 1004
    tricky = "".join(f' "python = {n}",\n' for n in range(5000))
    assert pyproject.line_of(f"a = [\n{tricky}]\n[tool.hermes-diag]\npython = 3\n", ("tool", "hermes-diag", "python"))


def test_a_file_without_the_table_says_nothing() -> None:
    assert pyproject.document(b"[tool.other]\n", "pyproject.toml") is None


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(UsageError) as caught:
        pyproject.document(b"[tool]\na = '\xff'\n", "pyproject.toml")
    assert caught.value.message == "pyproject.toml:2: not UTF-8"


@pytest.mark.parametrize(
    ("environ", "flags", "line"),
    [
        (
            {"HERMES_DIAG_WORKLOADS": "steady staedy"},
            {},
            "HERMES_DIAG_WORKLOADS: no workload 'staedy'; did you mean steady?",
        ),
        (
            {"HERMES_DIAG_FAIL_ON": "few"},
            {},
            f"HERMES_DIAG_FAIL_ON: 'few': no condition; {EXAMPLE}",
        ),
        (
            {"HERMES_DIAG_ALLOW": "nodelay:2020-01-01:old"},
            {},
            "HERMES_DIAG_ALLOW: the allowance of nodelay expired on 2020-01-01: fix the cause, or set a later day",
        ),
        (
            {},
            {"allow": ["nodelay:2027-01-01"]},
            "--allow: reason is missing: an allowance has finding, reason, expires; write FINDING:DATE:REASON",
        ),
        (
            {},
            {"allow": ["nodelay:2027-01-01:a", "max-retries:2027-01-01:b", "nodelay:2028-01-01:c"]},
            "--allow: nodelay is allowed twice; give it once",
        ),
        ({}, {"expect": ["retries=0", "timeout=soon"]}, "--expect: 'timeout=soon': cannot be read; write timeout=600s"),
        ({}, {"factory": "a\0b:c"}, "SPEC: holds a NUL"),
        ({}, {"workloads": ["x"]}, "--workload: no workload 'x'; known: steady, interrupted, overlapping"),
        (
            {},
            {"fail_on": ["close_wait > 0"]},
            "--fail-on: 'close_wait > 0': no such metric; did you mean close_wait_peak or close_wait_left?",
        ),
        ({}, {"fail_on": ["close_wait_left=0"]}, f"--fail-on: 'close_wait_left=0': no condition; {EXAMPLE}"),
        (
            {},
            {"fail_on": ["close_wait_left > 1.2.3"]},
            f"--fail-on: 'close_wait_left > 1.2.3': '1.2.3' is no number; {EXAMPLE}",
        ),
        (
            {},
            {"fail_on": ["close_wait_left > 5/h"]},
            "--fail-on: 'close_wait_left > 5/h': a number of sockets has no unit; write 10, not 10m",
        ),
        (
            {"HERMES_DIAG_FAIL_ON": "close_wait_left.age > 1"},
            {},
            "HERMES_DIAG_FAIL_ON: 'close_wait_left.age > 1': no such metric; "
            "did you mean close_wait_left or close_wait_peak?",
        ),
    ],
)
def test_what_is_wrong_elsewhere(environ: dict[str, str], flags: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve("", environ, **flags)
    assert caught.value.message == line


def test_what_a_check_keeps_of_its_settings() -> None:
    """Each that is not at its default with its source; a reason without its secrets, and on one line."""
    text = '[tool.hermes-diag]\nfactory = "./c.py:make"\nexpect = ["separate", "retries=0"]\npython = "bin/python"\n'
    given = {
        "allow": ["nodelay:2027-01-31:sk-proj-A1b2C3d4E5f6G7h8: so\nwhat", "max-retries:2028-02-29:later"],
        "fail_on": ["close_wait_left > 0", "close_wait_peak >= 3"],
    }
    found = resolve(
        text, {"HERMES_DIAG_WORKLOADS": "steady,overlapping", "HERMES_DIAG_FAULTS": "http-500:a=1,2"}, **given
    )
    asked = found.asked("main.jsonl")
    assert (asked.factory, asked.baseline, found.asked().baseline) == ("./c.py:make", "main.jsonl", "")
    assert [one.text for one in asked.fail_on] == given["fail_on"]
    assert [(one.finding, str(one.expires)) for one in asked.allow] == [
        ("nodelay", "2027-01-31"),
        ("max-retries", "2028-02-29"),
    ]
    assert asked.allow[1].reason == "later"
    assert "so what" in asked.allow[0].reason
    assert "A1b2C3d4" not in asked.allow[0].reason
    assert asked.sources == (
        ("factory", "./c.py:make", "../pyproject.toml"),
        ("python", "../bin/python", "../pyproject.toml"),
        ("workloads", "steady, overlapping", "HERMES_DIAG_WORKLOADS"),
        ("faults", "http-500:a=1,2", "HERMES_DIAG_FAULTS"),
        ("allow", "nodelay until 2027-01-31, max-retries until 2028-02-29", "--allow"),
        ("fail_on", "close_wait_left > 0, close_wait_peak >= 3", "--fail-on"),
        ("expect", "separate, retries=0", "../pyproject.toml"),
    )


def test_what_is_overridden_is_checked_too() -> None:
    """A mistake in the file does not wait for the day on which the flag is left out."""
    with pytest.raises(UsageError, match="a string, not 5"):
        resolve("[tool.hermes-diag]\nfactory = 5\n", factory="a:b")


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ('faults = [\n "a",  # not "b"\n "b",\n]', ("faults", 1), 4),
        ('faults = [\n "a:every=2",\n "a:every",\n]', ("faults", 1), 4),
        ("faults = [\n" + ' "a",\n' * 800 + ' "b"\n]', ("faults", 800), 803),
        ('faults = [ "a",\n "b", "c" ] # x', ("faults", 2), 3),
        ('faults = [\n "a"\n ,\n "b"\n,]', ("faults", 1), 5),
        ('allow = [\n {finding="a", reason="b"},\n {finding="c", reason="d"},\n]', ("allow", 1, "reason"), 4),
        ('[[tool.hermes-diag.allow]]\nfinding = "a"\nreason = """b\nc"""', ("allow", 0, "reason"), 4),
    ],
)
def test_the_line_of_an_element(text: str, path: tuple[str | int, ...], line: int) -> None:
    """Where it stands, not where its text stands too."""
    assert pyproject.line_of(f"[tool.hermes-diag]\n{text}", ("tool", "hermes-diag", *path)) == line
