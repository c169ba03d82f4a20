"""max_retries of client_kwargs holds, on the wire too."""

from hermes_diag.core import units
from hermes_diag.judge.promises import Audited, Verdict, failed, not_applicable, passed, unknown

CODE, ORDER = "max-retries", 12
PROMISE = "max_retries is what client_kwargs say"
WHY = "the gateway retries by itself: the SDK's own retries multiply the waiting, and the bill"
FIX = "pass max_retries of client_kwargs on to the client"
REFERENCE = "#11070"


def check(audited: Audited) -> Verdict:
    retries = audited.facts["max_retries"]
    wanted = audited.expected.retries
    if wanted is not None:
        return passed(f"{retries}, as expected") if retries == wanted else failed(f"{retries}, expected {wanted}")
    if not audited.makes:
        return not_applicable(f"{retries}; it takes no client_kwargs")
    if retries:
        return failed(f"{retries} instead of 0")
    sent = audited.sent.get(audited.facts["retried_turn"], 0)
    if not sent:
        return unknown("0, but a request that was to get a 500 was not sent")
    if sent > 1:
        return failed(f"0, and yet a request that got a 500 was sent {units.count(sent, 'time')}")
    return passed("0; a request that got a 500 was sent once")
