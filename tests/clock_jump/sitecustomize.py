"""The clock of the wall is set, in every Python that finds this folder on PYTHONPATH: from CLOCK_JUMP_AT on (seconds of
the monotonic clock) it is ahead by CLOCK_JUMP_BY seconds."""

import os
import time

_at, _by, _real = float(os.environ["CLOCK_JUMP_AT"]), float(os.environ["CLOCK_JUMP_BY"]), time.time
time.time = lambda: _real() + (_by if time.monotonic() >= _at else 0.0)
