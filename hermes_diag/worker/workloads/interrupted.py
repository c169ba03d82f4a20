"""Every turn is interrupted by its user after the first event."""

ORDER = 2
#: One session is interrupted often enough to use up the 100 connections of httpx's default pool.
LOOP = {"sessions": 1, "turns": 101, "scope": "session"}
#: The provider holds each stream, or Hermes would have read it before its user can interrupt.
HERMES = {"sessions": 2, "turns": 6, "fault": "hold"}
CHECK = {"sessions": 1, "turns": 6}
ENDPOINT = True


def run(driver):
    for turn in driver.rounds():
        for session in driver.order():
            driver.turn(session, turn, interrupt=True)
