"""Closing one client breaks no other, neither idle nor in mid-stream."""

from hermes_diag.judge.promises import Audited, Verdict, failed, not_applicable, passed

CODE, ORDER = "close-spares-others", 4
PROMISE = "closing one client breaks no other, idle or in mid-stream"
WHY = "overlapping sessions lose their streams (ReadError, Bad file descriptor) when another session's turn ends"
FIX = "give each request client an http_client of its own, or one whose owner alone closes it"
REFERENCE = "#11070"


def check(audited: Audited) -> Verdict:
    if audited.kind == "instance":
        return not_applicable("there is only one client")
    if audited.facts.get("places", 2) < 2:
        return not_applicable("the pool hands out one client at a time")
    idle, stream = audited.facts["idle_close"], audited.facts["stream_close"]
    words = []
    if idle["after"] and not idle["before"]:
        words.append(f"an idle client failed afterwards: {' <- '.join(idle['after'])}")
    if stream["after"]:
        words.append(f"a stream being read broke: {' <- '.join(stream['after'])}")
    broken = bool(idle["before"] and stream["before"])
    if audited.facts["first_turn"] or (broken and any(audited.facts["closed_again"].values())):
        return not_applicable("its clients do not work to begin with")
    if broken:
        words.append(f"a client failed once another was handed out: {' <- '.join(idle['before'])}")
    return failed("; ".join(words)) if words else passed("an idle client and a stream being read went on")
