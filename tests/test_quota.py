"""Quotas: buckets by a clock of our own, what is told of them on the wire, and what a client finds after the wait."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from provider_tools import (
    BODY,
    PATIENCE,
    Client,
    Heard,
    nothing_left,  # noqa: F401 - in force in this module
    request,
)
from websocket_tools import RawClient

from hermes_diag.core.errors import UsageError
from hermes_diag.provider import Provider
from hermes_diag.provider.answers import retry_after
from hermes_diag.provider.quota import Bucket, Quota

#: Ten requests a second, two of them at once.
SMALL = "rate-limit=600:burst=2"


# --- buckets, by a clock of our own ------------------------------------------------------------------


def test_a_bucket_is_full_at_first_and_fills_all_the_time() -> None:
    bucket = Bucket(60, 10, 100.0)
    assert bucket.level(100.0) == 10
    bucket.take(10, 100.0)
    assert bucket.wait(1, 100.0) == 1.0
    assert bucket.wait(1, 100.75) == 0.25
    assert bucket.level(103.0) == 3
    assert bucket.full_in(103.0) == 7
    assert bucket.level(1000.0) == 10, "it holds no more than its size"


@pytest.mark.parametrize("per_minute", [1, 7, 60, 599, 30_000])
def test_who_waits_as_told_is_served_and_who_comes_earlier_is_not(per_minute: int) -> None:
    """Whatever the numbers are, the wait that is told is the one that it takes."""
    quota, now = Quota(per_minute, 0, 1, retry_after.SECONDS, 0.0), 0.0
    assert quota.take(1, now) is None
    for _ in range(200):
        refusal = quota.take(1, now)
        assert refusal is not None
        assert refusal.kind == "requests"
        assert refusal.seconds is not None
        assert quota.take(1, now + refusal.seconds * 0.99) is not None
        now += refusal.seconds
        assert quota.take(1, now) is None


def test_a_refused_request_takes_nothing_of_either_bucket() -> None:
    quota = Quota(60, 600, 2, retry_after.SECONDS, 0.0)
    assert quota.take(500, 0.0) is None
    refusal = quota.take(200, 0.0)
    assert refusal is not None
    assert (refusal.kind, refusal.limit, refusal.used, refusal.requested) == ("tokens", 600, 500, 200)
    assert refusal.seconds == 10
    assert quota.buckets["requests"].level(0.0) == 1
    assert quota.take(100, 0.0) is None


def test_the_tokens_of_an_answer_make_the_next_wait_longer() -> None:
    quota = Quota(600, 600, 0, retry_after.SECONDS, 0.0)
    assert quota.take(600, 0.0) is None
    quota.spend(300, 0.0)
    refusal = quota.take(10, 0.0)
    assert refusal is not None
    assert refusal.seconds == 31


def test_more_than_the_quota_ever_holds_is_never_taken() -> None:
    quota = Quota(600, 100, 0, retry_after.SECONDS, 0.0)
    refusal = quota.take(101, 0.0)
    assert refusal is not None
    assert refusal.seconds is None
    assert quota.take(100, 0.0) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.02, "20ms"), (0.9999, "1s"), (1, "1s"), (1.5, "1.5s"), (59.9999, "1m0s"), (360, "6m0s"), (3630.5, "1h0m30.5s")],
)
def test_durations_are_written_as_the_provider_writes_them(seconds: float, text: str) -> None:
    assert retry_after.duration(seconds) == text


@pytest.mark.parametrize(("way", "wait"), [("seconds", 2.0), ("date", 2.0), ("ms", 1.3), ("none", None)])
def test_what_is_told_is_read_again(way: str, wait: float | None) -> None:
    """1.3 s at a whole second: Retry-After knows no parts of one, and is rounded up."""
    assert retry_after.told(retry_after.headers(way, 1.3, 1_800_000_000.0), 1_800_000_000.0) == wait


def test_what_is_no_wait_is_none() -> None:
    assert retry_after.told((("retry-after", "soon"),), 0.0) is None


# --- on the wire -------------------------------------------------------------------------------------


def limits(heard: Heard) -> dict[str, str]:
    return {name: value for name, value in heard.headers.items() if "ratelimit" in name}


def error(heard: Heard) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(heard.body)["error"]
    return found


def test_a_burst_is_answered_then_refused_and_time_alone_mends_it() -> None:
    """Two at once, the third is told to wait; after the wait it is answered, and nothing else was done."""
    with Provider([f"{SMALL}:retry_after=ms"]) as provider, Client(provider) as client:
        first, second, third = (client.ask() for _ in range(3))
        assert [one.status for one in (first, second, third)] == [200, 200, 429]
        assert first.whole
        assert first.headers["x-ratelimit-limit-requests"] == "600"
        assert [int(one.headers["x-ratelimit-remaining-requests"]) for one in (first, second, third)] == [1, 0, 0]
        assert third.headers["retry-after"] == "1"
        assert 0 < int(third.headers["retry-after-ms"]) <= 100
        told = error(third)
        assert (told["type"], told["code"]) == ("requests", "rate_limit_exceeded")
        assert told["message"].startswith("Rate limit reached for gpt-5 in organization")
        assert told["message"].endswith(f"Please try again in {third.headers['retry-after-ms']}ms.")
        time.sleep(int(third.headers["retry-after-ms"]) / 1000)
        assert client.ask().status == 200
    assert provider.tally()["fault rate-limit"] == 1
    assert provider.tally()["fault healthy"] == 3
    assert [one.wait for one in provider.requests][:2] == [None, None]
    assert provider.requests[2].wait == int(third.headers["retry-after-ms"]) / 1000


def test_without_a_quota_nothing_is_limited_and_nothing_is_told() -> None:
    with Provider() as provider, Client(provider) as client:
        heard = [client.ask() for _ in range(20)]
    assert [one.status for one in heard] == [200] * 20
    assert not any(limits(one) or "retry-after" in one.headers for one in heard)


@pytest.mark.parametrize("way", retry_after.WAYS)
def test_each_way_to_tell_the_wait(way: str) -> None:
    """Ten a minute, one at once: 6 s."""
    with Provider([f"rate-limit=10:burst=1:retry_after={way}"]) as provider, Client(provider) as client:
        client.ask()
        before = time.time()
        heard = client.ask()
    assert heard.status == 429
    told = heard.headers.get("retry-after")
    assert ("retry-after-ms" in heard.headers) == (way == "ms")
    if way == "none":
        assert told is None
    elif way == "date":
        assert told is not None
        assert 5.5 <= parsedate_to_datetime(told.title().replace("Gmt", "GMT")).timestamp() - before <= 7.5
    else:
        assert told == "6"


def test_tokens_are_counted_of_the_question_and_of_the_answer() -> None:
    """80 characters are 21 tokens with what is around them, and the built-in answer has 8."""
    body = {**BODY, "input": "x" * 80}
    with Provider(["rate-limit=600:tokens=30"]) as provider, Client(provider) as client:
        first, second = client.ask(request(body=body)), client.ask(request(body=body))
        huge = client.ask(request(body={**BODY, "input": "x" * 1000}))
    assert (first.status, second.status, huge.status) == (200, 429, 429)
    assert first.headers["x-ratelimit-limit-tokens"] == "30"
    assert first.headers["x-ratelimit-remaining-tokens"] == "9"
    assert error(second)["type"] == "tokens"
    assert 30 <= int(second.headers["retry-after"]) <= 40, "of 21 tokens 1 is left: 20, at one in 2 s"
    assert "Request too large" in error(huge)["message"]
    assert "retry-after" not in huge.headers


def test_anthropic_has_names_and_a_body_of_its_own() -> None:
    body = {"model": "claude", "max_tokens": 8, "messages": [{"role": "user", "content": "hi"}]}
    with Provider(["rate-limit=10:burst=1"]) as provider, Client(provider) as client:
        first, second = (client.ask(request("/v1/messages", body)) for _ in range(2))
    assert (first.status, second.status) == (200, 429)
    assert first.headers["anthropic-ratelimit-requests-limit"] == "10"
    assert first.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert first.headers["anthropic-ratelimit-requests-reset"].endswith("z")
    assert not any(name.startswith("x-ratelimit") for name in first.headers)
    assert second.headers["retry-after"] == "6"
    told = json.loads(second.body)
    assert (told["type"], told["error"]["type"]) == ("error", "rate_limit_error")


def test_a_turn_over_a_websocket_is_told_the_same() -> None:
    with Provider(["rate-limit=10:burst=1"]) as provider, RawClient(provider) as client:
        first, second = client.turn(), client.turn()
    assert first.types[-1] == "response.completed"
    (told,) = second.messages
    assert (told["type"], told["status"], told["error"]["code"]) == ("error", 429, "rate_limit_exceeded")
    assert told["headers"]["retry-after"] == "6"
    assert told["headers"]["x-ratelimit-remaining-requests"] == "0"


def test_a_refused_request_uses_up_no_reply_and_no_fault_and_the_list_of_models_counts_for_nothing() -> None:
    with Provider([f"{SMALL}", "http-500:request=2"]) as provider, Client(provider) as client:
        assert [client.ask(request("/v1/models", b"", "GET")).status for _ in range(5)] == [200] * 5
        assert [client.ask().status for _ in range(3)] == [200, 500, 429]


def test_setting_the_faults_again_makes_a_new_quota() -> None:
    with Provider(["rate-limit=1"]) as provider, Client(provider, timeout=PATIENCE) as client:
        assert [client.ask().status for _ in range(2)] == [200, 429]
        provider.set_faults(["rate-limit=1"])
        assert [client.ask().status for _ in range(2)] == [200, 429]
        provider.set_faults([])
        assert [client.ask().status for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (["rate-limit=0"], "at least 1 request"),
        (["rate-limit=many"], "whole number"),
        (["rate-limit=60:retry_after=later"], "seconds, date, ms, none"),
        (["rate-limit=60:every=2"], "has no 'every'"),
        (["rate-limit=60", "rate-limit=10"], "two quotas"),
    ],
)
def test_what_is_no_quota_is_refused_in_words(faults: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        Provider(faults)
    assert words in str(caught.value)


def test_what_is_remembered_of_requests_tells_equal_ones_and_nothing_of_them() -> None:
    """The same question with the same key is alike; with another key or another question it is not."""
    other = {**BODY, "input": "ho"}
    with Provider() as provider, Client(provider) as client:
        for body, key, retry in ((BODY, "a", "0"), (BODY, "a", "1"), (BODY, "b", "x"), (other, "a", "12345")):
            client.ask(request(body=body, authorization=f"Bearer {key}", x_stainless_retry_count=retry))
    a, b, c, d = provider.requests
    assert a.alike == b.alike != 0
    assert len({a.alike, c.alike, d.alike}) == 3
    assert [one.retry for one in (a, b, c, d)] == [0, 1, None, None]
    assert 0 <= a.at <= a.over <= b.at <= b.over
