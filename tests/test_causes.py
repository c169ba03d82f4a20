"""Failures are told apart by their cause chain, alike on both generations of the SDK."""

from __future__ import annotations

import pytest

from hermes_diag.judge import causes
from hermes_diag.worker.contract import TurnDone

CLOSED = "client has been closed"


def turn(*chain: str, errno: int | None = None, phrase: str | None = None, status: int | None = None) -> TurnDone:
    return TurnDone(1, 2, 1, "error", 0, 1.0, None, 1, chain, errno, phrase, status)


@pytest.mark.parametrize(
    ("failed", "cause"),
    [
        (turn("openai.APIConnectionError", "builtins.RuntimeError", phrase=CLOSED), causes.CLIENT_CLOSED),
        (turn("builtins.RuntimeError", phrase=CLOSED), causes.CLIENT_CLOSED),
        (turn("builtins.RuntimeError"), causes.OTHER),
        (turn("httpx.ReadError", "httpcore.ReadError", "builtins.OSError", errno=9), causes.FD_CLOSED),
        (turn("openai.APIConnectionError", "httpx2.ReadError", "builtins.OSError", errno=9), causes.FD_CLOSED),
        (turn("httpx.ReadError", "httpcore.ReadError", errno=104), "connection lost while reading"),
        (turn("openai.APITimeoutError", "httpx.PoolTimeout", "httpcore.PoolTimeout"), causes.POOL_TIMEOUT),
        (turn("openai.APITimeoutError", "httpx2.ReadTimeout"), "read timeout"),
        (turn("httpx.RemoteProtocolError"), "cut by the provider"),
        (turn("openai.APIConnectionError", "httpx2.RemoteProtocolError"), "cut by the provider"),
        (turn("openai.RateLimitError", status=429), "HTTP 429"),
    ],
)
def test_cause(failed: TurnDone, cause: str) -> None:
    """The class on the surface decides nothing."""
    assert causes.of(failed) == cause


def test_names() -> None:
    """A turn is named as the loop names it to the provider."""
    assert causes.name(turn("a.B")) == "1/2/1"
    assert causes.surface(turn("openai.APIConnectionError", "builtins.RuntimeError")) == "APIConnectionError"
