"""Workloads: one file each, with a function `run(driver)` (see driver.py) and a docstring whose first line is its help.

What the host reads of a file, without importing it, are literal constants, all of them optional:

ORDER    place among the workloads in reports: small numbers come first
LOOP     {"sessions": .., "turns": .., "scope": ..}: default sizes of the replay loop; without it the workload cannot
         be asked for there
HERMES   {"sessions": .., "turns": ..}: default sizes with the real Hermes Agent; without it Hermes does not run it.
         "fault" is what the provider does to each turn, "watchdog" the seconds after which Hermes gives up a silent
         stream, "retries" its api_max_retries; without them as usual
ENDPOINT True: it can run against a real endpoint, which nobody can tell to hold a stream
CHECK    {"sessions": .., "turns": ..}: default sizes in `check`; without it those of LOOP
ON_DEMAND True: no command runs it unless it is asked for
CONDITIONS fields of core/plan.Conditions that its cells have, whatever the options say
"""
