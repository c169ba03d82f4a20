"""Sessions come and go through Hermes's own API server: a new one for each turn."""

ORDER = 7
ON_DEMAND = True
HERMES = {"sessions": 2, "turns": 6}


def run(driver):
    driver.tasks()
