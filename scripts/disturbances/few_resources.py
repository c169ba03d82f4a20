"""Few descriptors, processes or little memory: RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_AS."""

import contextlib
import os
import sys

import disturbances

SETS = (
    "import os, resource, sys; n, v = map(int, sys.argv[1:3]); resource.setrlimit(n, (v, v)); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


@contextlib.contextmanager
def around(one):
    import resource

    kind = one.random.choice(("NOFILE", "NPROC", "AS"))
    value = {
        "NOFILE": lambda: one.random.randint(20, 300),
        "NPROC": lambda: one.random.randint(1, 12),
        "AS": lambda: one.random.randint(60, 600) << 20,
    }[kind]()
    number = getattr(resource, f"RLIMIT_{kind}")
    one.before = [sys.executable, "-c", SETS, str(number), str(value)]
    if kind == "NPROC" and os.geteuid() == 0:
        raise disturbances.NotPossible  # root is not held to it
    yield ()
