"""Has a running process load the recorder of `hermes-diag trace`: from then on it writes down what it opens."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from hermes_diag.core.errors import CannotMeasure, HermesDiagError
from hermes_diag.leakguard import boxes
from hermes_diag.leakguard.recorder import hermes_diag_recorder as form

#: Seconds to wait for the box.
_SOON = 5.0
#: What the process runs. An error leaves it as it was, and there is no box then.
_CODE = """\
def arm():
    import sys
    recorder = type(sys)("hermes_diag_recorder")
    recorder.__file__ = {path!r}
    exec(compile({source!r}, {path!r}, "exec"), recorder.__dict__)
    recorder.begin("")
try:
    arm()
except Exception:
    pass
finally:
    del arm
"""


def code(pid: int) -> str:
    """What the process is to run. Raises CannotMeasure when it has a recorder already."""
    if (box := boxes.find(pid)) is not None:
        raise CannotMeasure(f"--arm: process {pid} has a recorder", f"leave --arm out: its box is {box.path}")
    path = form.__file__
    return _CODE.format(path=path, source=Path(path).read_text(encoding="utf-8"))


def armed(pid: int) -> Path:
    """The box, once it is there. Raises CannotMeasure."""
    until = time.monotonic() + _SOON
    while time.monotonic() < until:
        with contextlib.suppress(HermesDiagError):  # it is being written
            if (box := boxes.find(pid)) is not None:
                return box.path
        time.sleep(0.01)
    raise CannotMeasure(
        f"--arm: process {pid} has made no box",
        "it must be able to write to the folder that HERMES_DIAG_BOXES names in its environment, else to /tmp",
    )
