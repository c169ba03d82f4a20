"""Few descriptors, processes or little memory: RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_AS."""

import contextlib
import os
import resource
import subprocess
import sys

import disturbances

SETS = (
    "import os, resource, sys; number, most, user = map(int, sys.argv[1:4]); "
    "resource.setrlimit(number, (most, most)); user and (os.setgroups([]), os.setgid(user), os.setuid(user)); "
    "os.execv(sys.argv[4], sys.argv[4:])"
)
NOBODY = 65534


@contextlib.contextmanager
def around(one):
    kind = one.random.choice(("NOFILE", "NPROC", "AS"))
    most = {
        "NOFILE": lambda: one.random.randint(20, 300),
        "NPROC": lambda: one.random.randint(1, 12),
        "AS": lambda: one.random.randint(60, 600) << 20,
    }[kind]()
    user = 0
    if kind == "NPROC" and os.geteuid() == 0:  # root is not held to it
        user = NOBODY
        for folder in (one.folder, one.folder / "tmp", one.disk):
            os.chmod(folder, 0o777)  # nosec B103
    number = str(getattr(resource, f"RLIMIT_{kind}"))
    one.before = [sys.executable, "-c", SETS, number, str(most), str(user)]
    able = [sys.executable, "-c", SETS, number, "500", str(user), sys.executable, "-c", "import hermes_diag.cli"]
    if user and subprocess.run(able, capture_output=True, check=False).returncode:
        raise disturbances.NotPossible
    yield ()
