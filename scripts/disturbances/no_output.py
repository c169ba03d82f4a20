"""stdout or stderr is closed, full, or has lost its reader."""

import contextlib
import os


@contextlib.contextmanager
def around(one):
    which = one.random.choice(("stdout", "stderr"))
    how = one.random.choice(("full", "no reader", "closed"))
    if how == "closed":
        number = 1 if which == "stdout" else 2
        one.before = ["/bin/sh", "-c", f'exec "$@" {number}>&-', "sh"]
        yield ()
        return
    if how == "full":
        fd = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, fd = os.pipe()
        os.close(reader)
    setattr(one, which, fd)
    try:
        yield ()
    finally:
        os.close(fd)
