"""HTTPS_PROXY is honoured."""

from hermes_diag.judge.promises import Audited, Verdict, chosen, failed, passed, unknown

CODE, ORDER = "proxy-honoured", 9
PROMISE = "HTTPS_PROXY is honoured"
WHY = "an injected transport makes httpx ignore the environment: behind a proxy nothing connects"
FIX = "build it with openai.DefaultHttpxClient, or mount a transport for each of getproxies()"
REFERENCE = "#12008"


def check(audited: Audited) -> Verdict:
    if audited.through_proxy is None:
        return unknown("the run with a proxy in the environment came to no end")
    http, wanted = audited.facts["http"], audited.expected.proxy
    found = "own" if http["own_proxy"] else "environment" if audited.through_proxy else "none"
    if wanted:
        return passed(f"{found}, as expected") if found == wanted else failed(f"{found}, expected {wanted}")
    if http["own_proxy"]:
        return chosen(audited, "it has a proxy of its own", "the environment's is not asked")
    if audited.through_proxy:
        return passed(f"{audited.through_proxy} connection through the proxy")
    turn = audited.proxy_turn or ()
    if turn and not any(name.startswith("ssl.") for name in turn):  # then it did reach the server
        return unknown(f"its turn failed before it connected: {' <- '.join(turn)}")
    if not http["trust_env"]:
        return chosen(audited, "trust_env is off", "behind a proxy that only the environment names nothing connects")
    return failed("the proxy of the environment saw no connection")
