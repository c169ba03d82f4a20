"""Names that stand in a log, as they may be shown: of threads, sessions, errors. Pure.

A thread, a session or an error may be named by a stranger: what is not shaped as Hermes, Python and its libraries name
them is left out, and what looks like a secret, too.
"""

from __future__ import annotations

import hashlib
import re

from hermes_diag.core import redact

#: Such as `Thread-6 (_call)`, `asyncio_0`, `ThreadPoolExecutor-0_1`; `codex_stream_request`; `TimeoutError`.
_WORD = re.compile(r"[A-Za-z_][\w.:<>-]{0,60}(?: \([\w.<>]{1,40}\))?")
#: As Hermes names its sessions: `20261128_041830_a1b2c3`, or a UUID.
_SESSION = re.compile(r"\d{8}_\d{6}_[0-9a-f]{4,12}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Characters of another session's name that are shown.
SHORT = 12


def word(text: bytes | str) -> str:
    """The name of a thread, an error, or why a client was made."""
    name = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return redact.name(name) if _WORD.fullmatch(name) else redact.GAP


def session(name: str) -> str:
    """The name of a session; of one that somebody may have written the begin, and what tells it from others."""
    if _SESSION.fullmatch(name):
        return name
    own = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:4]
    begin = name[:SHORT] if name.isascii() and name.isprintable() and redact.name(name) == name else redact.GAP
    return begin if begin == name else f"{begin}~{own}"
