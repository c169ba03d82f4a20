"""A network without IPv6 or with its loopback down, a /proc that hides processes of others."""

import contextlib
import subprocess
import sys
from pathlib import Path

import disturbances

UP = Path(__file__).parent.parent.parent / "tests" / "loopback.py"
NO_IPV6 = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null"
HOW = {
    "IPv6 off": (["unshare", "-rn"], f'{sys.executable} {UP}; {NO_IPV6}; exec "$@"'),
    "loopback down": (["unshare", "-rn"], 'exec "$@"'),
    "hidepid": (["unshare", "-rmpf", "--kill-child"], 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'),
}


def fits(command):
    return command.workers  # a target lives outside, and no signal goes through


@contextlib.contextmanager
def around(one):
    outer, script = HOW[one.random.choice(sorted(HOW))]
    one.before = [*outer, "/bin/sh", "-c", script, "sh"]
    if subprocess.run([*one.before, "/bin/true"], capture_output=True, check=False).returncode:
        raise disturbances.NotPossible
    yield ()
