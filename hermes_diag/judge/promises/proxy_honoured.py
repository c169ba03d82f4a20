"""HTTPS_PROXY is honoured."""

from hermes_diag.judge.promises import Audited, Verdict, failed, passed, unknown

CODE, ORDER = "proxy-honoured", 9
PROMISE = "HTTPS_PROXY is honoured"
WHY = "an injected transport makes httpx ignore the environment: behind a proxy nothing connects"
REFERENCE = "#12008"


def check(audited: Audited) -> Verdict:
    if audited.through_proxy is None:
        return unknown("the run with a proxy in the environment came to no end")
    if audited.through_proxy:
        return passed(f"{audited.through_proxy} connection through the proxy")
    turn = audited.proxy_turn or ()
    if turn and not any(name.startswith("ssl.") for name in turn):  # then it did reach the server
        return unknown(f"its turn failed before it connected: {' <- '.join(turn)}")
    return failed("the proxy of the environment saw no connection")
