"""Each turn fans out to three subagents at the same time, with agents of their own."""

ORDER = 5
ON_DEMAND = True
HERMES = {"sessions": 1, "turns": 5}


def run(driver):
    driver.tasks()
