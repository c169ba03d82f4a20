"""A stream over TLS is given up by another thread, while others open files and sockets and check every byte."""

import threading

from ..beside import Beside
from ..bystanders import KINDS, Bystanders
from ..contract import HERMES as REAL_HERMES
from ..contract import Fact
from ..tls_reads import Reads

ORDER = 5
ON_DEMAND = True
#: One turn and more for each kind of bystander.
LOOP = {"sessions": 1, "turns": 8, "scope": "session"}
#: Its user and its watchdog give streams up in turns.
HERMES = {"sessions": 1, "turns": 8, "fault": "hold", "watchdog": 1.0, "retries": 1}
CONDITIONS = {"tls": True, "bystanders": True}
#: Seconds: until a stream is held, until its number comes again once it was given up, until its reader has left.
HELD, AGAIN, LEFT = 10.0, 0.5, 3.0


def run(driver):
    seen = {"turns": 0, "numbers": 0, "again": 0, "early": 0, "closed_early": 0, "opened": 0, "kinds": {}, "harm": []}
    for turn in driver.rounds():
        for session in driver.order():
            with Reads() as reads:
                _given_up(driver, session, turn, reads, seen)
                seen["closed_early"] += reads.closed_early
            driver.channel.send(Fact("recycled", seen))


def _given_up(driver, session, turn, reads, seen):
    """One turn. A number that a stranger has freed comes to an opener before the provider speaks again, which wakes
    the reader if nothing has."""
    gate = Gate()
    driver.hold_next()
    by_user = driver.job.strategy == REAL_HERMES and turn % 2 == 1
    giving_up = Beside(lambda: driver.turn(session, turn, interrupt=by_user, hold=gate, abort=True), "turn")
    reads.wait(lambda: giving_up.over.is_set() or (gate.is_set() and reads.numbers()), HELD)
    numbers = reads.numbers()
    seen["turns"] += 1
    seen["numbers"] += len(numbers)
    openers = None
    if numbers:
        kind = KINDS[(turn - 1) % len(KINDS)]
        openers = Bystanders(driver.job.settings["bystanders"], kind, numbers, reads)
    gate.open()
    # Of a number that has come while its reader still waits for the provider there is nothing more to wait for.
    reads.wait(lambda: giving_up.over.is_set() or (openers is not None and openers.early), HELD)
    if openers is not None:
        reads.wait(openers.all_came, AGAIN)
    driver.barrier("held")
    giving_up.end()
    reads.wait(lambda: not reads.numbers(), LEFT)
    if openers is not None:
        reads.wait(openers.all_came, AGAIN)
        harm = openers.end()
        seen["again"] += len(openers.caught)
        for one, _ in openers.caught.values():
            seen["kinds"][one.kind] = seen["kinds"].get(one.kind, 0) + 1
        seen["early"] += openers.early
        seen["opened"] += openers.opened
        seen["harm"] += [dict(one, turn="%d/%d" % (session.serial, turn)) for one in harm]


class Gate(threading.Event):
    """The `hold` of a turn: set once its stream is held. Who waits for that in order to give it up waits for `open`,
    too: by then openers are at work."""

    def __init__(self):
        super().__init__()
        self._open = threading.Event()

    def open(self):
        self._open.set()

    def wait(self, timeout=None):
        return super().wait(timeout) and self._open.wait(HELD)
