"""What an interpreter that the user names prints of itself: bounded in time and in bytes, whatever it is."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence

#: Bytes that are read at most.
MOST = 1 << 16


class NoAnswer(Exception):
    """It could not be started, failed, took too long or did not stop."""


def answer(command: Sequence[str], patience: float) -> bytes:
    """What a command that ends well prints to stdout. Raises NoAnswer."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except (OSError, ValueError) as exc:
        raise NoAnswer(type(exc).__name__) from None
    with process:
        try:
            return _read(process, time.monotonic() + patience)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # also what it has started


def _read(process: subprocess.Popen[bytes], until: float) -> bytes:
    assert process.stdout is not None
    parts, size = [], 0
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            raise NoAnswer("it took too long")
        part = os.read(process.stdout.fileno(), MOST)
        if not part:
            break
        parts.append(part)
        size += len(part)
        if size > MOST:
            raise NoAnswer("it printed too much")
    try:
        if process.wait(max(0.1, until - time.monotonic())):
            raise NoAnswer("it failed")
    except subprocess.TimeoutExpired:
        raise NoAnswer("it took too long") from None
    return b"".join(parts)
