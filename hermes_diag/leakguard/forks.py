"""Which process a fork made, told by the child itself: a hook of the parent is not told, and must not read /proc.

Parent and children share one page of memory, in which each fork has a place for the pid.
"""

from __future__ import annotations

import itertools
import mmap
import os
import threading

#: Forks remembered; the places of older ones are used again.
_FORKS, _SIZE = 1024, 8
_page = mmap.mmap(-1, _FORKS * _SIZE)
_numbers = itertools.count()
_local = threading.local()
_getpid = os.getpid  # called while a test may have replaced it


def before() -> None:
    """This thread is about to fork."""
    _local.number = next(_numbers)


def number() -> int:
    """Of the fork that this thread has just made."""
    return int(_local.number)


def in_child() -> None:
    """This process was just made by a fork."""
    start = _local.number % _FORKS * _SIZE
    _page[start : start + _SIZE] = _getpid().to_bytes(_SIZE, "little")


def pid(of: int) -> int:
    """The pid of the child of that fork, 0: it has not run yet."""
    start = of % _FORKS * _SIZE
    return int.from_bytes(_page[start : start + _SIZE], "little")
