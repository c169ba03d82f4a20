"""The disk of captures is slow: each call that writes there waits (strace, of the processes of the run)."""

import contextlib
import shutil
import subprocess

import disturbances


def fits(command):
    return command.ends_by is None  # strace does not pass a signal on


@contextlib.contextmanager
def around(one):
    strace = shutil.which("strace")
    if strace is None:
        raise disturbances.NotPossible
    wait = one.random.choice((1, 5, 20)) * 1000
    calls = "write,writev,fsync,fdatasync,rename,unlink,link,linkat,openat"
    one.before = [
        strace, "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-P", str(one.disk / "saved.jsonl"),
        "-e", f"trace={calls}", "-e", f"inject={calls}:delay_exit={wait}",
    ]  # fmt: skip
    if subprocess.run([*one.before, "/bin/true"], capture_output=True, check=False).returncode:
        raise disturbances.NotPossible
    yield ()
