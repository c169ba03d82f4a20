"""What cannot be looked at, and why: it is no more, or it belongs to somebody else; and who we are ourselves."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

from hermes_diag.core.errors import CannotMeasure

#: For root without the right to look, as in a container.
CAPABLE = "root needs CAP_SYS_PTRACE here: run outside of the container, or start it with --cap-add SYS_PTRACE"


class Ended(CannotMeasure):
    """The process is no more."""


class NotAllowed(CannotMeasure):
    """The process belongs to someone else."""


def not_allowed(pid: int) -> NotAllowed:
    """The refusal with its cure: as whom to run."""
    return NotAllowed(
        f"not allowed to see the descriptors of process {pid}, which runs as {_user(pid)}; this is {_me()}"
        + (", but without the right to trace processes" if is_root() else ""),
        CAPABLE if is_root() else f"sudo {ourselves()} sockets {pid}, or run as that user",
    )


def more_rights() -> str:
    """What would let us see what we may not see now."""
    return CAPABLE if is_root() else "sudo"


def ourselves() -> str:
    """How root can call this program: by its absolute path, since root's PATH does not lead to a virtualenv."""
    script = shutil.which(sys.argv[0]) if os.path.basename(sys.argv[0]) == "hermes-diag" else None
    return shlex.quote(os.path.abspath(script)) if script else f"{shlex.quote(sys.executable)} -m hermes_diag"


def is_root() -> bool:
    """Whether this is root."""
    return os.geteuid() == 0


def _user(pid: int) -> str:
    try:
        return _name(os.stat(f"/proc/{pid}").st_uid)
    except OSError:
        return "another user"


def _me() -> str:
    return _name(os.geteuid())


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
