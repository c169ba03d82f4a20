"""The kernel refuses netlink sockets: a seccomp filter, as in a strict sandbox."""

import contextlib
import subprocess
import sys
from pathlib import Path

import disturbances

PROGRAM = Path(__file__).parent.parent.parent / "tests" / "no_netlink.py"


@contextlib.contextmanager
def around(one):
    one.before = [sys.executable, str(PROGRAM)]
    if subprocess.run([*one.before, "/bin/true"], capture_output=True, check=False).returncode:
        raise disturbances.NotPossible
    yield ()
