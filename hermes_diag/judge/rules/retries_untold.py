"""Requests were refused or broken off, and of which turn they are cannot be told: retries are not judged."""

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.report import UNTOLD
from hermes_diag.judge import retries
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "retries-untold", UNTOLD, ""
REMEDY = "Make one turn at a time, with `replay --sessions 1`: then it is judged whether a client retries as told."
REFERENCE = ""


def check(evidence: Evidence) -> Hit | None:
    untold = retries.sent(evidence).untold
    if not untold or not any(retries.failed(one) for one in evidence.served if one.api):
        return None
    return Hit(
        f"the turn of {units.count(untold, 'request')} cannot be told, nor whether they were retries: "
        "they carry no name, and several turns were made between two looks",
        {"requests": untold},
    )
