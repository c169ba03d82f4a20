"""Every core is busy."""

import contextlib
import os
import subprocess
import sys


@contextlib.contextmanager
def around(one):
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield ()
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
