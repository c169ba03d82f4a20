"""What a user expects of a client: how it is written, and what it makes of what was seen."""

from __future__ import annotations

from typing import Any

import pytest

from hermes_diag.core.errors import UsageError
from hermes_diag.judge import expectations, promises
from hermes_diag.judge.expectations import Expected
from hermes_diag.judge.promises import Audited

SECONDS = {"connect": 5.0, "read": 600.0, "write": 600.0, "pool": 600.0}
ALIKE = {"client": SECONDS, "http_client": SECONDS, "default": SECONDS}
POOL = {"where": "transport", "max_connections": 1000, "max_keepalive": 100, "keepalive_asked": False}
SOCKET = {"keepalive": True, "idle": 30, "interval": 10, "count": 3, "nodelay": True, "port": 7}


#: What an audit tells of a client like the SDK's own.
USUAL: dict[str, Any] = {
    "subject": {"kind": "factory", "client": "OpenAI", "async": False},
    "timeouts": ALIKE,
    "asked": 600,
    "pools": [POOL],
    "default_limits": [1000, 100],
    "http": {"trust_env": True, "own_proxy": False},
    "sockets": [SOCKET],
    "max_retries": 0,
    "retried_turn": "0/1/1",
}


def seen(expect: str, **facts: Any) -> dict[str, str]:
    """The status of each promise of a client like the SDK's own, but for these facts."""
    expected = expectations.parse(expect.split())
    audited = Audited({**USUAL, **facts}, sent={"0/1/1": 1}, through_proxy=1, carried=frozenset({7}), expected=expected)
    return {module.CODE: promises.check(module, audited).status.value for module in promises.modules()}


@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        ("default-timeout", "timeout=600s", "timeout=20s"),
        ("default-limits", "limits=1000/100", "limits=50/10"),
        ("default-limits", "limits=1000", "limits=50"),
        ("keepalive-on-wire", "keepalive=30/10/3", "keepalive=60/10/3"),
        ("proxy-honoured", "proxy=environment", "proxy=own"),
        ("max-retries", "retries=0", "retries=2"),
    ],
)
def test_met_and_not_met(code: str, right: str, wrong: str) -> None:
    """An expectation decides its own promise and no other."""
    without = seen("")
    met, missed = seen(right), seen(wrong)
    assert met[code] == "passed"
    assert missed[code] == "failed"
    del without[code], met[code], missed[code]
    assert met == missed == without


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("default-timeout", {"timeouts": {**ALIKE, "client": {**SECONDS, "read": 30.0}}, "asked": 30}),
        ("default-limits", {"pools": [{**POOL, "max_connections": 50}]}),
        ("proxy-honoured", {"http": {"trust_env": True, "own_proxy": True}}),
    ],
)
def test_the_strict_reading(code: str, facts: dict[str, Any]) -> None:
    """What is noted otherwise fails where the SDK's own values are expected."""
    assert (seen("", **facts)[code], seen("sdk-defaults", **facts)[code]) == ("noted", "failed")


def test_an_accident_is_no_choice() -> None:
    """httpx's own limits, which an injected transport brings along."""
    assert seen("", pools=[{**POOL, "max_connections": 100, "max_keepalive": 20}])["default-limits"] == "failed"


@pytest.mark.parametrize(
    ("seconds", "status"), [(17.0, "failed"), (19.0, "passed"), (20.2, "passed"), (28.0, "passed"), (32.0, "failed")]
)
def test_a_busy_machine_notices_a_timeout_late(seconds: float, status: str) -> None:
    """The wire decides where the client gave up: earlier is another timeout, somewhat later is the machine's part."""
    stall = {"stalled": 40.0, "gave_up_after": seconds, "chain": ("httpx.ReadTimeout",)}
    assert seen("timeout=20s", stall=stall)["default-timeout"] == status


def test_several_at_once() -> None:
    assert expectations.parse(["timeout=2m", "limits=50/10", "separate"]) == Expected(
        timeout=120.0, limits=(50, 10), separate=True
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timeout", "'timeout': cannot be read: write timeout=600s"),
        ("timeout=soon", "'timeout=soon': cannot be read: write timeout=600s"),
        ("limits=ten", "'limits=ten': cannot be read: write limits=1000/100"),
        ("separate=yes", "'separate=yes': cannot be read: write separate"),
        ("proxy=mine", "'proxy=mine': cannot be read: write proxy=environment, proxy=own or proxy=none"),
        ("retrys=2", "'retrys=2': nothing of that name can be expected: did you mean retries?"),
    ],
)
def test_wrong_ones(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        expectations.parse([text])
    assert str(refused.value) == message


def test_twice() -> None:
    with pytest.raises(UsageError, match="retries is given twice"):
        expectations.parse(["retries=1", "retries=2"])
