"""Complete turns with a provider of two addresses, of which the first does not answer."""

ORDER = 9
ON_DEMAND = True
#: Releases of Hermes have connect timeouts of seconds and, for a turn over codex, of half an hour.
HERMES = {"sessions": 1, "turns": 4}
CONDITIONS = {"dead": True, "hurried": 0.0002}


def run(driver):
    for turn in driver.rounds():
        for session in driver.order():
            driver.turn(session, turn)
