"""Requests beside the conversation, each by an async client in a new event loop."""

ORDER = 7
HERMES = {"sessions": 1, "turns": 6, "default": False}


def run(driver):
    driver.tasks()
