"""Who opened what a worker holds: read from the box that a recorder writes in the worker's process."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hermes_diag.core import scratch
from hermes_diag.core.errors import HermesDiagError
from hermes_diag.leakguard import boxes
from hermes_diag.leakguard.box import Box
from hermes_diag.leakguard.recorder import hermes_diag_recorder as form
from hermes_diag.watch.snapshot import Snapshot
from hermes_diag.worker.contract import Fact


class Origins:
    """The boxes of one cell's workers. Context manager: the folder is removed at its end."""

    def __init__(self) -> None:
        self._folder = scratch.folder()
        self._most = 0

    def __enter__(self) -> Origins:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._folder.cleanup()

    @property
    def asked(self) -> Mapping[str, Any]:
        """What a job is told: worker/recording.py."""
        return {"recorder": form.__file__, "boxes": self._folder.name}

    def seen(self, pid: int, seen: Snapshot) -> Fact | None:
        """What the worker holds by place, if it is more than at any look before.

        {"sockets" (to the provider), "others", "threads": [[place, how many], ...], "ports": {place: [local ports of
        its sockets to the provider]}}; the place is "" where no line of the code on trial is on the stack."""
        if seen.fds is None or seen.fds <= self._most:
            return None
        self._most = seen.fds
        box = self._box(pid)
        if box is None:
            return None
        towards = {row.fd: row.local[1] for row in seen.rows if row.pid == pid}
        with contextlib.suppress(OSError):
            held, own = boxes.own(box)
            ports: dict[str, list[int]] = {}
            found: dict[str, Counter[str]] = {"sockets": Counter(), "others": Counter(), "threads": Counter()}
            for fd, opened in own:
                place = opened.place if opened.own else ""
                found["sockets" if fd in towards else "others"][place] += 1
                if fd in towards:
                    ports.setdefault(place, []).append(towards[fd])
            for _, started in boxes.threads(box, held):
                found["threads"][started.place if started.own else ""] += 1
            places = {name: counts.most_common() for name, counts in found.items()}
            return Fact("opened", {**places, "ports": ports})
        return None

    def _box(self, pid: int) -> Box | None:
        for path in Path(self._folder.name).glob(f"{pid}-*.box"):
            with contextlib.suppress(HermesDiagError):
                return Box(path)
        return None
