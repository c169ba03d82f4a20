"""NO_PROXY is honoured."""

from hermes_diag.judge.promises import Audited, Verdict, chosen, failed, not_applicable, passed, unknown

CODE, ORDER = "no-proxy-honoured", 10
PROMISE = "NO_PROXY is honoured"
WHY = "a host that is to be reached directly would be asked of a proxy that cannot reach it"
FIX = "mount the proxies of the environment (urllib.request.getproxies) instead of proxy=..."
REFERENCE = "#12008"


def check(audited: Audited) -> Verdict:
    if not audited.through_proxy:
        return not_applicable("no proxy of the environment is used at all")
    if audited.despite_no_proxy is None:
        return unknown("the run with NO_PROXY in the environment came to no end")
    if audited.despite_no_proxy and audited.proxy_given:
        return chosen(audited, "it was given a proxy", "also hosts that NO_PROXY names are asked of it")
    if audited.despite_no_proxy:
        return failed("the proxy was used for a host that NO_PROXY names")
    return passed("the proxy saw no connection to a host that NO_PROXY names")
