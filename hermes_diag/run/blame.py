"""What in the surroundings of a worker has broken it: a variable, a limit, a signal. Each in words, with the cure."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from hermes_diag.core.errors import NO_MEMORY, NO_THREAD, little_memory

#: Classes of exceptions behind which a file or a folder stands that a variable names.
_OF_FILES = re.compile(r"\b(FileNotFound|Permission|NotADirectory|IsADirectory|OS|SSL|File)Error\b")
_OF_SYSTEM = re.compile(r"\bMemoryError\b|can't start new thread|\bBlockingIOError\b")
#: The last line of a traceback; of it only the class is told.
_RAISED = re.compile(r"(?:[a-z_]\w{0,40}\.){0,4}([A-Z]\w{0,60}(?:Error|Exception|Interrupt|Exit))(?::|$)")
_FATAL = re.compile(r"Fatal Python error|No module named 'encodings'|Could not find platform")
_KILLED = "was it killed for want of memory? Free some, or raise its limit (that of the container)"


def of_failure(error: str, environ: Mapping[str, str]) -> str:
    """Why an exception was raised that a worker names, "" where nothing is known of it. error: its class, perhaps with
    its causes."""
    if little := little_memory():
        return little
    if _OF_SYSTEM.search(error):
        return NO_MEMORY if "MemoryError" in error else NO_THREAD
    return of_variables(environ) if _OF_FILES.search(error) else ""


def of_variables(environ: Mapping[str, str]) -> str:
    """The first variable that names what is not there or cannot be used, with what to do about it."""
    for name, (usable, what) in _VARIABLES.items():
        value = environ.get(name)
        if value and not _asked(usable, value):
            return f"{name} names {what}: unset it, or name another"
    return ""


def of_end(code: int | None, lines: Iterable[str], environ: Mapping[str, str]) -> tuple[str, str]:
    """(how an interpreter ended, what to do) of one that has not said what it is. code: its exit code, None: one of its
    processes was ended. lines: what it wrote to stderr."""
    said = list(lines)
    early = "before it could say what SDK it has"
    if code is None:
        return f"lost one of its processes {early}", little_memory() or _KILLED
    if code < 0:
        return f"was ended by {signal_name(-code)} {early}", little_memory() or (
            _KILLED if code == -signal.SIGKILL else ""
        )
    if any(map(_FATAL.search, said)):
        return f"cannot start (exit code {code})", _python_variables(environ)
    raised = next((match[1] for line in reversed(said) if (match := _RAISED.match(line))), "")
    how = f"ended {early} (exit code {code}{f', {raised}' if raised else ''})"
    return how, of_failure(raised, environ) or _python_variables(environ)


def _python_variables(environ: Mapping[str, str]) -> str:
    set_ = [name for name in ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP") if environ.get(name)]
    return f"{' and '.join(set_)} may lead it astray: unset {'them' if len(set_) > 1 else 'it'}" if set_ else ""


def signal_name(number: int) -> str:
    """The name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _asked(usable: Callable[[str], bool], value: str) -> bool:
    try:
        return usable(value)
    except (OSError, ValueError):
        return False


def _is_readable(value: str) -> bool:
    return Path(value).is_file() and os.access(value, os.R_OK)


def _is_folder(value: str) -> bool:
    return all(Path(one).is_dir() and os.access(one, os.R_OK | os.X_OK) for one in value.split(os.pathsep) if one)


def _is_bundle(value: str) -> bool:
    return _is_readable(value) or _is_folder(value)


def _can_append(value: str) -> bool:
    path = Path(value)
    return os.access(path, os.W_OK) and not path.is_dir() if path.exists() else os.access(path.parent, os.W_OK)


def _has_room(value: str) -> bool:
    return Path(value).is_dir() and os.access(value, os.W_OK | os.X_OK) and os.statvfs(value).f_bavail > 0


#: Each with whether a value of it can be used, and what is said of one that cannot.
_VARIABLES: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "SSL_CERT_FILE": (_is_readable, "no file that can be read"),
    "SSL_CERT_DIR": (_is_folder, "no folder that can be read"),
    "SSLKEYLOGFILE": (_can_append, "a file that cannot be written"),
    "REQUESTS_CA_BUNDLE": (_is_bundle, "nothing that can be read"),
    "CURL_CA_BUNDLE": (_is_bundle, "nothing that can be read"),
    "TMPDIR": (_has_room, "no folder with room that can be written to"),
}
