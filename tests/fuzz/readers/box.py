"""The black box of a recorded process: its head, names, stacks and slots, in a file with nothing between them."""

from __future__ import annotations

import os

from fuzz.frame import as_file
from hermes_diag.leakguard import traced
from hermes_diag.leakguard.box import Box
from hermes_diag.leakguard.recorder import hermes_diag_recorder as form
from hermes_diag.reporters import formats
from hermes_diag.watch import reports

READS = ("hermes_diag.leakguard.box",)
#: Where the parts of an input go: so many bytes each, the rest to the last.
PARTS = ((form.NAMES_AT, 0), (4 * form.SLOT.size, form.NAMES_AT), (3 * form.STACK, form.STACKS_AT), (0, form.SLOTS_AT))


def seeds() -> list[bytes]:
    boot, python = b"0" * 36, b"3.11.2"
    head = form.HEADER.pack(
        form.MAGIC, form.VERSION, 2**22 + 1, 7, 1, form.SLOTS, 5, 3, 1, 0, 100.0, 1.7e9, boot, python
    ).ljust(form.PROGRAM_AT, b"\0")
    head = (head + b"app.main").ljust(form.NAMES_AT, b"\0")
    stacks = b""
    for text in ("own|app/main.py|7|run\nlib|httpx/_client.py|9|send", "lib|ssl.py|1|x", "a|b"):
        stacks += (len(text).to_bytes(2, "little") + text.encode()).ljust(form.STACK, b"\0")
    kinds = (form.SOCKET, form.FILE, form.PIPE, form.LOOP, form.INHERITED, form.OTHER)
    slots = b"".join(
        form.SLOT.pack(101.0 + fd, 1000 + fd, 1, fd % 4, kind, form.LEFT, 80, b"name", b"MainThread", b"task")
        for fd, kind in enumerate(kinds)
    )
    return [head + slots[: 4 * form.SLOT.size] + stacks + slots, head.replace(b"app.main", b"pip") + stacks * 2 + slots]


def run(data: bytes) -> str:
    with as_file(b"", "1-7.box") as path:
        os.chmod(path, 0o600)
        with open(path, "wb") as file:
            rest = data
            for size, at in PARTS:
                part, rest = (rest[:size], rest[size:]) if size else (rest, b"")
                file.seek(at)
                file.write(part[: 1 << 20])
            file.truncate(form.SIZE)
        remains = traced.alone(Box(path))
    return formats.load("terminal").render(reports.of_box(remains), 80, True)
