"""Keepalive that was asked for is on the sockets."""

from hermes_diag.judge.promises import Audited, Verdict, failed, not_applicable, passed, unknown

CODE, ORDER = "keepalive-on-wire", 7
PROMISE = "SO_KEEPALIVE, if asked for, is on the live socket"
WHY = "a stream whose peer has vanished ends only with keepalive; nothing else notices"
REFERENCE = "#10933"


def check(audited: Audited) -> Verdict:
    sockets, asked = audited.facts["sockets"], [p["where"] for p in audited.facts["pools"] if p["keepalive_asked"]]
    if not sockets:
        return unknown("no socket to the provider was open after a turn")
    on = [one for one in sockets if one["keepalive"]]
    if len(on) == len(sockets):
        first = on[0]
        return passed(f"on: idle {first['idle']} s, interval {first['interval']} s, count {first['count']}")
    if asked:
        return failed(f"asked for in {', '.join(asked)}, but off on {len(sockets) - len(on)} of {len(sockets)} sockets")
    return not_applicable("off, and not asked for, as in the SDK's own client")
