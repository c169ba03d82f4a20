"""How it is seen what this process holds: two ways with the same functions.

descriptors()   what each fd of this process points to: text; of a socket `socket:[KEY]`
children()      what each descendant holds: pid -> KEY -> fd
threads()       how many threads this process has, those of C code, too; more than one where that is not known
key(fd)         the KEY of a socket of this process, None when the fd is none. Raises OSError
rows(suspects, had)  the kernel's word on sockets: KEY -> row. had: fds that those without one had. Raises CannotMeasure
REUSES_KEYS     whether a socket may have the KEY of one that was closed

A KEY is a number that names a socket for as long as it is open.
"""

from __future__ import annotations

import errno

#: Where a socket is: the pid of who holds it, 0 for this process, and the fd; None where nobody has one.
Place = tuple[int | None, int | None]
NOWHERE = ("", 0)


def cure(error: OSError) -> str:
    """What to do when the system refuses to be looked at."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "every descriptor is taken: look at what ran before, or raise the limit (ulimit -n)"
    return "leave it visible (mounted, and not under a fake file system), or run with --limit-sockets=off"
