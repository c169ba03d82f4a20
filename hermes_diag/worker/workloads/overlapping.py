"""In each round one session's turn ends while the streams of all others are being read."""

import threading

from ..beside import Beside

ORDER = 3
#: One dict for the gateway: with one for each session nothing is shared, and no end of a turn can touch the stream
#: of another.
LOOP = {"sessions": 3, "turns": 6, "scope": "gateway"}
HERMES = {"sessions": 3, "turns": 5}
#: Two streams at a time, so that the end of one can break the other.
CHECK = {"sessions": 2, "turns": 6}


def run(driver):
    together = driver.places(driver.job.sessions)
    for turn in driver.numbers():
        order = driver.order()
        for session in order[together:]:  # a pool with fewer places than sessions serves these alone
            driver.turn(session, turn)
        *reading, ending = order[:together]
        readers = [Reader(driver, session, turn) for session in reading]
        late = driver.turn_beside(ending, turn)
        driver.barrier("held")  # the host takes its snapshot, then lets the provider finish the held streams
        for reader in readers:
            reader.finish()
        if late is not None:  # turns that wait for each other do not overlap
            late.end()
            together = 1
        driver.barrier("idle")


class Reader:
    """A turn in a thread of its own, whose stream the provider holds after the first event.

    It is being read, or has failed, once the constructor returns.
    """

    def __init__(self, driver, session, turn):
        driver.hold_next()
        self._driver, self._session, self._turn = driver, session, turn
        self._reading = threading.Event()
        self._call = Beside(self._read, "session-%d" % session.serial)
        self._reading.wait()

    def _read(self):
        try:
            self._driver.turn(self._session, self._turn, hold=self._reading)
        finally:
            self._reading.set()

    def finish(self):
        """Wait for the end of the turn. Raises what broke in it."""
        self._call.end()
