"""Complete turns, with idle gaps between the rounds."""

ORDER = 1
LOOP = {"sessions": 3, "turns": 8, "scope": "session"}
HERMES = {"sessions": 2, "turns": 6}
#: Few turns, but half as many idle gaps again as it takes to tell growth from presence.
CHECK = {"sessions": 2, "turns": 6}
ENDPOINT = True


def run(driver):
    for turn in driver.rounds():
        for session in driver.order():
            driver.turn(session, turn)
