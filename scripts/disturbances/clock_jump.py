"""The clock of the system jumps by an hour, forward or back, in every process of the run (a preloaded library)."""

import contextlib
import functools
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import disturbances

SOURCE = Path(__file__).with_suffix(".c")


@functools.cache
def library():
    compiler = shutil.which("cc")
    if compiler is None:
        raise disturbances.NotPossible
    made = Path(tempfile.mkdtemp(prefix="chaos-clock-")) / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, SOURCE, "-ldl"], check=True)
    return made


@contextlib.contextmanager
def around(one):
    at = time.monotonic() + one.random.uniform(0.2, one.command.seconds + 0.5)
    one.environment |= {
        "LD_PRELOAD": str(library()),
        "CLOCK_JUMP_AT": f"{at:.3f}",
        "CLOCK_JUMP_BY": str(one.random.choice((-3600, 3600))),
    }
    yield ()
