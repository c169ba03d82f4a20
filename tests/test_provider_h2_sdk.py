"""The official SDK of each generation over HTTP/2: typed events, faults, and many requests on one connection."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from exception_table import SPECS, play
from provider_tools import OPENAI_2, OPENAI_3, PATIENCE, Probe, has_h2, nothing_left, unknown_but_store  # noqa: F401

from hermes_diag.provider import Provider, faults

HEALTHY = 16  # events of the healthy reply
GENERATIONS = [
    pytest.param(OPENAI_2, id="openai2"),
    pytest.param(
        OPENAI_3, id="openai3", marks=pytest.mark.skipif(not has_h2(OPENAI_3), reason="no Python with openai 3 and h2")
    ),
]


@pytest.fixture(autouse=True)
def _bounded(nothing_left: None) -> None:  # noqa: F811
    """No descriptor and no thread is left."""


def ask(probe: Probe, spec: list[str], timeout: float = PATIENCE, **order: Any) -> Any:
    """What one request over HTTP/2 brings."""
    told: list[str] = []
    with Provider(spec, tls=True, observer=lambda happened: told.append(happened.what)) as provider:
        probe.tell(base_url=provider.base_url, ca=str(provider.ca_file), timeout=timeout, http2=True, **order)
        heard = probe.hear()
    assert "speaks HTTP/2" in told
    return heard


@pytest.mark.parametrize("python", GENERATIONS)
def test_every_event_parses_into_its_class(python: str) -> None:
    with Probe(python) as probe:
        for api in ("responses", "chat"):
            heard = ask(probe, [], api=api, strict=True)
            assert (heard["chain"], unknown_but_store(heard["problems"])) == ([], [])
            assert heard["count"] > 3


@pytest.mark.parametrize("python", GENERATIONS)
def test_valid_faults_stay_valid(python: str) -> None:
    """What is large, long, slow or squeezed is still a stream that the SDK reads to its end, whatever its window."""
    with Probe(python) as probe:
        for spec, count in (
            ("large-event=8", HEALTHY + 1),
            ("long-stream=20000", 20_000),
            ("gzip", HEALTHY),
            ("redirect", HEALTHY),
            ("slow-events=0.01", HEALTHY),
            ("connection-close", HEALTHY),
            ("h2-shrink", HEALTHY),
        ):
            assert (spec, ask(probe, [spec], timeout=60)["count"]) == (spec, count)


@pytest.mark.parametrize("python", GENERATIONS)
def test_faults_show(python: str) -> None:
    """With the fault the SDK raises after so many events; the next request, without one, is healthy."""
    with Probe(python) as probe:
        for spec, count, raised in (
            ("fin-before-headers", 0, "APIConnectionError"),
            ("fin-mid-stream", 3, "RemoteProtocolError"),
            ("h2-goaway=0:last=before", 0, "APIConnectionError"),
            ("h2-goaway:last=before", 3, "RemoteProtocolError"),
            ("h2-reset-stream", 3, "RemoteProtocolError"),
            ("h2-reset-stream=0:code=refused-stream", 0, "APIConnectionError"),
            ("http-429", 0, "RateLimitError"),
            ("http-500", 0, "InternalServerError"),
            ("truncated-chunk", 3, "RemoteProtocolError"),
        ):
            heard = ask(probe, [spec])
            assert (spec, heard["count"]) == (spec, count)
            assert raised in {name.partition(".")[2] for name in heard["chain"]}, spec
            healthy = ask(probe, [])
            assert (healthy["count"], healthy["chain"]) == (HEALTHY, [])


@pytest.mark.parametrize("python", GENERATIONS)
def test_each_fault_of_http2_and_none(python: str) -> None:
    """The rows of docs/provider-exceptions.md come from the faults: without them two requests raise nothing."""
    own = [name for name in faults.catalogue() if name.startswith("h2-")]
    with Probe(python) as probe:
        shown = {name for name in own if play(probe, name, SPECS[name])["chain"]}
        assert shown == {"h2-goaway", "h2-reset-stream", "h2-window"}
        for _ in range(2):
            assert ask(probe, [])["chain"] == []


# Tasks of one event loop: threads that share a connection have httpcore read and write one TLS object at the same time,
# and on a busy machine one run in ten ends with "Server disconnected" and a reset by the client.
MANY = """
import asyncio, sys, openai
base_url, count = sys.argv[1], int(sys.argv[2])
async def turn(client):
    async with await client.responses.create(model="gpt-5", input="hi", stream=True) as stream:
        return len([event async for event in stream])
async def main():
    transport = openai.DefaultAsyncHttpxClient(http2=True)
    async with openai.AsyncOpenAI(api_key="none", base_url=base_url, max_retries=0, timeout=20,
                                  http_client=transport) as client:
        first = await turn(client)  # the connection is there
        print(sorted([first, *await asyncio.gather(*(turn(client) for _ in range(count)))]))
asyncio.run(main())
"""


@pytest.mark.parametrize("python", GENERATIONS)
def test_many_at_once_share_one_connection(python: str) -> None:
    """Tasks on one client: their streams go over one connection, side by side."""
    with Provider(["slow-events=0.01"], tls=True) as provider:
        done = subprocess.run(
            [python, "-c", MANY, provider.base_url, "20"],
            env={"SSL_CERT_FILE": str(provider.ca_file)},
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
        )
        assert done.stdout.strip() == str([HEALTHY] * 21), done.stderr
        assert provider.tally()["connections"] == 1
        assert provider.tally()["requests"] == 21
