"""The time of a log's lines: local time without a zone. Their order is the truth, their time may jump. Pure."""

from __future__ import annotations

from datetime import datetime, tzinfo

from hermes_diag.core import units
from hermes_diag.core.agent_log import Clock

#: Lines of several threads are written out of order by less.
BACK = 5.0
#: A silence of a day; shorter ones are what an idle gateway has.
AHEAD = 86400.0
#: Jumps that are told.
MOST = 20


class Clockwork:
    """Gives each line its second since the epoch. zone: None is that of this machine."""

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._minute = b""
        self._base: tuple[float, float] = (0.0, 0.0)  # of the minute, for either hour where an hour comes twice
        self._fold = 0
        self._last: float | None = None
        self.jumps: list[Clock] = []
        self.left_out = 0

    def at(self, minute: bytes, second: bytes, milli: bytes) -> float | None:
        """The moment of a line; None where it is no date."""
        if minute != self._minute:
            try:
                local = datetime.strptime(minute.decode(), "%Y-%m-%d %H:%M")
                base = tuple(local.replace(tzinfo=self._zone, fold=fold).timestamp() for fold in (0, 1))
            except (ValueError, OverflowError, OSError):
                return None
            self._minute, self._base = minute, (base[0], base[1])
            if base[0] == base[1]:
                self._fold = 0
        at = self._base[self._fold] + int(second) + int(milli) / 1000
        last = self._last
        if last is not None and not -BACK <= at - last <= AHEAD:
            at = self._jumped(at, last)
        self._last = at
        return at

    def _jumped(self, at: float, last: float) -> float:
        twice = self._base[1] - self._base[0]
        if at < last and twice > 0 and self._fold == 0 and at + twice - last >= -BACK:
            self._fold = 1
            self._tell(Clock(at + twice, -twice, "an hour that comes twice: the end of summer time, the clock ran on"))
            return at + twice
        if at < last:
            self._tell(Clock(at, at - last, "the clock was set back, or another process wrote between"))
        else:
            said = units.duration(at - last)
            self._tell(
                Clock(at, at - last, f"nothing for {said}: no gateway ran, it was idle, or the clock was set forward")
            )
        return at

    def _tell(self, jump: Clock) -> None:
        if len(self.jumps) < MOST:
            self.jumps.append(jump)
        else:
            self.left_out += 1
