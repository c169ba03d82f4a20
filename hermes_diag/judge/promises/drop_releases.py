"""A client that is dropped without a close takes its sockets with it when it is collected."""

from hermes_diag.judge.leftovers import grown
from hermes_diag.judge.promises import CLIENTS, Audited, Verdict, failed, not_applicable, passed, unknown

CODE, ORDER = "drop-releases", 15
PROMISE = "what a client opened is gone when it is dropped and collected"
WHY = "an exception between building and closing must not cost a socket for good"
FIX = "hold no reference to clients that are handed out, or a weak one"
REFERENCE = "#61979"


def check(audited: Audited) -> Verdict:
    if not audited.makes:
        return not_applicable("its clients are not the caller's to drop")
    dropped = grown(audited.looks["failed"], audited.looks["dropped"], CLIENTS)
    collected = grown(audited.looks["failed"], audited.looks["collected"], CLIENTS)
    if collected:
        return failed(f"{CLIENTS} clients, used and dropped, left {collected} after gc")
    if audited.facts["failed"]:
        return unknown(f"a turn failed: {' <- '.join(audited.facts['failed'])}")
    return passed(f"nothing after gc; before it {dropped or 'nothing'}")
