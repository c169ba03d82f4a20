"""Requests beside the conversation, each by an async client in a new event loop."""

ORDER = 7
ON_DEMAND = True
HERMES = {"sessions": 1, "turns": 6}


def run(driver):
    driver.tasks()
