"""Cron jobs, one after the other: each makes an agent of its own."""

ORDER = 6
HERMES = {"sessions": 1, "turns": 5, "default": False}


def run(driver):
    driver.tasks()
