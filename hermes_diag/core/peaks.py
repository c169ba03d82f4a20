"""A series of numbers in bounded memory, in which every peak survives. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples that follow each other, taken together. Times are those of the first and the last of them."""

    begin: float
    end: float
    low: int
    high: int
    last: int
    samples: int


class Peaks:
    """Takes samples in the order of their times. Keeps at most `most` stretches: when there are more, each two that
    follow each other become one, with the lowest and the highest value of both."""

    def __init__(self, most: int = 600) -> None:
        self._most = most
        self._whole = 1  # samples that make a stretch whole
        self._kept: list[Stretch] = []

    def __iter__(self) -> Iterator[Stretch]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def together(self) -> int:
        """Samples that are shown as one."""
        return self._whole

    def add(self, at: float, value: int) -> None:
        new = Stretch(at, at, value, value, value, 1)
        if self._kept and self._kept[-1].samples < self._whole:
            self._kept[-1] = _joined(self._kept[-1], new)
            return
        self._kept.append(new)
        if len(self._kept) > self._most:
            pairs = [self._kept[number : number + 2] for number in range(0, len(self._kept), 2)]
            self._kept = [_joined(pair[0], pair[-1]) if len(pair) > 1 else pair[0] for pair in pairs]
            self._whole *= 2


def _joined(one: Stretch, next_: Stretch) -> Stretch:
    return Stretch(
        one.begin,
        next_.end,
        min(one.low, next_.low),
        max(one.high, next_.high),
        next_.last,
        one.samples + next_.samples,
    )
