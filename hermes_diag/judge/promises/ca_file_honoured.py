"""SSL_CERT_FILE is honoured."""

from hermes_diag.judge.promises import Audited, Verdict, failed, passed, unknown

CODE, ORDER = "ca-file-honoured", 11
PROMISE = "SSL_CERT_FILE is honoured"
WHY = "behind a TLS-inspecting proxy, or with an authority of one's own, every handshake fails"
REFERENCE = "#12008"


def check(audited: Audited) -> Verdict:
    named, unnamed = audited.proxy_turn, audited.direct_turn
    if named is None or unnamed is None:
        return unknown("a run over TLS came to no end")
    if not unnamed:
        return failed("a server whose authority nobody names was trusted: certificates are not verified")
    if _refused(named):
        return failed("a server whose authority it names was refused: SSLCertVerificationError")
    if named or not _refused(unnamed):
        return unknown(f"a turn over TLS failed otherwise: {' <- '.join(named or unnamed)}")
    return passed("a server whose authority it names was trusted, and without it refused")


def _refused(chain: tuple[str, ...]) -> bool:
    return any(name.startswith("ssl.") for name in chain)
