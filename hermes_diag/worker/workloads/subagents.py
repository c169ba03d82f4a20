"""Each turn fans out to three subagents at the same time, with agents of their own."""

ORDER = 5
HERMES = {"sessions": 1, "turns": 5, "default": False}


def run(driver):
    driver.tasks()
