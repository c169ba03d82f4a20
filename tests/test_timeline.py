"""A watch is judged by what was seen: per process, per endpoint, and by which sockets they were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from hermes_diag.core.sockets import SocketRow
from hermes_diag.reporters import sockets_watch
from hermes_diag.watch.records import Ended, Holding, Look, Process, Summary, Tick, Watched
from hermes_diag.watch.timeline import Timeline
from hermes_diag.watch.tracker import ENDPOINTS, Tracker

WATCHED = Watched(1, "x", 0.0, 0.0, 1.0, "sock_diag", "")


def process(pid: int, fds: int, limit: int) -> Process:
    return Process(pid, "x", 0.0, threads=1, rss=1, fds=fds, soft_limit=limit)


def row(state: str, remote: str, inode: int) -> SocketRow:
    return SocketRow(state, ("10.0.0.1", inode % 60000 + 1), (remote, 443), 1, None, inode)


def look(
    rows: Iterable[SocketRow] = (),
    processes: tuple[Process, ...] | None = None,
    closed: tuple[tuple[int, int, int | None], ...] | None = (),
) -> Look:
    rows = tuple(rows)
    processes = processes or (process(1, 10 + len(rows) + len(closed or ()), 1000),)
    return Look(0.0, processes, rows, (), closed, frozenset(), (), "sock_diag", "")


def watch(looks: Iterable[Look], *wanted: str, watched: Watched = WATCHED) -> Summary:
    timeline, tracker = Timeline(replace(watched, conditions=wanted)), Tracker()
    for at, one in enumerate(looks):
        timeline.add(tracker.tick(one, at, 0.0))
    return timeline.summary(Ended("done"))


def test_the_limit_is_reached_process_by_process() -> None:
    """Each process has its own limit and its own slope; the first to fail is named."""
    found = watch(look(processes=(process(1, 100 + i, 1000), process(2, 500 + 2 * i, 4000))) for i in range(60))
    assert found.until_limit == pytest.approx(1000 - 159, rel=0.01)  # process 2: (4000 - 618) / 2 = 1691 s
    assert found.limit == 1000
    assert "process 1 reaches its soft limit of 1,000 fds in 14 min" in found.verdict


def test_one_process_may_grow_while_the_sum_does_not() -> None:
    """A child that shrinks does not hide one that leaks."""
    found = watch(look(processes=(process(1, 100 + i, 1000), process(2, 500 - i, 1000))) for i in range(60))
    assert found.until_limit == pytest.approx(841, rel=0.01)
    assert found.exit_code == 1
    assert found.verdict.startswith("growing: fds of process 1; at this rate process 1 reaches")


def test_a_child_that_ended_fails_no_more() -> None:
    """Only processes that are alive will reach a limit."""
    early = [look(processes=(process(1, 100, 1000), process(2, 500 + i, 1000))) for i in range(40)]
    found = watch([*early, *[look(processes=(process(1, 100, 1000),))] * 20])
    assert found.until_limit is None


def leak(towards: Iterable[str], base: int = 0) -> list[Look]:
    """60 looks at a process that leaks one CLOSE_WAIT each time, towards these in turn, and holds a base."""
    held = [row("ESTABLISHED", f"10.1.{i // 250}.{i % 250}", 1000 + i) for i in range(base)]
    names = list(towards)
    looks = []
    for i in range(60):
        held.append(row("CLOSE_WAIT", names[i % len(names)], 9000 + i))
        looks.append(look(held))
    return looks


def test_all_contributors_are_named() -> None:
    """Each endpoint with its share, as many as there are."""
    two = watch(leak(["9.9.9.1", "9.9.9.1", "9.9.9.2"])).verdict
    assert "of 51 sockets that came meanwhile and stay 34 are towards 9.9.9.1:443, 17 are towards 9.9.9.2:443" in two
    many = watch(leak([f"9.9.9.{i}" for i in range(7)])).verdict
    assert many.count("towards 9.9.9.") == 5
    assert ", 14 are others" in many
    # and where a sample does not tell all endpoints
    assert "all are towards 9.9.9.1:443" in watch(leak(["9.9.9.1"], base=ENDPOINTS * 4)).verdict


def test_the_innocent_endpoint_is_not_named() -> None:
    """A constant pool of a database is no part of what came, whatever goes away elsewhere."""
    database = [row("ESTABLISHED", "9.9.9.7", i) for i in range(1, 20)]
    falling = [row("ESTABLISHED", "9.9.9.8", 100 + i) for i in range(120)]
    found = watch(
        look([*database, *falling[i * 2 :], *(row("CLOSE_WAIT", "9.9.9.1", 900 + n) for n in range(i))])
        for i in range(60)
    )
    assert "growing: CLOSE_WAIT" in found.verdict
    assert "9.9.9.7" not in found.verdict
    assert "all are towards 9.9.9.1:443" in found.verdict


def test_what_was_there_before_is_no_growth() -> None:
    """An endpoint that the first sample left out may have had its sockets then."""
    others = [row("ESTABLISHED", f"10.2.0.{i % ENDPOINTS}", i + 1) for i in range(ENDPOINTS * 41)]
    same = [row("ESTABLISHED", "9.9.9.9", 5000 + i) for i in range(40)]
    looks = [look([*others, *same], (process(1, 5000 + i, 9000),)) for i in range(59)]
    found = watch([*looks, look(same, (process(1, 5059, 9000),))])
    assert found.verdict.startswith("growing: fds")
    assert "towards" not in found.verdict


def belongings(at: int, fds: dict[str, tuple[str, str]], threads: int = 1) -> Look:
    """A look at a process with these descriptors and so many threads."""
    held = (Holding(1, at, fds, frozenset(range(threads))),)
    return replace(look(processes=(process(1, len(fds), 1000),)), held=held)


def test_a_leak_of_something_else_is_named_by_kind_and_path() -> None:
    """Files leak, and one socket more is open: the kind and the path are named, and no endpoint is the culprit."""
    looks = [
        belongings(i, {**{str(n): ("file", "/var/x.log") for n in range(i)}, "900": ("pipe", f"pipe:[{i // 30}]")})
        for i in range(60)
    ]
    found = watch(looks)
    assert "growing: fds by" in found.verdict
    assert "51 are file" in found.verdict
    assert "all are /var/x.log" in found.verdict
    many = [belongings(i, {str(n): ("file", f"/var/tmp/{n}") for n in range(i)}) for i in range(60)]
    assert "all are in /var/tmp" in watch(many).verdict
    assert {one.name: one.word for one in found.courses}["fds pipe"] == "steady"


def test_event_loops_that_are_not_closed() -> None:
    """An eventpoll and a pair of unix sockets that come together are named as what they are."""
    kinds = (("eventpoll", "anon_inode:[eventpoll]"), ("unix", "socket:[1]"), ("unix", "socket:[2]"))
    looks = [belongings(i, {f"{n}{k}": kind for n in range(i) for k, kind in enumerate(kinds)}) for i in range(60)]
    assert "as of event loops that are not closed" in watch(looks).verdict
    unpaired = [belongings(i, {str(n): kinds[0] for n in range(i)}) for i in range(60)]
    assert "all are eventpoll" in watch(unpaired).verdict
    assert "event loops" not in watch(unpaired).verdict


def test_a_rotating_set_is_no_leak() -> None:
    """Descriptors and threads that are replaced one by one, in a number that wanders up, are none that stay."""
    looks = []
    for i in range(120):
        alive = range(i, i + 10 + i // 10)
        one = belongings(i, {str(n): ("pipe", f"pipe:[{n}]") for n in alive})
        looks.append(replace(one, held=(Holding(1, i, one.held[0].fds, frozenset(alive)),)))  # type: ignore[index]
    found = watch(looks)
    assert {one.name: one.word for one in found.courses if one.name in ("fds", "threads", "fds pipe")} == {
        "fds": "bursty", "threads": "steady", "fds pipe": "bursty"
    }  # fmt: skip
    assert found.exit_code == 0


def test_a_process_at_its_limit_is_full() -> None:
    """It cannot open any more, so that its numbers stand still: a verdict of its own, and no clean one."""
    fds = {str(n): ("TCP", f"socket:[{n}]") for n in range(36)} | {f"9{n}": ("file", "/x") for n in range(4)}
    full = replace(belongings(1, fds), processes=(process(1, 40, 40),))
    found = watch([full] * 30)
    assert found.exit_code == 1
    assert "full: at its limit, 40 of 40 fds; it can open no more (EMFILE); open are TCP 36, file 4" in found.verdict
    below = replace(full, processes=(process(1, 40, 41),))
    assert watch([below] * 30).exit_code == 0
    now_and_then = watch([full if i % 3 == 0 else below for i in range(30)])
    assert now_and_then.exit_code == 1
    assert "at its limit in 10 of 30 samples, 40 of 40 fds" in now_and_then.verdict


def test_unread_body_is_no_idle_pool() -> None:
    """A pool that is used up by streams that nobody reads stands still, too: it is not clean."""
    used_up = [row("CLOSE_WAIT", "9.9.9.1", i)._replace(recv_q=5000) for i in range(1, 101)]
    found = watch([look(used_up)] * 30)
    assert found.exit_code == 1
    assert "left behind: 100 in CLOSE_WAIT with unread body" in found.verdict
    for queue in (0, 1, 25, 32):  # all was read; the FIN; the close_notify of TLS 1.3 and 1.2 before it
        idle = watch([look([one._replace(recv_q=queue) for one in used_up])] * 30)
        assert idle.exit_code == 0
        assert "unread" not in idle.verdict
    short = watch([look(used_up)] * 10)
    assert short.exit_code == 3
    assert "too short to tell whether anybody reads the body in 100 in CLOSE_WAIT; watch for 10 s" in short.verdict
    # Somebody reads, slowly: the queue is never the same for long.
    read = watch(look([one._replace(recv_q=5000 + i) for one in used_up]) for i in range(30))
    assert read.exit_code == 0
    assert "100 of them with unread body" in read.verdict


def test_what_stays_is_told_as_it_was_seen() -> None:
    """How many, for how long the same ones, and what happened meanwhile that a pool would have answered."""
    same = watch(look([row("CLOSE_WAIT", "9.9.9.1", 1), row("CLOSE_WAIT", "9.9.9.1", 2)]) for _ in range(20))
    assert "the 2 in CLOSE_WAIT have been the same ones for 19 s; no new connection" in same.verdict
    busy = [row("CLOSE_WAIT", "9.9.9.1", 1), row("CLOSE_WAIT", "9.9.9.1", 2)]
    passed_by = watch(look([*busy, row("ESTABLISHED", "9.9.9.1", 100 + i // 4)]) for i in range(20))
    assert "4 new connections went to the same remotes meanwhile: a pool that made them" in passed_by.verdict
    others = watch(look([row("CLOSE_WAIT", "9.9.9.1", i), row("CLOSE_WAIT", "9.9.9.1", i + 1)]) for i in range(20))
    assert "same remotes" not in others.verdict
    assert "not the same ones all the time: 19 came into it and 19 left it" in others.verdict
    warm = watch(look(row("CLOSE_WAIT", "9.9.9.1", n) for n in range(1, min(i, 6) + 1)) for i in range(60))
    assert "the 6 in CLOSE_WAIT have been the same ones for 53 s" in warm.verdict
    assert "pooled" not in same.verdict + warm.verdict


def test_sockets_that_are_only_a_descriptor_can_be_asked_about() -> None:
    """close.growth and close.age: reset sockets are in no table, but are counted and timed."""
    resets = [look(closed=tuple((1, 50 + n, 700 + n) for n in range(i))) for i in range(60)]
    found = watch(resets, "close.growth > 1/min", "close.age > 50s", "close.age > 2m")
    assert [one.held for one in found.conditions] == [True, True, False]
    # The same descriptor, another socket each time: none is old.
    young = watch((look(closed=((1, 50, i),)) for i in range(60)), "close.age > 2s")
    assert [one.held for one in young.conditions] == [False]
    unseen = watch((look(closed=None) for _ in range(60)), "close.growth > 1/s", "close.age > 1s")
    assert [one.held for one in unseen.conditions] == [None, None]


def test_a_state_that_never_was() -> None:
    """Nothing seen in three samples is not clean; nothing seen in sixty is."""
    assert watch([look()] * 3, "last_ack.growth > 2/s").conditions[0].held is None
    assert watch([look()] * 60, "last_ack.growth > 2/s").conditions[0].held is False


def test_a_descriptor_more_at_the_end_does_not_spoil_a_watch() -> None:
    """Its row says too short, the exit code is that of CLOSE_WAIT; whoever asks for fds is told."""
    looks = [look(processes=(process(1, 100 + i // 50, 1000),)) for i in range(60)]
    found = watch(looks)
    assert {one.name: one.word for one in found.courses}["fds"] == "too short"
    assert (found.exit_code, found.verdict.endswith("; too short to tell: fds")) == (0, True)
    assert watch(looks, "fds.growth > 0/h").exit_code == 3
    two = [look(processes=(process(1, 100 + i // 25, 1000),)) for i in range(60)]
    assert {one.name: one.word for one in watch(two).courses}["fds"] in ("too short", "growing")
    assert watch(two).exit_code != 0  # a slow leak may begin so
    late = watch(look([row("CLOSE_WAIT", "9.9.9.1", 1)][: i // 50]) for i in range(60))
    assert late.exit_code == 0  # one alone is no leak; how slow a leak would have been missed is said
    assert "a leak slower than" in late.verdict


def test_what_is_not_there_has_no_age() -> None:
    """Without a socket in a state no condition on its age holds, also not of those that are only an fd."""
    for text in ("close_wait.age < 10m", "close_wait.age >= 0s", "close.age < 10m"):
        assert [one.held for one in watch([look()] * 12, text).conditions] == [False]


def test_a_look_that_failed_gives_no_verdict() -> None:
    """What was seen is summed up, and the exit code says that it was not all."""
    timeline, tracker = Timeline(WATCHED), Tracker()
    for at in range(20):
        timeline.add(tracker.tick(look(), at, 0.0))
    assert timeline.summary(Ended("done")).exit_code == 0
    assert timeline.summary(Ended("lost", "why")).exit_code == 3


def test_a_tick_without_samples_is_judged() -> None:
    """A watch that was lost at once has a summary, too."""
    found = Timeline(replace(WATCHED, conditions=("close_wait.growth > 5/h",))).summary(Ended("lost", "why"))
    assert found.exit_code == 3
    assert found.conditions[0].held is None
    assert isinstance(found.last, Tick | None)


def test_samples_that_were_missed_are_counted() -> None:
    """12 of 80 samples are no watch of 80."""
    timeline, tracker = Timeline(WATCHED), Tracker()
    for i in range(12):
        timeline.add(tracker.tick(look(), i * 79 / 11, 0.0))
    found = timeline.summary(Ended("done"))
    assert found.missed == 68
    assert "68 of 80 samples were missed" in " ".join(sockets_watch.summary(found, 200)).translate({3: None, 5: None})
    assert watch([look()] * 80).missed == 0


def test_memory_has_a_growth() -> None:
    """rss.growth: by its base and slope, told in bytes; memory that was taken once is none."""
    grows = [look(processes=(replace(process(1, 9, 99), rss=(50 << 20) + i * (1 << 20)),)) for i in range(60)]
    held = watch(grows, "rss.growth > 1G/h", "rss.growth > 10G/h").conditions
    assert [one.held for one in held] == [True, False]
    assert "rss growing: by 3.5 GiB/h, from 50.0 MiB to 109 MiB" in held[0].found
    taken = [look(processes=(replace(process(1, 9, 99), rss=(60 if i > 20 else 50) << 20),)) for i in range(60)]
    assert [one.held for one in watch(taken, "rss.growth > 0/h").conditions] == [False]


def test_a_listener_that_accepts_nothing() -> None:
    """A queue that stays full is a problem; one that is full for a moment, or has room, is not."""
    full, roomy = (
        SocketRow("LISTEN", ("127.0.0.1", 8000), ("0.0.0.0", 0), recv_q=waiting, send_q=5, inode=77)
        for waiting in (6, 5)
    )
    stays = watch([replace(look([full]), backend="sock_diag")] * 20)
    assert stays.exit_code == 1
    assert "not accepting: the queue of the listener on 127.0.0.1:8000 is full: 6 connections" in stays.verdict
    for rows in ([full] * 3 + [roomy] * 17, [full, roomy] * 10):
        passes = watch([replace(look([one]), backend="sock_diag") for one in rows])
        assert passes.exit_code == 0
        assert "queue" not in passes.verdict


def test_ports_that_run_out() -> None:
    """Closed connections keep their ports for a minute: nearly all of the range towards one endpoint is a problem."""

    def seen(count: int, to: str = "9.9.9.1") -> Look:
        waiting = tuple(SocketRow("TIME_WAIT", ("10.0.0.1", 2000 + i), (to, 443)) for i in range(count))
        return replace(look([row("ESTABLISHED", "9.9.9.1", 1)]), unowned=waiting, ports=100)

    out = watch([seen(95)] * 20)
    assert out.exit_code == 1
    assert "out of ports: 96 of 100 ports towards 9.9.9.1:443 are taken, 95 of them" in out.verdict
    assert "EADDRNOTAVAIL" in out.verdict
    many = watch([seen(60)] * 20)
    assert many.exit_code == 0
    assert "61 of 100 ports towards 9.9.9.1:443 are taken" in many.verdict
    assert "ports" not in watch([seen(30)] * 20).verdict
    served = replace(seen(95), listening=frozenset(range(1, 3000)))  # ports of a server are not taken from the range
    assert watch([served] * 20).exit_code == 0
