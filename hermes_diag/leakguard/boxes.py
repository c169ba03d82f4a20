"""Finds the boxes of the processes of a look, and says of each descriptor and thread who opened it.

A slot counts only if the kernel shows the same inode for the descriptor: a number that came again is another file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from hermes_diag.core.errors import CannotMeasure, HermesDiagError
from hermes_diag.leakguard.box import Box, Slot
from hermes_diag.leakguard.recorder import hermes_diag_recorder as form
from hermes_diag.watch import descriptors, process
from hermes_diag.watch.opened import Opened, Origins
from hermes_diag.watch.records import Holding, Look

#: Boxes of processes that handed descriptors down are asked, so many generations.
_GENERATIONS = 4
#: Seconds within which a thread that was started says so in the box.
_SOON = 10.0


def of_look(seen: Look) -> Origins | None:
    """What the recorders of the processes say; None: none of them has one."""
    if not process.LINUX:
        return None
    found: dict[tuple[int, int], Opened] = {}
    started: dict[tuple[int, int], Opened] = {}
    unowned: dict[int, Opened] = {}
    recorded: list[int] = []
    said: list[str] = []
    for held in seen.held or ():
        try:
            box = find(held.pid)
        except HermesDiagError as exc:
            said.append(f"{exc.message} ({exc.hint})")
            continue
        if box is None:
            continue
        recorded.append(held.pid)
        unowned |= _unowned(box, seen)
        found.update({(held.pid, fd): one for fd, one in matched(box, held)})
        started.update({(held.pid, tid): one for tid, one in threads(box, held)})
        said += notes(box)
    return Origins(found, started, unowned, tuple(recorded), tuple(said)) if recorded or said else None


def _unowned(box: Box, seen: Look) -> dict[int, Opened]:
    """By inode: sockets whose descriptor was closed while a thread still reads. Their number may be another's by now,
    and then the slot is, too."""
    lost = {row.inode for row in seen.unowned if row.inode}
    return {one.inode: box.opened(one) for _, one in box.slots() if one.inode in lost} if lost else {}


def find(pid: int) -> Box | None:
    """The box of a live process, None: it has no recorder. Raises UsageError, CannotMeasure for a bad one."""
    try:
        seen, inside = process.stat(pid), _pid_inside(pid)
        folders = list(_folders(pid))
    except (OSError, HermesDiagError):  # has ended
        return None
    for folder in folders:
        path = folder / f"{inside}-{seen.ticks}.box"
        if os.path.lexists(path):
            box = Box(path, os.stat(f"/proc/{pid}").st_uid)
            if not is_of_this_boot(box):
                raise CannotMeasure(f"{path} is of another boot of this machine", "remove it")
            return box
    return None


def _folders(pid: int) -> Iterator[Path]:
    """Where the box of a process may be: as its environment says, and in the folder of its user."""
    given = dict(part.split(b"=", 1) for part in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if b"=" in part)
    root = Path(f"/proc/{pid}/root") if _elsewhere(pid) else Path("/")
    own = f"hermes-diag-{os.stat(f'/proc/{pid}').st_uid}"
    asked = os.fsdecode(given.get(b"HERMES_DIAG_BOXES", b""))
    runtime = os.fsdecode(given.get(b"XDG_RUNTIME_DIR", b""))
    for folder in (asked, runtime and f"{runtime}/{own}", f"/dev/shm/{own}", f"/tmp/{own}"):  # nosec B108
        if folder:
            yield root / folder.lstrip("/")


def _elsewhere(pid: int) -> bool:
    """Whether it sees other mounts than we do."""
    try:
        other = os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
        return other or os.readlink(f"/proc/{pid}/root") != "/"
    except OSError:
        return False


def _pid_inside(pid: int) -> int:
    """The number by which a process knows itself: another one in a container."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
        if line.startswith("NSpid:") and (inside := line.split()[-1]).isdecimal():
            return int(inside)
    return pid


def is_of_this_boot(box: Box) -> bool:
    """Whether the machine was not started again since; else its PID and its times are of no use."""
    return box.boot == Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def matched(box: Box, held: Holding) -> Iterator[tuple[int, Opened]]:
    """(descriptor, its opening), of those that a process holds and that were written down."""
    return _Matched(box, held).descriptors()


def own(box: Box) -> tuple[Holding, list[tuple[int, Opened]]]:
    """What the process of a box holds now, and what of it it has opened itself since it began. Raises OSError."""
    known = descriptors.Descriptors(box.pid)
    known.refresh(frozenset())
    held = known.holding()
    found = matched(box, held)
    return held, [(fd, one) for fd, one in found if not one.inherited and one.at >= box.begun]


class _Matched:
    """The descriptors that a process holds now, each with the opening that is written down of it."""

    def __init__(self, box: Box, held: Holding) -> None:
        self._box, self._held = box, held
        self._named: dict[str, Slot] | None = None
        self._older: list[Box] | None = None

    def descriptors(self) -> Iterator[tuple[int, Opened]]:
        unknown = []
        for name, (kind, target) in self._held.fds.items():
            slot = self._of(int(name), kind, target)
            if slot and slot.kind != form.INHERITED:
                yield int(name), self._box.opened(slot)
            else:
                unknown.append((int(name), target))
        for fd, target in unknown:
            if one := self._from_elsewhere(target) or self._inherited(fd):
                yield fd, one

    def _inherited(self, fd: int) -> Opened | None:
        slot = self._box.slot(fd)
        if slot and slot.kind == form.INHERITED and self._is_that_file(fd, slot, ""):
            return self._box.opened(slot)
        return None

    def _of(self, fd: int, kind: str, target: str) -> Slot | None:
        slot = self._box.slot(fd)
        inode = _inode(target)
        if inode is not None:
            # Another descriptor of the same socket or pipe was opened by the same line: dup().
            return slot if slot and slot.inode == inode else self._box.slot(self._box.by_inode.get(inode, -1))
        if target.startswith("anon_inode:"):
            known = (
                slot and (slot.kind == form.LOOP) == ("eventpoll" in target) and self._is_that_file(fd, slot, target)
            )
            return slot if known else None
        if slot and slot.kind in (form.FILE, form.PIPE, form.OTHER) and self._is_that_file(fd, slot, target):
            return slot
        return self._by_name(target) if kind == descriptors.SQLITE else None

    def _is_that_file(self, fd: int, slot: Slot, target: str) -> bool:
        try:
            seen = os.stat(f"/proc/{self._held.pid}/fd/{fd}")
        except OSError:
            return False
        if slot.inode:
            return (slot.inode, slot.device) == (seen.st_ino, seen.st_dev)
        return os.path.basename(target) == slot.name.rstrip(b"\0").decode("utf-8", "replace")

    def _by_name(self, target: str) -> Slot | None:
        if self._named is None:
            self._named = self._box.named()
        name = os.path.basename(target.removesuffix(" (deleted)"))
        for side in ("", *descriptors.SQLITE_SIDES):
            shown = name.removesuffix(side).encode("utf-8", "replace")[-40:].decode("utf-8", "replace")
            if slot := self._named.get(shown):
                return slot
        return None

    def _from_elsewhere(self, target: str) -> Opened | None:
        """Of a socket or pipe that an ancestor has opened and handed down."""
        inode = _inode(target)
        if inode is None:
            return None
        if self._older is None:
            self._older = list(_ancestors(self._box))
        for box in self._older:
            slot = box.slot(box.by_inode.get(inode, -1))
            if slot:
                return box.opened(slot, by=box.pid)
        return None


def _inode(target: str) -> int | None:
    """Of a socket or a pipe."""
    kind, _, rest = target.partition(":[")
    return int(rest[:-1]) if kind in ("socket", "pipe") and rest[:-1].isdecimal() else None


def _ancestors(box: Box) -> Iterator[Box]:
    for _ in range(_GENERATIONS):
        found = sorted(box.path.parent.glob(f"{box.parent}-*.box"))
        older = None
        for path in found:
            try:
                one = Box(path)
            except HermesDiagError:
                continue
            if one.start <= box.start and one.boot == box.boot:
                older = one
        if older is None:
            return
        yield older
        box = older


def threads(box: Box, held: Holding) -> Iterator[tuple[int, Opened]]:
    started = box.threads()
    ahead = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    tick = os.sysconf("SC_CLK_TCK")
    for tid in held.threads:
        slot = started.get(tid)
        if slot is None:
            continue
        try:
            began = process.stat(f"{held.pid}/task/{tid}").ticks / tick - ahead
        except (OSError, HermesDiagError):
            continue
        if -1.0 <= slot.at - began <= _SOON:  # else that number came again
            yield tid, box.opened(slot)


def notes(box: Box) -> Iterator[str]:
    if box.broken:
        yield f"the recorder of process {box.pid} ended early: what was opened later is not known"
    for child in box.children():
        why = child.name.rstrip(b"\0").decode("utf-8", "replace")
        yield f"a child is not recorded ({why}): started at {box.opened(child).place}"
