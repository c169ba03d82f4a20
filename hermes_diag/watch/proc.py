"""What files of /proc about one process say. Pure: bytes in, values out. See proc(5).

A line that is not as the kernel writes it raises ValueError or IndexError, where nothing else is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from hermes_diag.core import redact


@dataclass(frozen=True)
class Stat:
    """The fields used of /proc/PID/stat. `ticks`: start, in clock ticks since boot."""

    name: str
    state: str
    parent: int
    flags: int
    threads: int
    ticks: int
    rss: int  # bytes


def stat(line: bytes) -> Stat:
    """/proc/PID/stat."""
    # The name stands in parentheses and may itself have blanks and parentheses in it.
    name, rest = line[line.index(b"(") + 1 : line.rindex(b")")], line[line.rindex(b")") + 2 :].split()
    return Stat(
        name=redact.name(name.decode("utf-8", "replace")),
        state=rest[0].decode("ascii", "replace"),
        parent=int(rest[1]),
        flags=int(rest[6]),
        threads=int(rest[17]),
        ticks=int(rest[19]),
        rss=int(rest[21]) * os.sysconf("SC_PAGE_SIZE"),
    )


def soft_limit(limits: Iterable[bytes]) -> int | None:
    """The soft limit of descriptors in /proc/PID/limits; None: unknown, or without limit."""
    for line in limits:
        if line.startswith(b"Max open files"):
            soft = line.split()[3]
            return None if soft == b"unlimited" else int(soft)
    return None


def call(line: bytes) -> tuple[int, int, int]:
    """(system call, its first and second argument) of /proc/PID/task/TID/syscall; -1: none that can be told."""
    words = line.split()  # number, six arguments, stack pointer, where it is in the program; or "running"
    try:
        return (int(words[0]), int(words[1], 16), int(words[2], 16)) if len(words) == 9 else (-1, 0, 0)
    except ValueError:
        return -1, 0, 0
