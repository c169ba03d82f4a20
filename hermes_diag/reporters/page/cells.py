"""The part of the page that is about one cell: its timeline, its lifelines, its pools, its turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.report import CellReport
from hermes_diag.judge import causes
from hermes_diag.reporters.page import lives, states, strokes, timeline
from hermes_diag.reporters.page.lives import Life
from hermes_diag.reporters.page.strokes import Places
from hermes_diag.reporters.page.svg import Time, lasted, moment
from hermes_diag.reporters.page.timeline import Look, Tick, Timeline
from hermes_diag.reporters.page.view import BAD, GOOD, UNSURE, Badge, Chart, Entry, Line, Section, Table, badge, entries
from hermes_diag.worker.contract import TurnDone

#: Rows of a table.
ROWS = 60
#: The name of a request that is no turn, as the workload `measure` sends it.
MEASUREMENT = "0/0/1"
#: Words of a cell without a problem.
WELL = ("ok", "too short")
#: What is said of a connection that stays open in a cell with a problem.
NEVER = "never closed"


class CellView:
    """Makes the section of one cell, and says where on the page its turns are. number: of the cell in the report. most:
    lifelines that there is room for."""

    def __init__(self, number: int, report: CellReport, evidence: Evidence, most: int = lives.MOST) -> None:
        self.anchor = f"cell-{number}"
        self.report = report
        self._number = number
        self._evidence = evidence
        self._lives = lives.of(evidence)
        self._drawn = lives.chosen(self._lives, min(most, lives.MOST))
        self._time = _time(evidence, self._lives)
        self._open = "still open" if report.word in (*WELL, "no result") else NEVER  # growth accuses, presence does not
        self._shown = _worst(evidence.turns)
        drawn = {turn: one for one in self._drawn for turn in one.turns}
        self._of_turn = {turn: self._life_anchor(one) for turn, one in drawn.items()}
        self._rows = {causes.name(turn) for turn in self._shown}

    def anchor_of(self, turn: str) -> str:
        """Of the lifeline of a turn, else of its row; "" when neither is on the page."""
        return self._of_turn.get(turn) or (self._turn_anchor(turn) if turn in self._rows else "")

    def parts(self) -> Iterator[tuple[str, str]]:
        """(name, anchor) of the charts that there are."""
        for chart in self._charts:
            yield chart.name.lower(), chart.anchor

    def section(self, facts: Sequence[str], judged: Badge | None = None) -> Section:
        """facts: the numbers of the cell in words. judged: as what, where that is not the word of the cell."""
        hung = self._evidence.outcome.frames if self._evidence.outcome.how == "hung" else ()
        return Section(
            self.anchor,
            self.report.cell.name,
            judged or word(self.report),
            facts,
            self._charts,
            unfolded=judged.tone == "bad" if judged else self.report.word not in WELL or bool(self.report.flaws),
            turns=self._turns(),
            stack=hung,
        )

    def _life_anchor(self, one: Life) -> str:
        return f"life-{self._number}-{one.serial or f'port-{one.port}'}"

    def _turn_anchor(self, turn: str) -> str:
        return f"turn-{self._number}-{turn.replace('/', '-')}"

    @cached_property
    def _charts(self) -> tuple[Chart, ...]:
        return tuple(self._drawings())

    def _drawings(self) -> Iterator[Chart]:
        if self._evidence.samples:
            yield self._timeline()
        if self._lives:
            yield self._lifelines()
        places = list(_places(self._evidence))  # none in a capture that ends between a pool and its barrier
        if any(one.connections for one in self._evidence.pools) and places:
            yield self._pools(places)

    # --- the timeline ----------------------------------------------------------------------------

    def _timeline(self) -> Chart:
        seen = self._evidence
        looks, together = timeline.gathered(Look(one.at, _classes(one.states)) for one in seen.samples)
        turns = [Tick(one.at, one.outcome) for one in seen.turns if one.at is not None]
        barriers = [(one.at, one.label) for one in seen.barriers]
        line = Timeline(self._time, looks, turns, barriers, together)
        said = self._said(line)
        notes = []
        if together > 1:
            notes.append(
                f"Each step stands for {together:,} looks and shows the highest count of each state among them."
            )
        if seen.turns and not turns:
            notes.append("The capture is of an earlier release: it does not say when turns ended.")
        return Chart(
            f"{self.anchor}-timeline",
            "Timeline",
            said,
            [shown for shown in states.ALL if any(shown[0] in look.counts for look in looks)] + _marks(turns),
            _barrier_table(seen),
            timeline.chart(line, said),
            points="\n".join(timeline.points(line)),
            notes=notes,
        )

    def _said(self, line: Timeline) -> str:
        seen = self._evidence
        peaks = {
            shown[1]: max((look.counts.get(shown[0], 0) for look in line.looks), default=0) for shown in states.ALL
        }
        most = ", ".join(f"{count:,} {name}" for name, count in peaks.items() if count) or "no sockets"
        failed = sum(turn.outcome == "error" for turn in seen.turns)
        turns = f"{units.count(len(seen.turns), 'turn')}, {failed:,} with an error; " if seen.turns else ""
        span = lasted(self._time.end - self._time.begin)
        return f"Sockets towards the provider over {span}: {turns}at most {most}."

    # --- lifelines -------------------------------------------------------------------------------

    def _lifelines(self) -> Chart:
        open_ = sum(not one.ends for one in self._lives)
        said = f"{units.count(len(self._lives), 'connection')} to the provider, " + (
            f"{open_:,} still open at the last look." if open_ else "all closed."
        )
        left = len(self._lives) - len(self._drawn)
        notes = [f"{left:,} more are not drawn: those that never end and the longest come first."] if left else []
        used = {stretch.state for one in self._drawn for stretch in one.stretches}
        legend = [shown for shown in states.ALL if shown in map(states.of, used)]
        if open_ < len(self._lives):
            legend.append(("ended", "closed", "a line that ends: the connection was closed"))
        if open_:
            accused = " accused" if self._open == NEVER else ""
            legend.append((f"endless{accused}", self._open, "an arrow: open at the last look"))
        return Chart(
            f"{self.anchor}-lifelines",
            "Lifelines",
            said,
            legend,
            self._life_table(),
            strokes.scale(self._time),
            lines=[self._line(one) for one in self._drawn],
            notes=notes,
        )

    def _line(self, one: Life) -> Line:
        place = self._place(one)
        short = place.rpartition("/")[2]
        end = lasted(one.end - one.begin) if one.ends else self._open
        accused = not one.ends and self._open == NEVER
        svg = strokes.lifeline(one, self._time, accused)
        return Line(self._life_anchor(one), who(one.turns), short, place, end, accused, svg)

    def _place(self, one: Life) -> str:
        made = self._evidence.facts.get("defined")
        return one.place or (f"{made['file']}:{made['line']}" if made else "")

    def _life_table(self) -> Table:
        rows = [
            [
                Entry(who(one.turns)),
                Entry(self._place(one) or "not known"),
                Entry(moment(one.begin)),
                Entry(moment(one.end) if one.ends else self._open),
                Entry(", ".join(f"{stretch.state} {lasted(stretch.end - stretch.begin)}" for stretch in one.stretches)),
                Entry(" with a ".join(filter(None, (one.closed_first, one.how))) or "nobody"),
            ]
            for one in self._drawn
        ]
        return Table(("used by", "opened at", "opened", "closed", "states", "closed first by"), rows)

    # --- pools -----------------------------------------------------------------------------------

    def _pools(self, places: Sequence[Places]) -> Chart:
        fullest = max(places, key=lambda one: one.taken)
        limit = f" of {fullest.limit:,}" if fullest.limit else ""
        most = f"at most {fullest.taken:,}{limit} places taken, {places[-1].taken:,} at the end"
        said = f"The fullest pool of a client: {most}."
        rows = [
            entries(moment(one.at), f"{one.busy:,}", f"{one.idle:,}", f"{one.lost:,}", str(one.limit or "none"))
            for one in places[-ROWS:]
        ]
        return Chart(
            f"{self.anchor}-pools",
            "Pool",
            said,
            [shown for shown in strokes.PLACES if any(getattr(one, shown[0]) for one in places)],
            Table(("barrier at", "in use", "idle", "without a socket", "limit"), rows),
            strokes.pool(self._time, places, said),
        )

    # --- turns -----------------------------------------------------------------------------------

    def _turns(self) -> Table | None:
        if not self._shown:
            return None
        left = len(self._evidence.turns) - len(self._shown)
        note = f"{left:,} more turns are left out: those with an error come first." if left else ""
        return Table(("turn", "outcome", "took", "ended", "why"), list(map(self._turn, self._shown)), note)

    def _turn(self, one: TurnDone) -> Sequence[Entry]:
        name = causes.name(one)
        why = f"{causes.of(one)}: {' <- '.join(one.chain)}" if one.outcome == "error" else ""
        return (
            Entry(who((name,)), self._of_turn.get(name, ""), self._turn_anchor(name)),
            Entry(one.outcome),
            Entry(f"{one.ms:,.1f} ms"),
            Entry("not known" if one.at is None else moment(one.at)),
            Entry(why),
        )


def word(report: CellReport) -> Badge:
    """How a cell is called."""
    kind = {"ok": GOOD, "too short": UNSURE, "no result": UNSURE}.get(report.word, BAD)
    return badge(report.word, BAD if report.flaws else kind)


def who(turns: Sequence[str]) -> str:
    """Whose requests a connection carried, in words."""
    if not turns:
        return "turn not known"
    if turns[0] == MEASUREMENT:
        return "a measurement"
    session, turn, attempt = (*turns[0].split("/"), "", "")[:3]
    said = f"session {session}, turn {turn}" + (f", attempt {attempt}" if attempt not in ("", "1") else "")
    return said + (f" and {len(turns) - 1:,} more" if len(turns) > 1 else "")


def _time(evidence: Evidence, known: Sequence[Life]) -> Time:
    begins = [one.begin for one in known] + [one.at - one.ms / 1000 for one in evidence.turns if one.at is not None]
    begins += [one.at for one in evidence.samples]
    ends = [one.at for one in evidence.turns if one.at is not None] + [one.end for one in known]
    ends += [one.at for one in evidence.samples]
    begin, end = max(0.0, min(begins, default=0.0)), max(ends, default=1.0)
    return Time(begin - (end - begin) * 0.01, end + (end - begin) * 0.02)


def _classes(counts: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for state, count in counts.items():
        name = states.of(state)[0]
        found[name] = found.get(name, 0) + count
    return found


def _worst(turns: Sequence[TurnDone]) -> list[TurnDone]:
    """The turns that a table shows, in their order."""
    ordered = sorted(range(len(turns)), key=lambda number: (turns[number].outcome != "error", number))
    return [turns[number] for number in sorted(ordered[:ROWS])]


def _marks(turns: Sequence[Tick]) -> list[tuple[str, str, str]]:
    means = {
        "ok": ("turn-ok", "turn", "answered"),
        "interrupted": ("turn-interrupted", "turn", "interrupted as planned"),
        "missed": ("turn-ok", "turn", "over before it could be given up"),
        "error": ("turn-error", "turn", "ended in an error"),
    }
    return [shown for outcome, shown in means.items() if any(turn.outcome == outcome for turn in turns)]


def _barrier_table(evidence: Evidence) -> Table:
    barriers = evidence.barriers
    used = sorted({state for one in barriers for state in one.states})
    rows = [
        entries(moment(one.at), one.label, f"{one.turns:,}", *(f"{one.states.get(state, 0):,}" for state in used))
        for one in barriers[-ROWS:]
    ]
    left = len(barriers) - len(rows)
    note = f"The last {len(rows):,} of {len(barriers):,} barriers." if left else ""
    return Table(("at", "barrier", "turns begun", *used), rows, note)


def _places(evidence: Evidence) -> Iterator[Places]:
    """What was said of pools, at the barrier that followed."""
    said = list(evidence.pools)
    for sample in evidence.barriers:
        if said and said[0].turns == sample.turns:
            one = said.pop(0)
            lost = one.without_socket
            yield Places(sample.at, max(0, one.connections - one.idle - lost), one.idle, lost, one.limit)
