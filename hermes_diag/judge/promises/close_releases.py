"""After a close nothing is left: sockets, descriptors, threads."""

from hermes_diag.judge.leftovers import grown
from hermes_diag.judge.promises import CLIENTS, Audited, Verdict, failed, passed, unknown

CODE, ORDER = "close-releases", 14
PROMISE = "what a client opened is gone after its close"
WHY = "one socket, descriptor or thread per turn, until the process may open no more"
REFERENCE = "#11070, #61979"


def check(audited: Audited) -> Verdict:
    left = grown(audited.looks["before"], audited.looks["closed"], CLIENTS)
    what = "clients, used and closed," if audited.makes else "turns"
    if left:
        return failed(f"{CLIENTS} {what} left {left}")
    if audited.facts["failed"]:
        return unknown(f"a turn failed: {' <- '.join(audited.facts['failed'])}")
    if audited.makes:
        return passed(f"{CLIENTS} {what} left nothing")
    still = sum(count for state, count in audited.looks["end"].owned.items() if state != "TIME_WAIT")
    return failed(f"after the end {still} sockets are open") if still else passed("after the end no socket is open")
