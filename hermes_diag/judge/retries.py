"""Whether a retry helps after a failure of the provider, and what requests are sent again. Pure.

The provider tells the turn of a request by the name that the loop gave it. Requests of a turn of the user's own have
no name: they belong to the one turn that was made between two looks, or to none that could be told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hermes_diag.core.evidence import Evidence, Served
from hermes_diag.judge import causes

#: Seconds by which two times of the provider's clock may differ by rounding.
_ROUNDING = 0.001


@dataclass(frozen=True)
class Sent:
    """The requests for a reply of each attempt (`session/turn/attempt`), in their order.

    untold: how many belong to no attempt that could be told.
    """

    attempts: dict[str, tuple[Served, ...]]
    untold: int = 0

    def turns(self) -> dict[str, tuple[Served, ...]]:
        """The same by `session/turn`."""
        found: dict[str, tuple[Served, ...]] = {}
        for name, requests in self.attempts.items():
            turn = name.rpartition("/")[0]
            found[turn] = (*found.get(turn, ()), *requests)
        return found


def sent(evidence: Evidence) -> Sent:
    """What the provider got. Captures of earlier releases have no times: of them nothing is told."""
    asked = sorted((one for one in evidence.served if one.api and one.at is not None), key=_came)
    names = {} if any(one.turn for one in asked) else _alone(evidence, len(asked))
    found: defaultdict[str, list[Served]] = defaultdict(list)
    for number, one in enumerate(asked):
        found[one.turn or names.get(number, "")].append(one)
    untold = len(found.pop("", ()))
    return Sent({name: tuple(requests) for name, requests in found.items()}, untold)


def _alone(evidence: Evidence, requests: int) -> dict[int, str]:
    """The turn of each request, by its number, where one turn only was made between two looks."""
    turns = posts = 0
    found: dict[int, str] = {}
    for look in evidence.barriers:
        if look.posts is None or look.posts > requests:
            return {}
        if look.turns == turns + 1 and turns < len(evidence.turns):
            found |= dict.fromkeys(range(posts, look.posts), causes.name(evidence.turns[turns]))
        turns, posts = look.turns, look.posts
    return found if posts == requests else {}


def again(requests: Iterable[Served]) -> tuple[tuple[Served, Served], ...]:
    """Pairs of a request and the same one sent again, the next after it had been answered.

    Where the same was asked several times at once, nobody can tell which is whose retry: there are no pairs then.
    """
    return tuple(pair for series in alike(requests) for pair in pairwise(series))


def alike(requests: Iterable[Served]) -> tuple[tuple[Served, ...], ...]:
    """The requests that ask the same, one after the other."""
    found: defaultdict[tuple[str, int], list[Served]] = defaultdict(list)
    for one in requests:
        if one.alike:
            found[one.api, one.alike].append(one)
    return tuple(tuple(series) for series in found.values() if _in_turn(series))


def calls(series: Sequence[Served]) -> tuple[tuple[Served, ...], ...]:
    """A series as the calls of an SDK, which counts its own retries of each; of one that does not count, none."""
    found: list[list[Served]] = []
    for one in series:
        if one.retry is None:
            return ()
        if found and one.turn == found[-1][-1].turn and one.retry == (found[-1][-1].retry or 0) + 1:
            found[-1].append(one)
        else:
            found.append([one])
    return tuple(map(tuple, found))


def failed(one: Served) -> bool:
    """Whether a request came to no good answer."""
    return one.status >= 400 or not one.finished


def _in_turn(series: Sequence[Served]) -> bool:
    return all(first.over is not None and first.over <= _came(then) + _ROUNDING for first, then in pairwise(series))


def _came(one: Served) -> float:
    return one.at or 0.0


def lost(evidence: Evidence, *kinds: str) -> str:
    """The first attempt failed for one of those causes, every retry on a closed client; "" if one got through."""
    first = [turn for turn in evidence.turns if turn.attempt == 1 and turn.outcome == "error"]
    cause = next((causes.of(turn) for turn in first if causes.of(turn) in kinds), "")
    if not cause:
        return ""
    retries = [turn for turn in evidence.turns if turn.attempt > 1]
    failed = causes.by_cause(tuple(retries), causes.CLIENT_CLOSED)
    if not retries or len(failed) < len(retries):
        return ""
    return f"{cause}, then {len(failed)} of {len(retries)} retries on a closed client"
