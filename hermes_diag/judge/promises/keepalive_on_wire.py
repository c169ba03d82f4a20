"""Keepalive that was asked for is on the sockets."""

from typing import Any

from hermes_diag.judge.promises import Audited, Verdict, failed, live_sockets, not_applicable, passed, unknown

CODE, ORDER = "keepalive-on-wire", 7
PROMISE = "SO_KEEPALIVE, if asked for, is on the live socket"
WHY = "a stream whose peer has vanished ends only with keepalive; nothing else notices"
FIX = "pass socket_options to the transport that the requests take, and to each mount"
REFERENCE = "#10933"


def check(audited: Audited) -> Verdict:
    sockets, asked = live_sockets(audited), [p["where"] for p in audited.facts["pools"] if p["keepalive_asked"]]
    wanted = audited.expected.keepalive
    if not sockets and (asked or wanted is not None):
        return unknown("no socket to the provider was open after a turn")
    on = [one for one in sockets if one["keepalive"]]
    off = f"off on {len(sockets) - len(on)} of {len(sockets)} sockets"
    if wanted is not None and len(on) < len(sockets):
        return failed(f"expected, but {off}")
    if wanted and any(_times(one)[: len(wanted)] != wanted for one in on):
        return failed(f"{_text(on[0])}, expected {'/'.join(map(str, wanted))}")
    if sockets and len(on) == len(sockets):
        return passed(_text(on[0]))
    if asked:
        return failed(f"asked for in {', '.join(asked)}, but {off}")
    return not_applicable("off, and not asked for, as in the SDK's own client")


def _times(one: dict[str, Any]) -> tuple[int | None, ...]:
    return one["idle"], one["interval"], one["count"]


def _text(one: dict[str, Any]) -> str:
    return f"on: idle {one['idle']} s, interval {one['interval']} s, count {one['count']}"
