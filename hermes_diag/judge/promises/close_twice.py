"""A client may be closed twice."""

from hermes_diag.judge.promises import Audited, Verdict, failed, passed, shared_by_design

CODE, ORDER = "close-twice", 13
PROMISE = "a client may be closed twice"
WHY = "a with-block closes it and so does a finally: an exception of the second close breaks the turn"
FIX = "make close() return at once when the client is closed already"
REFERENCE = ""


def check(audited: Audited) -> Verdict:
    if not audited.makes:
        return shared_by_design(audited)
    raised = audited.facts["closed_twice"]
    return failed(f"the second close raised {raised}") if raised else passed("the second close raised nothing")
