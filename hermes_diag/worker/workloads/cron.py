"""Cron jobs, one after the other: each makes an agent of its own."""

ORDER = 6
ON_DEMAND = True
HERMES = {"sessions": 1, "turns": 5}


def run(driver):
    driver.tasks()
