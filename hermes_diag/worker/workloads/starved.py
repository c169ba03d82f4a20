"""Streams fall silent and are given up, until a pool of few places is full; then comes a turn that is answered."""

ORDER = 8
ON_DEMAND = True
#: Three places instead of the 100 or 1000 of a release: five streams that keep theirs fill a pool that clients share.
HERMES = {
    "sessions": 1,
    "turns": 6,
    "fault": "first-event-then-silence",
    "watchdog": 1.0,
    "retries": 1,
    "pool": 3,
}


def run(driver):
    for turn in driver.rounds():
        healthy = turn == driver.job.turns
        for session in driver.order():
            driver.turn(session, turn, abort=not healthy, healthy=healthy)
