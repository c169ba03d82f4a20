"""The picture of a watch: the states over time, the lives of single sockets, and how little it takes to keep them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import lxml.html
import psutil
from conftest import GOLDEN, Cli
from pictures import EVIL, poisoned
from test_timeline import WATCHED, leak, look, row

from hermes_diag.core.capture import Reader
from hermes_diag.core.sockets import SocketRow
from hermes_diag.reporters.page import watches, write
from hermes_diag.watch import capture, picture
from hermes_diag.watch.picture import Picture
from hermes_diag.watch.records import Ended, Look, Place, Summary, Tick
from hermes_diag.watch.timeline import Timeline
from hermes_diag.watch.tracker import Tracker
from hermes_diag.watch.watch import TOLD


def seen(looks: Iterable[Look], told: int = TOLD) -> tuple[Summary, Picture]:
    """Looks of a watch, one a second, and its picture."""
    timeline, tracker = Timeline(WATCHED, drawn=True), Tracker(told=told)
    for at, one in enumerate(looks):
        timeline.add(tracker.tick(one, at, 0.0))
    found = timeline.picture()
    assert found is not None
    return timeline.summary(Ended("done")), found


def test_lives_of_sockets() -> None:
    """One that was there before and stays, one that comes, is left by its peer and goes, and one that is reset."""
    old, new, reset = (row("ESTABLISHED", f"10.9.9.{number}", number) for number in (1, 2, 3))
    left = new._replace(state="CLOSE_WAIT")
    looks = [
        look([old]),
        look([old, new, reset]),
        look([old, left], closed=((1, 7, 3),)),
        look([old], closed=((1, 7, 3),)),
        look([old]),
    ]
    _, found = seen(looks)
    assert [(one.endpoint, one.changes, one.end, one.born) for one in found.lives] == [
        ("10.9.9.1:443", ((0.0, "ESTABLISHED"),), None, False),
        ("10.9.9.2:443", ((1.0, "ESTABLISHED"), (2.0, "CLOSE_WAIT")), 3.0, True),
        ("10.9.9.3:443", ((1.0, "ESTABLISHED"), (2.0, "CLOSE (fd only)")), 4.0, True),
    ]
    assert (found.seconds, found.left_out) == (4.0, 0)
    assert [one.high for one in found.states["CLOSE_WAIT"]] == [0, 0, 1, 0, 0]


def test_clients_of_a_server_are_told_by_their_ports() -> None:
    client = SocketRow("ESTABLISHED", ("10.0.0.1", 8000), ("10.0.0.9", 51000), 1, None, 5)
    listener = SocketRow("LISTEN", ("0.0.0.0", 8000), ("0.0.0.0", 0), 1, None, 6)
    one = replace(look([client, listener]), listening=frozenset({8000}))
    _, found = seen([one])
    assert [(life.endpoint, life.port) for life in found.lives] == [("clients of :8000", 51000)]
    assert "LISTEN" not in found.states


def test_only_so_many_are_followed() -> None:
    """A place is free again when its socket has gone; the others are counted."""
    rows = [row("ESTABLISHED", "10.9.9.9", number) for number in range(1, 8)]
    _, found = seen([look(rows[:5]), look(rows[2:5]), look(rows[2:7])], told=3)
    assert len(found.lives) == 5  # 1 to 3, and the two that came when two of these had gone
    assert found.left_out == 2


def test_memory_is_bounded() -> None:
    """A watch of 100,000 samples in which sockets come and go keeps no more than one of 10,000; peaks survive."""
    drawing, sizes = picture.Drawing(100), []
    for at in range(100_000):
        high = 900 if at == 54_321 else 3
        moved = ((at + 1, "ESTABLISHED", "a:1", 1), (at, "", "", 0))
        drawing.add(replace(NOTHING, at=float(at), states={"ESTABLISHED": high}, opened={"a:1": 1}, moved=moved))
        if at in (9_999, 99_999):
            found = drawing.picture()
            sizes.append((len(found.lives), sum(map(len, found.states.values()))))
    assert max(len_ for len_, _ in sizes) <= picture.ENDED + 1
    assert max(steps for _, steps in sizes) <= 100
    assert max(one.high for one in found.states["ESTABLISHED"]) == 900
    assert found.together * 100 >= 100_000


NOTHING = Tick(0.0, 0.0, {}, {}, None, 1, None, None, None, None, None)


def test_the_page_of_a_leak() -> None:
    """Sockets in CLOSE_WAIT have lines that never end, with the line of code where it is known."""
    summary, found = seen(leak(["10.9.9.9"], base=2))
    place = Place("CLOSE_WAIT", "/srv/agent.py:14 in ask", 59, 59)
    tree = lxml.html.document_fromstring(write.text(watches.page(replace(summary, places=(place,)), found)))
    assert tree.xpath("string(//h1)").startswith("The program leaks")
    assert "Close what is opened at /srv/agent.py:14 in ask" in tree.xpath("string(//ol[@class='steps'])")
    lines = tree.xpath("//ol[@class='lives']/li")
    assert len(lines) == 60
    assert sum("agent.py:14 in ask" in one.text_content() for one in lines) == 59  # one was there before the watch
    assert len(tree.xpath("//ol[@class='lives']//*[@class='endless accused']")) == 60
    assert "2 more are not drawn" in tree.text_content()
    assert "59 of 59 CLOSE_WAIT" in tree.text_content()


def test_markup_is_text() -> None:
    summary, found = seen(leak(["10.9.9.9"]))
    whole = write.text(watches.page(poisoned(replace(summary, places=(Place("CLOSE_WAIT", "a", 3, 4),))), found))
    assert whole.count("<script") == 1
    assert EVIL in lxml.html.document_fromstring(whole).text_content()


def test_a_quiet_watch() -> None:
    held = [row("ESTABLISHED", "10.9.9.9", number) for number in range(3)]
    summary, found = seen([look(held)] * 90)
    tree = lxml.html.document_fromstring(write.text(watches.page(summary, found)))
    assert tree.xpath("string(//h1)") == "Nothing was seen to leak."
    assert "still there" in tree.xpath("string(//ol[@class='lives'])")


def test_a_watch_without_connections() -> None:
    """Where only a listening socket is, a sentence stands where the pictures would."""
    summary, found = seen([look([row("LISTEN", "0.0.0.0", 1)])] * 90)
    tree = lxml.html.document_fromstring(write.text(watches.page(summary, found)))
    assert "only sockets that listen" in tree.xpath("string(//section[@aria-labelledby='cells'])")
    assert not tree.xpath("//figure")


def test_a_saved_watch_has_its_picture(cli: Cli, tmp_path: Path, target: object) -> None:
    """The moves of single sockets are in the capture: its picture is that of the watch."""
    assert callable(target)
    pid = target("many", 4)
    saved = tmp_path / "watch.jsonl"
    done = cli("sockets", pid, "--watch", "--interval", "100ms", "--set", "count=3", "--save", saved)
    assert done.returncode == 3, done.stderr  # too short to tell
    timeline, _ = capture.watch(Reader(saved))
    found = timeline.picture()
    assert found is not None
    rows = psutil.Process(pid).net_connections("tcp")
    served = {one.laddr.port for one in rows if one.status == "LISTEN"}
    ports = sorted(one.raddr.port if one.laddr.port in served else one.laddr.port for one in rows if one.raddr)
    assert len(ports) == 4
    assert sorted(one.port for one in found.lives) == ports
    assert all(one.end is None and not one.born for one in found.lives)
    assert os.path.getsize(saved) < 20_000


def test_growth_is_not_called_nothing(cli: Cli, tmp_path: Path) -> None:
    """Of a watch of which no condition holds, and something grows all the same."""
    page = tmp_path / "watch.html"
    done = cli("report", GOLDEN / "captures" / "watch.jsonl.gz", "--output", page, "--json")
    assert done.returncode == 0
    head = lxml.html.document_fromstring(page.read_text()).xpath("string(//h1)")
    assert head == "No condition that was set for this program holds, but CLOSE_WAIT and fds grow."
    assert "Nothing has to be put right" not in page.read_text()
    rows = {row["name"]: row["status"] for row in json.loads(done.stdout)["rows"]}
    assert rows["CLOSE_WAIT"] == "noted"
    assert "failed" not in rows.values()
