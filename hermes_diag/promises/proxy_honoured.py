"""HTTPS_PROXY is honoured."""

from hermes_diag.promises import Audited, Verdict, broken, held, unknown

CODE, ORDER = "proxy-honoured", 9
PROMISE = "HTTPS_PROXY is honoured"
WHY = "an injected transport makes httpx ignore the environment: behind a proxy nothing connects"
REFERENCE = "#12008"


def check(audited: Audited) -> Verdict:
    if audited.through_proxy is None:
        return unknown("the run with a proxy in the environment came to no end")
    if audited.through_proxy:
        return held(f"{audited.through_proxy} connection through the proxy")
    return broken("the proxy of the environment saw no connection")
