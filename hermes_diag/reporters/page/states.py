"""How states of sockets are shown: class of the style sheet, and what they mean in plain words."""

from __future__ import annotations

from hermes_diag.core.sockets import CLOSE_WAIT, ESTABLISHED, LET_GO

#: (class, name in the legend, what it means)
Shown = tuple[str, str, str]

_OPEN: Shown = ("established", ESTABLISHED, "open on both sides")
_KEPT: Shown = ("close-wait", CLOSE_WAIT, "the other side has closed, this program has not")
_LET_GO: Shown = ("let-go", "let go", "closed by this program; the kernel still waits for a moment")
_OTHER: Shown = ("other", "other", "being opened, or not known")
#: In the order in which they lie on each other.
ALL = (_KEPT, _OPEN, _OTHER, _LET_GO)


def of(state: str) -> Shown:
    """How one state is shown."""
    if state in LET_GO:
        return _LET_GO
    return {ESTABLISHED: _OPEN, CLOSE_WAIT: _KEPT}.get(state, _OTHER)
