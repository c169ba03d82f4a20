"""TCP_NODELAY is on the sockets."""

from hermes_diag.judge.promises import Audited, Verdict, failed, live_sockets, passed, unknown

CODE, ORDER = "nodelay", 8
PROMISE = "TCP_NODELAY is on the live socket"
WHY = "without it a small request may wait 40 ms for an acknowledgement"
FIX = "leave TCP_NODELAY alone: take it out of the hook or network backend that sets it to 0"
REFERENCE = "#10933"


def check(audited: Audited) -> Verdict:
    sockets = live_sockets(audited)
    if not sockets:
        return unknown("no socket to the provider was open after a turn")
    off = sum(not one["nodelay"] for one in sockets)
    return failed(f"off on {off} of {len(sockets)} sockets") if off else passed("on")
