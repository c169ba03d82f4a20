"""Complete turns, with idle gaps between the rounds."""

import functools

from ..beside import Beside

ORDER = 1
LOOP = {"sessions": 3, "turns": 8, "scope": "session"}
HERMES = {"sessions": 2, "turns": 6}
#: Few turns, but half as many idle gaps again as it takes to tell growth from presence.
CHECK = {"sessions": 2, "turns": 6}
ENDPOINT = True


def run(driver):
    for turn in driver.rounds():
        if "threads" in driver.job.settings:
            _at_once(driver, turn)
            continue
        for session in driver.order():
            driver.turn(session, turn)


def _at_once(driver, turn):
    threads = [
        Beside(functools.partial(driver.turn, session, turn), "session-%d" % session.serial)
        for session in driver.order()
    ]
    for thread in threads:
        thread.end()
