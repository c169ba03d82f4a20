"""SSL_CERT_FILE is honoured."""

from hermes_diag.promises import Audited, Verdict, broken, held, unknown

CODE, ORDER = "ca-file-honoured", 11
PROMISE = "SSL_CERT_FILE is honoured"
WHY = "behind a TLS-inspecting proxy, or with an authority of one's own, every handshake fails"
REFERENCE = "#12008"


def check(audited: Audited) -> Verdict:
    turns = [turn for turn in (audited.proxy_turn, audited.direct_turn) if turn is not None]
    if not turns:
        return unknown("no run over TLS came to an end")
    if any(not turn for turn in turns):
        return held("a server whose authority it names was trusted")
    if any(name.startswith("ssl.") for turn in turns for name in turn):
        return broken("a server whose authority it names was refused: SSLCertVerificationError")
    return unknown(f"the turn over TLS failed otherwise: {' <- '.join(turns[-1])}")
