"""What was closed is not handed out again."""

from hermes_diag.judge.promises import Audited, Verdict, failed, passed, shared_by_design

CODE, ORDER = "closed-not-reused", 3
PROMISE = "a closed client is not handed out again"
WHY = "a closed httpx client stays closed: every later turn fails at once, and no retry helps"
FIX = "build a new client when the last one was closed, or do not close what will be handed out again"
REFERENCE = "#11070"


def check(audited: Audited) -> Verdict:
    if audited.kind == "instance":
        return shared_by_design(audited)
    again = audited.facts["closed_again"]
    if again["client"] or again["http_client"]:
        what = "http_client" if again["http_client"] else "client"
        return failed(f"the next client after one was given back had a closed {what}")
    return passed("the next client after one was given back was open")
