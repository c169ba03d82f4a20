"""The words for how something ended, in every command. Apart from the reports, which take longer to import."""

from __future__ import annotations

from enum import StrEnum

from hermes_diag.core.errors import COULD_NOT_MEASURE, OK, PROBLEM


class Status(StrEnum):
    """The verdict of a run, in every command. A tool that could not look never says clean."""

    CLEAN = "clean"  # nothing wrong, or as expected
    FAILING = "failing"  # a problem was found
    COULD_NOT_TELL = "could not tell"

    @property
    def exit_code(self) -> int:
        return {Status.CLEAN: OK, Status.FAILING: PROBLEM}.get(self, COULD_NOT_MEASURE)


class RowStatus(StrEnum):
    """What became of one thing that was looked at."""

    PASSED = "passed"
    FAILED = "failed"
    NOTED = "noted"  # a choice: told, and no problem unless something else is expected
    NOT_APPLICABLE = "not applicable"
    COULD_NOT_TELL = "could not tell"
    ALLOWED = "allowed"  # failed, and the settings allow it until a day
    KNOWN = "known"  # failed or could not be told, as in the baseline
