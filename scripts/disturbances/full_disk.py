"""The folder for temporary files is full, cannot be written to, or is not there."""

import contextlib
import os


@contextlib.contextmanager
def around(one):
    how = one.random.choice(("full", "read-only", "missing", "a file"))
    place = one.folder / "elsewhere"
    if how == "full":
        one.environment["TMPDIR"] = "/proc"  # where nobody may make anything, root neither
    elif how == "read-only":
        place.mkdir()
        os.chmod(place, 0o500)
        one.environment["TMPDIR"] = str(place)
    else:
        if how == "a file":
            place.touch()
        one.environment["TMPDIR"] = str(place)
    yield ()
