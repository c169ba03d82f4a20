"""The provider falls silent in each stream, and a watchdog gives the stream up."""

ORDER = 4
#: Hermes has watchdogs of its own. An aborted turn is one attempt, two seconds longer than the watchdog.
HERMES = {"sessions": 1, "turns": 5, "fault": "first-event-then-silence", "watchdog": 1.0, "retries": 1}


def run(driver):
    for turn in driver.rounds():
        for session in driver.order():
            driver.turn(session, turn, abort=True)
