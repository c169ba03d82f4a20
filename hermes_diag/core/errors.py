"""Every way hermes-diag can refuse: one line that says what, one that says what to do.

Exit codes, the same in every command: 0 clean or as expected, 1 a problem was found, 2 wrong
usage, 3 could not measure, 130 interrupted. Code 1 is a verdict and never the code of an error.
"""

from __future__ import annotations

import errno

OK = 0
PROBLEM = 1
USAGE = 2
COULD_NOT_MEASURE = 3
INTERRUPTED = 130

#: What to do about what a system refuses.
_CURES = {
    errno.ENOSPC: "is the disk full?",
    errno.EDQUOT: "is the disk full?",
    errno.EMFILE: "raise the limit: ulimit -n 1024",
    errno.EBADF: "is stdout closed?",
    errno.ENETUNREACH: "loopback is down: ip link set lo up",
}


class HermesDiagError(Exception):
    """Something the user can act on: `message` says what and where, `hint` is the cure."""

    exit_code = COULD_NOT_MEASURE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}: {hint}" if hint else message)
        self.message = message
        self.hint = hint

    @property
    def whole(self) -> str:
        """Both in one sentence."""
        return "; ".join(filter(None, (self.message, self.hint)))


class UsageError(HermesDiagError):
    """The command line, a payload or a file is wrong; nothing was measured."""

    exit_code = USAGE


class CannotMeasure(HermesDiagError):
    """The run could not be carried out, so there is no verdict."""

    exit_code = COULD_NOT_MEASURE


def cure(refused: OSError, otherwise: str = "") -> str:
    """What to do about what the system refused; where only the caller can know, `otherwise`."""
    return _CURES.get(refused.errno or 0, otherwise)
