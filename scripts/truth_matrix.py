"""How often a verdict is right: confusion matrices from labels and from what was said. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from truth_labels import Case

#: In place of a finding: was a problem found at all?
ANY = "any problem"


@dataclass(frozen=True)
class Said:
    """What a check said of a case. untold: what could not be told, and why."""

    exit_code: int
    failed: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    untold: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    seen: tuple[tuple[str, str], ...] = ()  # the sentence of each that failed

    def alike(self) -> tuple[object, ...]:
        """What must be the same in each repetition."""
        return self.exit_code, self.failed, self.noted, tuple(name for name, _ in self.untold)


@dataclass
class Matrix:
    """Of one finding: found where it is (hit) and where it is not (false), missed, untold, and rightly quiet."""

    hit: int = 0
    false: int = 0
    missed: int = 0
    untold: int = 0
    quiet: int = 0

    @property
    def precision(self) -> float | None:
        return self.hit / (self.hit + self.false) if self.hit + self.false else None

    @property
    def recall(self) -> float | None:
        """What could not be told was not found."""
        there = self.hit + self.missed + self.untold
        return self.hit / there if there else None


def matrices(judged: Iterable[tuple[Case, Said]]) -> dict[str, Matrix]:
    """For ANY and for each finding that is labelled or was said."""
    known = [(case, said) for case, said in judged if case.kind in ("healthy", "choice", "faulty")]
    names = {code for case, said in known for code in (*_meant(case), *said.failed)}
    found = {name: Matrix() for name in (ANY, *sorted(names))}
    for case, said in known:
        _add(found[ANY], case.kind == "faulty", said.exit_code == 1, said.exit_code == 3)
        meant = _meant(case)
        either = {other for code in meant for other in code.split("|")}
        unknown = {name for name, _ in said.untold}
        for name in names:
            if name in meant:
                parts = set(name.split("|"))
                _add(found[name], True, bool(parts & set(said.failed)), bool(parts & unknown))
            elif name not in case.also and name not in either and "|" not in name:
                _add(found[name], False, name in said.failed, name in unknown)
    return found


def _meant(case: Case) -> tuple[str, ...]:
    return case.codes if case.kind == "faulty" else ()


def _add(matrix: Matrix, there: bool, said: bool, untold: bool) -> None:
    if said:
        matrix.hit += there
        matrix.false += not there
    elif there:
        matrix.untold += untold
        matrix.missed += not untold
    else:
        matrix.quiet += 1


def wrong(case: Case, said: Said) -> str:
    """What is wrong with a verdict, "" when it is right."""
    if case.kind == "ambiguous":
        return ""
    if case.kind == "untellable":
        return "" if said.exit_code == 3 else f"exit code {said.exit_code}, and nothing can be measured"
    words = []
    meant = _meant(case)
    right = {*case.also, *(other for code in meant for other in code.split("|"))}
    if accused := [code for code in said.failed if code not in right]:
        words.append(f"accused of {', '.join(accused)}")
    if missed := [code for code in meant if not {*code.split("|")} & {*said.failed}]:
        words.append(f"{', '.join(missed)} not found")
    if case.kind == "choice" and case.codes[0] not in (*said.noted, *said.failed):
        words.append(f"{case.codes[0]} not noted")
    if said.exit_code == 3:
        words.append(f"could not tell {', '.join(name for name, _ in said.untold)}")
    return "; ".join(words)


def harmful(case: Case, said: Said) -> bool:
    """Whether the verdict as a whole is wrong: the innocent accused, or the faulty let go."""
    return {"healthy": said.exit_code == 1, "choice": said.exit_code == 1, "faulty": said.exit_code == 0}.get(
        case.kind, False
    )


def flips(runs: Mapping[str, Sequence[Said]]) -> list[str]:
    """Cases that were not told the same in each repetition."""
    return [name for name, said in runs.items() if len({one.alike() for one in said}) > 1]


def could_not_tell(judged: Iterable[tuple[Case, Said]]) -> tuple[int, int, Counter[str]]:
    """(verdicts that told nothing, verdicts, how often for which reason), of cases that can be told."""
    known = [(case, said) for case, said in judged if case.kind in ("healthy", "choice", "faulty")]
    reasons = Counter(f"{name}: {why}" for _, said in known if said.exit_code == 3 for name, why in said.untold)
    return sum(said.exit_code == 3 for _, said in known), len(known), reasons


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


@dataclass
class Result:
    """The corpus run on one interpreter, once or several times: what was said of each case, by its full name."""

    stack: str
    busy: bool
    runs: dict[str, list[Said]] = field(default_factory=dict)
    load: float = 0.0  # how many processes wanted a core on average, those of others included
