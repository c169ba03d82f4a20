"""The pytest plugin: the marker `limit_sockets`, the fixture `openai_provider` and its marker, `--sockets`.

Thin, and nothing heavy at import: pytest loads this at every start in every environment we are installed
in. What does the work is in hermes_diag.leakguard and is imported by the first test that wants it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hermes_diag.api import Loop, Provider
    from hermes_diag.leakguard.around import Guard
    from hermes_diag.leakguard.settings import Settings

MARKER = "limit_sockets"

_guard_key: pytest.StashKey[Guard] = pytest.StashKey()
_settings_key: pytest.StashKey[Settings] = pytest.StashKey()
_refusal_key: pytest.StashKey[str] = pytest.StashKey()
#: Guards of tests that run now; more than one when a test runs pytest itself.
_running: list[Guard] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    # Every default is None, so that the ini file is asked when a flag is not given.
    group = parser.getgroup("hermes-diag", "sockets left behind (hermes-diag)")
    group.addoption("--sockets", action="store_true", default=None, help="list the tests that left most sockets behind")
    group.addoption(
        "--limit-sockets", default=None, metavar="WHICH", help="tests held to limit_sockets: marked (default), all, off"
    )
    parser.addini("limit_sockets_report", "true: as --sockets", default=None)
    parser.addini("limit_sockets", "as --limit-sockets: marked, all, off", default=None)
    parser.addini("limit_sockets_default", "for arguments not given, for example: fds=none settle=2", default=None)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "limit_sockets(close_wait=0, leaked=0, fds=0, threads=0, remote=None, settle=1.0): "
        "fail when the test leaves more than that behind (hermes-diag)",
    )
    config.addinivalue_line(
        "markers",
        "openai_provider(faults=(), tls=False, reply=None, ...): "
        "what the fixture of that name is made with, as hermes_diag.provider.Provider (hermes-diag)",
    )
    given = (
        config.getoption("sockets"),
        config.getoption("limit_sockets"),
        *map(config.getini, ("limit_sockets_report", "limit_sockets", "limit_sockets_default")),
    )
    if any(one not in (None, "") for one in given):  # pytest 7 says "" of what is not in its file
        from hermes_diag.leakguard import section, settings

        config.stash[_settings_key] = read = settings.read(config)
        if read.report:
            config.pluginmanager.register(section.Section(), "hermes-diag-sockets")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    marker, settings = item.get_closest_marker(MARKER), item.config.stash.get(_settings_key, None)
    if marker is not None or (settings is not None and settings.everything):
        _begin(item, marker, settings)
    result = yield
    if _guard_key in item.stash:
        item.stash[_guard_key].await_end()
    return result


def _begin(item: pytest.Item, marker: pytest.Mark | None, settings: Settings | None) -> None:
    from hermes_diag.core.errors import HermesDiagError
    from hermes_diag.leakguard import around

    try:
        guard = around.begin(item, marker, settings)
    except HermesDiagError as exc:
        item.stash[_refusal_key] = f"{exc.message}: {exc.hint}"
        return
    if guard is not None:
        item.stash[_guard_key] = guard
        _running.append(guard)


@pytest.hookimpl(tryfirst=True, specname="pytest_runtest_setup")
def pytest_refuse_wrong_marker(item: pytest.Item) -> None:
    """Not in the wrapper: those of other plugins must have begun, or they fail in the end."""
    if _refusal_key in item.stash:
        pytest.fail(item.stash[_refusal_key], pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    guard = item.stash.get(_guard_key, None)
    if guard is None:
        return (yield)
    try:
        result = yield
        why = guard.check()
    finally:
        _running.remove(guard)
        guard.end()
    if why:
        pytest.fail(why, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    if not _running or not _running[-1].concerns(request.node):
        return (yield)
    if fixturedef.scope == "function":
        _running[-1].await_end()  # the first is the last to go
        return (yield)
    with _running[-1].wider_scope():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    guard = item.stash.get(_guard_key, None)
    if guard is not None:
        guard.note(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport, config: pytest.Config) -> Generator[None, Any, Any]:
    """A test that is watched has passed when nothing was left, which is known after its teardown."""
    status = yield
    verdict = getattr(report, "limit_sockets_verdict", None)
    if verdict is None or hasattr(report, "context"):  # a subtest's report has one: it speaks for itself
        return status
    if report.outcome not in ("passed", "failed"):  # others give it outcomes of their own, to run it again
        return status
    if verdict == "passed before":  # and then a fixture failed at its end: both are counted, as without us
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None and report not in (counted := terminal.stats.setdefault("passed", [])):
            counted.append(report)
        return status
    return {"later": ("", "", ""), "passed": ("passed", ".", "PASSED"), "failed": ("failed", "F", "FAILED")}[verdict]


@pytest.fixture
def openai_provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A stand-in for OpenAI on 127.0.0.1, of which OPENAI_BASE_URL and OPENAI_API_KEY speak; no proxy is set.

    `@pytest.mark.openai_provider(faults=["rst-mid-stream"])` or `openai_provider.set_faults(["rst-mid-stream"])`
    makes it misbehave; `openai_provider.requests` is what it saw.
    """
    from hermes_diag.api import Provider
    from hermes_diag.core.errors import HermesDiagError

    marker = request.node.get_closest_marker("openai_provider")
    try:
        made = Provider(*marker.args, **marker.kwargs) if marker is not None else Provider()
    except HermesDiagError as exc:
        pytest.fail(f"openai_provider: {exc.message}: {exc.hint}", pytrace=False)
    except TypeError as exc:  # a keyword that is none
        pytest.fail(f"openai_provider: {exc}: it takes what hermes_diag.provider.Provider takes", pytrace=False)
    with made:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("OPENAI_BASE_URL", made.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "hermes-diag-local")
        if made.ca_file is not None:
            monkeypatch.setenv("SSL_CERT_FILE", str(made.ca_file))
        if made.proxy_url:
            for name, value in (("HTTPS_PROXY", made.proxy_url), ("HTTP_PROXY", made.proxy_url), ("NO_PROXY", "")):
                monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def provider(openai_provider: Provider) -> Provider:
    """The fixture `openai_provider` by a shorter name, for a suite that has no fixture of that name."""
    return openai_provider


@pytest.fixture
def gateway_loop() -> Callable[..., Loop]:
    """Drives a client factory through turns, interrupts and overlaps: see `hermes_diag.api.loop`.

    `gateway_loop(make_client).check()` fails with what went wrong or was left behind.
    """
    from hermes_diag import api

    return api.loop
