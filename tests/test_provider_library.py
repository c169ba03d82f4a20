"""The provider as a library: sync and async, by a fixture, typed; the examples of the docs are run as they stand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import openai
import pytest
from conftest import ROOT
from provider_tools import Client, nothing_left, request, until

from hermes_diag.core.errors import UsageError
from hermes_diag.provider import AsyncProvider, Provider

__all__ = ["nothing_left"]
QUIET = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio"]


def pytest_on(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", *QUIET, "--strict-markers", "test_it.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def examples(page: str, heading: str) -> list[str]:
    """The indented blocks with Python under a heading of a page."""
    section = (ROOT / "docs" / page).read_text().split(f"## {heading}\n", 1)[1].split("\n## ")[0]
    blocks: list[list[str]] = [[]]
    for line in section.splitlines():
        if line.startswith("    ") or (not line and blocks[-1]):
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [textwrap.dedent("\n".join(block)) for block in blocks if any("import" in line for line in block)]


EXAMPLES = [
    (page, number, example)
    for page, heading in (("provider.md", "In tests of your own"), ("pytest.md", "A provider for a test"))
    for number, example in enumerate(examples(page, heading))
]


def test_there_are_examples() -> None:
    """The pages have those that are run and type-checked here."""
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize(("page", "number", "example"), EXAMPLES)
def test_the_examples_of_the_docs_run(page: str, number: int, example: str, tmp_path: Path) -> None:
    """As they stand, in a pytest of their own."""
    done = pytest_on(tmp_path, example)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


TYPED = """
import asyncio
from hermes_diag.provider import AsyncProvider, Provider

with Provider(faults=["http-503"], tls=True, port=0, proxy=True, http2=False) as provider:
    url: str = provider.base_url
    statuses: list[int] = [served.status for served in provider.requests]
    provider.set_faults([])
    provider.settle()

async def ask() -> int:
    async with AsyncProvider(models=("gpt-5",), require_key=True) as provider:
        await provider.settle()
        return provider.open_connections

asyncio.run(ask())
"""
WRONG = """
from hermes_diag.provider import AsyncProvider, Provider
Provider(colour="red")
Provider(port="80")
with Provider() as provider:
    status: str = provider.requests[0].status
async def ask() -> None:
    async with AsyncProvider() as provider:
        provider.set_faults(3)
    with AsyncProvider() as never:
        pass
"""


def test_a_type_checker_knows_it(tmp_path: Path) -> None:
    """mypy --strict takes what is right, and finds each of five mistakes."""
    (tmp_path / "right.py").write_text(TYPED)
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "right.py", "wrong.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    found = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert not [line for line in found if line.startswith("right.py")], done.stdout
    assert {line.split(":")[1] for line in found} == {"3", "4", "6", "9", "10"}, done.stdout


async def ask_in_a_loop() -> None:
    async with AsyncProvider(faults=["http-503:request=1"]) as provider:
        for status in (503, 200):
            async with httpx.AsyncClient() as client:
                body = {"model": "gpt-5", "input": "hi"}
                assert (await client.post(provider.base_url + "/responses", json=body)).status_code == status
        await provider.settle()
        assert [served.status for served in provider.requests] == [503, 200]
        assert provider.tally()["fault http-503"] == 1
        provider.set_faults(["http-429"])
        with (
            openai.OpenAI(base_url=provider.base_url, api_key="none", max_retries=0) as blocking,
            pytest.raises(openai.RateLimitError),
        ):
            blocking.responses.create(model="gpt-5", input="hi")  # it blocks this event loop, and is answered
        await provider.settle()
        assert provider.open_connections == 0
    assert len(provider.closed_connections) == 3
    with pytest.raises(RuntimeError, match="any more"):
        await provider.settle()
    with pytest.raises(RuntimeError, match="has run"):
        async with provider:
            pass


def test_async_with() -> None:
    """The same names as `with`, a client of either kind, and what it saw is there after the block."""
    asyncio.run(ask_in_a_loop())


async def cancelled_within_a_block() -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with AsyncProvider():
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_cancelled_block_leaves_nothing() -> None:
    """Its thread and its socket are gone: `nothing_left` counts them."""
    asyncio.run(cancelled_within_a_block())


def test_both_refuse_what_is_wrong_before_they_begin() -> None:
    """The same error for either, and one keyword that is none."""
    for kind in (Provider, AsyncProvider):
        with pytest.raises(UsageError, match="no fault 'http-999'"):
            kind(faults=["http-999"])
        with pytest.raises(TypeError, match="colour"):
            kind(colour="red")  # type: ignore[call-arg]


async def settled_once_it_is_read() -> None:
    async with AsyncProvider(faults=["large-event=32"]) as provider:
        with Client(provider) as client:
            await provider.settle()
            client.socket.sendall(request())
            await asyncio.to_thread(until, lambda: provider.tally()["bytes_out"], "the first byte")
            settling = asyncio.create_task(provider.settle())
            await asyncio.wait([settling], timeout=0.2)
            assert not settling.done()  # this client has not read, and the event fits no socket buffer
            assert (await asyncio.to_thread(client.listen)).whole
            await settling
            assert [served.finished for served in provider.requests] == [True]


def test_settle_waits_for_what_is_under_way() -> None:
    """An answer that is not out is not settled; with nothing under way it is, at once. The loop goes on meanwhile."""
    asyncio.run(settled_once_it_is_read())


OF_THE_FIXTURE = """
import os, pytest, openai

def ask(**options):
    with openai.OpenAI(max_retries=0, **options) as client:
        return client.responses.create(model="gpt-5", input="hi")

def test_no_configuration(openai_provider):
    assert os.environ["OPENAI_BASE_URL"] == openai_provider.base_url
    assert ask().output_text
    openai_provider.set_faults(["http-503"])
    with pytest.raises(openai.InternalServerError):
        ask()

@pytest.mark.openai_provider(faults=["http-429"])
class TestOfAClass:
    def test_the_mark_of_the_class(self, openai_provider):
        with pytest.raises(openai.RateLimitError):
            ask()
    @pytest.mark.openai_provider(faults=["http-409"])
    def test_the_nearest_mark(self, openai_provider):
        with pytest.raises(openai.ConflictError):
            ask()

@pytest.mark.openai_provider(tls=True, proxy=True, reply="echo")
def test_tls_and_a_proxy(openai_provider):
    assert openai_provider.base_url.startswith("https:")
    assert ask().output_text == "hi"
    assert os.environ["HTTPS_PROXY"] == openai_provider.proxy_url

def test_the_short_name(provider, openai_provider):
    assert provider is openai_provider

def test_nothing_is_kept():
    for name in ("OPENAI_BASE_URL", "SSL_CERT_FILE", "HTTPS_PROXY"):
        assert name not in os.environ

@pytest.mark.openai_provider(faults=["http-999"])
def test_wrong_fault(openai_provider): pass
@pytest.mark.openai_provider(colour="red")
def test_wrong_keyword(openai_provider): pass
"""


def test_the_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without configuration, with a marker, and one clear line for a wrong one."""
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    done = pytest_on(tmp_path, OF_THE_FIXTURE)
    assert "6 passed, 2 errors" in done.stdout, done.stdout
    assert "openai_provider: no fault 'http-999'" in done.stdout
    assert "unexpected keyword argument 'colour'" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_fixture_of_the_suite_wins(tmp_path: Path) -> None:
    """A suite with a fixture `provider` of its own keeps it, and has ours by its long name."""
    source = """
import pytest
@pytest.fixture
def provider():
    return "its own"
def test_it(provider, openai_provider):
    assert provider == "its own"
    assert openai_provider.base_url.startswith("http://127.0.0.1:")
"""
    done = pytest_on(tmp_path, source)
    assert "1 passed" in done.stdout, done.stdout
