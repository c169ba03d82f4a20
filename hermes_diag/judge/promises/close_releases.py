"""After a close nothing is left: sockets, descriptors, threads."""

from hermes_diag.core import units
from hermes_diag.judge.leftovers import grown
from hermes_diag.judge.promises import CLIENTS, Audited, Verdict, failed, passed, unknown

CODE, ORDER = "close-releases", 14
PROMISE = "what a client opened is gone after its close, also when its turn failed"
WHY = "one socket, descriptor or thread per turn, until the process may open no more"
FIX = "close what the client holds in its close(), the http_client above all"
REFERENCE = "#11070, #61979"


def check(audited: Audited) -> Verdict:
    if not audited.makes:
        return _at_the_end(audited)
    before, closed, failing = (audited.looks[label] for label in ("before", "closed", "failed"))
    if left := grown(before, closed, CLIENTS):
        return failed(f"{CLIENTS} clients, used and closed, left {left}")
    if left := grown(closed, failing, CLIENTS):
        return failed(f"{CLIENTS} clients whose turn failed, closed, left {left}")
    if audited.facts["failed"]:
        return unknown(f"a turn failed: {' <- '.join(audited.facts['failed'])}")
    return passed(f"{CLIENTS} clients, used and closed, left nothing, and {CLIENTS} whose turn failed neither")


def _at_the_end(audited: Audited) -> Verdict:
    """What keeps its clients may fill up while it is used: what counts is what is left when all is closed."""
    still = sum(count for state, count in audited.looks["end"].owned.items() if state != "TIME_WAIT")
    if still:
        return failed(f"after the end {units.count(still, 'socket')} {'is' if still == 1 else 'are'} open")
    if audited.facts["failed"]:
        return unknown(f"a turn failed: {' <- '.join(audited.facts['failed'])}")
    return passed("after the end no socket is open")
