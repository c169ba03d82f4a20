"""An error as the user gets it: two lines on stderr, and where JSON was asked for a document on stdout."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from hermes_diag.cli.terminal import emit, say

#: Options of `trace` behind which a word is their value, and not the program.
_WITH_VALUE = ("--save", "--format", "--output")


def tell(code: int, message: str, cure: str = "", arguments: Sequence[str] = ()) -> int:
    """Say what went wrong and what to do; the exit code, as it was given. arguments: the command line."""
    from hermes_diag.core import redact
    from hermes_diag.core.text import one_line

    message, cure = (redact.name(one_line(text)) for text in (message, cure))
    say(f"hermes-diag: {message}", f"  {cure}" if cure else "")
    if asks_for_json(arguments):
        from hermes_diag.cli.app import COMMANDS
        from hermes_diag.reporters import envelope

        command = arguments[0] if arguments[0] in COMMANDS else ""
        with contextlib.suppress(OSError):  # stdout may be what failed
            emit(envelope.encoded(envelope.failure(command, message, cure, code)))
    return code


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether a command line, be it wrong, asks for JSON. What stands behind `--`, and behind the name of the program
    that `trace` runs, is not ours."""
    before = ""
    for word in arguments[1:]:
        if word == "--" or (arguments[0] == "trace" and not word.startswith("-") and before not in _WITH_VALUE):
            return False
        if word in ("--json", "--format=json") or (before == "--format" and word == "json"):
            return True
        before = word
    return False
