"""Requests and tokens a minute, as buckets that fill continuously. Pure: whoever asks says what time it is.

Times are seconds of any clock that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass

REQUESTS, TOKENS = "requests", "tokens"


class Bucket:
    """Holds `size` at most, is full at first, and fills by `per_minute` in a minute. It may be in debt."""

    def __init__(self, per_minute: int, size: int, now: float) -> None:
        self.per_minute = per_minute
        self.size = size
        self._rate = per_minute / 60
        self._level = float(size)
        self._at = now

    def level(self, now: float) -> float:
        """What is in it."""
        self._level = min(float(self.size), self._level + (now - self._at) * self._rate)
        self._at = now
        return self._level

    def take(self, amount: float, now: float) -> None:
        """Take so much out, be it there or not."""
        self._level = self.level(now) - amount

    def wait(self, amount: float, now: float) -> float:
        """Seconds until it holds so much; 0 when it does. It never holds more than its size."""
        # What is missing by rounding alone is there: who waits exactly as long as told must find it.
        missing = amount - self.level(now)
        return missing / self._rate if missing > 1e-6 else 0.0

    def full_in(self, now: float) -> float:
        """Seconds until it is full."""
        return self.wait(self.size, now)


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused. kind: "requests" or "tokens". seconds: until it would be taken; None: never."""

    kind: str
    limit: int
    used: int
    requested: int
    seconds: float | None


class Quota:
    """A limit of requests a minute, `burst` of them at once, and of tokens a minute (0: none).

    retry_after: how a refused client is told to wait; see `retry_after.headers`.
    """

    def __init__(self, requests: int, tokens: int, burst: int, retry_after: str, now: float) -> None:
        self.retry_after = retry_after
        self.buckets = {REQUESTS: Bucket(requests, burst or requests, now)}
        if tokens:
            self.buckets[TOKENS] = Bucket(tokens, tokens, now)

    def take(self, tokens: int, now: float) -> Refusal | None:
        """Take one request with so many tokens of input; a refused one takes nothing."""
        wanted = {REQUESTS: 1, TOKENS: tokens}
        waits = {kind: bucket.wait(wanted[kind], now) for kind, bucket in self.buckets.items()}
        kind = max(waits, key=lambda name: waits[name])
        if waits[kind]:
            bucket = self.buckets[kind]
            used = round(bucket.size - bucket.level(now))
            seconds = waits[kind] if wanted[kind] <= bucket.size else None
            return Refusal(kind, bucket.per_minute, used, wanted[kind], seconds)
        for name, bucket in self.buckets.items():
            bucket.take(wanted[name], now)
        return None

    def spend(self, tokens: int, now: float) -> None:
        """Take the tokens of an answer, which is known only once it was given."""
        if TOKENS in self.buckets:
            self.buckets[TOKENS].take(tokens, now)
