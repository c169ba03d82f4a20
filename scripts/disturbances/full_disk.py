"""The folder of captures is full or cannot be written to; that for temporary files is so, or is not there."""

import contextlib
import os
import subprocess

import disturbances


@contextlib.contextmanager
def around(one):
    how = one.random.choice(("full", "read-only", "captures", "temporary files", "missing", "a file"))
    place = one.folder / "elsewhere"
    if how in ("full", "read-only"):
        option = "ro" if how == "read-only" else f"size={one.random.choice((4, 16, 64, 256))}k"
        if subprocess.run(  # nosec B607
            ["mount", "-t", "tmpfs", "-o", option, "chaos", one.disk], capture_output=True, check=False
        ).returncode:
            raise disturbances.NotPossible
        if how == "read-only":
            one.honest = (2, *one.honest)  # a place where nothing can be written is a wrong one
        try:
            yield ()
        finally:
            subprocess.run(["umount", "-l", one.disk], check=True)  # nosec B607
        return
    if how == "captures":
        os.chmod(one.disk, 0o500)  # root may write there nevertheless
        one.honest = (2, *one.honest)
    elif how == "temporary files":
        one.environment["TMPDIR"] = "/proc"  # where nobody may make anything, root neither
    else:
        if how == "a file":
            place.touch()
        one.environment["TMPDIR"] = str(place)
    yield ()
