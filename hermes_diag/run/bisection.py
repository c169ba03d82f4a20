"""Carries out a bisection: runs what is to be tried next, as often as it takes, and keeps what is known in a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hermes_diag.core import bounds, new_file, reading, units
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.escape import json_bytes
from hermes_diag.core.trials import Step, Tried
from hermes_diag.judge import bisection as judged
from hermes_diag.judge.bisection import BEGUN, LEAST, MOST, NOT_SHOWN, NOT_TRIED, SHOWN, SKIPPED, Run

SCHEMA = 1
#: Bytes of the file at most: 20 runs of each of 1,000 candidates are less.
MAX_BYTES = 16 * reading.MIB
#: Runs a candidate once: (its place, how many runs this makes). Raises KeyboardInterrupt.
Try = Callable[[int, int], Tried]


@dataclass
class Known:
    """What is in the file. question: what was asked, so that no other question is answered with it."""

    question: str
    runs: dict[str, list[Run]] = field(default_factory=dict)
    schema: int = SCHEMA


def load(path: Path, question: str) -> Known:
    """What earlier runs have found out. Raises UsageError for another question's file."""
    try:
        data = reading.whole(path, MAX_BYTES)
        found: Known = bounds.decoded(Known, data)
    except FileNotFoundError:
        return Known(question)
    except (OSError, *bounds.NOT_OF_ITS_TYPE):
        raise UsageError(f"{path} is no file of a bisection", "name another with --state") from None
    if (found.question, found.schema) != (question, SCHEMA):
        raise UsageError(f"{path} is of another question", "name another with --state")
    return found


def save(path: Path, known: Known) -> None:
    """Write it whole or not at all. Raises CannotMeasure."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new_file.replace(path, json_bytes(known))
    except OSError as exc:
        raise CannotMeasure(f"cannot write {path}: {exc.strerror}", "name another with --state") from None


class Bisection:
    """A bisection under way. `steps()` may be asked at any time, also after an interruption."""

    def __init__(
        self, names: Sequence[str], keys: Sequence[str], good: int, bad: int, once: Try, known: Known, path: Path | None
    ) -> None:
        """names, keys: of the candidates, the oldest first; good, bad: which of them are the ends. path: None: what is
        found out is not kept."""
        self.names, self.good, self.bad = list(names), good, bad
        self.finding: set[str] = set()
        self._keys = keys
        self._once = once
        self._known = known
        self._path = path
        self._missing: dict[int, str] = {}
        self._states: dict[int, str] = {}

    def runs(self, at: int) -> list[Run]:
        return self._known.runs.setdefault(self._keys[at], [])

    @property
    def at_bad(self) -> tuple[int, int]:
        """In how many of how many runs the bad end shows it."""
        return judged.shows(self.runs(self.bad), self.finding), len(self.runs(self.bad))

    def run(self, asked: set[str]) -> None:
        """Find the border. asked: the finding; empty: any problem that the bad end shows and the good one does not.

        Raises UsageError when the ends are not as was said, CannotMeasure when one cannot be measured.
        """
        self._verify_bad(asked)
        self._verify_good(asked)
        while (at := judged.following(self._states, self.good, self.bad)) is not None:
            self._states[at] = self._judge(at)

    def _verify_bad(self, asked: set[str]) -> None:
        self.finding = set(asked)
        runs = self.runs(self.bad)
        while len(runs) < LEAST or (len(runs) < MOST and not self._shown(runs, asked)):
            if not self._again(self.bad):
                raise CannotMeasure(f"the bad end {self.names[self.bad]} cannot be measured: {self._missing[self.bad]}")
        if not self._shown(runs, asked):
            what = " or ".join(sorted(asked)) or "any problem"
            raise UsageError(
                f"the bad end {self.names[self.bad]} does not show {what} in {units.count(len(runs), 'run')}",
                "hermes-diag matrix says what each target leaves; another --workload may show it",
            )
        self._states[self.bad] = SHOWN
        self.finding = set(asked) or judged.seen(runs)

    def _shown(self, runs: Sequence[Run], asked: set[str]) -> bool:
        found = judged.seen(runs)
        return bool(found & asked if asked else found)

    def _verify_good(self, asked: set[str]) -> None:
        name, runs, offered = self.names[self.good], self.runs(self.good), set(self.finding)
        while True:
            shown = judged.seen(runs) & self.finding
            if shown and (asked or not self.finding - shown):
                hint = "" if asked else f"; {self.names[self.bad]} shows no other problem"
                both = " and ".join(sorted(judged.seen(runs) & offered))
                raise UsageError(f"the good end {name} shows {both}{hint}", "name another")
            self.finding -= shown
            if len(runs) >= judged.repetitions(*self.at_bad):
                break
            if not self._again(self.good):
                raise CannotMeasure(f"the good end {name} cannot be measured: {self._missing[self.good]}")
        self._states[self.good] = NOT_SHOWN

    def _judge(self, at: int) -> str:
        """Run a candidate until it shows the finding, or has not in as many runs as it takes."""
        runs = self.runs(at)
        while not judged.shows(runs, self.finding):
            if len(runs) >= judged.repetitions(*self.at_bad):
                return NOT_SHOWN
            if not self._again(at):
                return SKIPPED
        return SHOWN

    def _again(self, at: int) -> bool:
        """One run more; False when it could not be measured."""
        tried = self._once(at, len(self.runs(at)) + 1)
        missing = tried.missing or next((one.missing for one in tried.trials if one.missing), "")
        if missing or not tried.trials:
            self._missing[at] = missing or "nothing was measured"
            return False
        self.runs(at).append(tried.trials)
        if self._path is not None:
            save(self._path, self._known)
        return True

    def steps(self) -> list[Step]:
        """Every candidate with what is known of it."""
        return [self._step(at, name) for at, name in enumerate(self.names)]

    def _step(self, at: int, name: str) -> Step:
        runs = self.runs(at)
        state = self._states.get(at, BEGUN if runs else NOT_TRIED)
        return Step(name, state, judged.shows(runs, self.finding), tuple(runs), self._missing.get(at, ""))
