"""SSL_CERT_FILE is honoured."""

from hermes_diag.judge.promises import Audited, Verdict, chosen, failed, passed, unknown

CODE, ORDER = "ca-file-honoured", 11
PROMISE = "certificates are verified, and SSL_CERT_FILE is honoured"
WHY = "whoever stands between client and provider can read and change what is said"
FIX = "leave verify at its default, or build its context with ssl.create_default_context()"
REFERENCE = "#12008"


def check(audited: Audited) -> Verdict:
    named, unnamed = audited.proxy_turn, audited.direct_turn
    if named is None or unnamed is None:
        return unknown("a run over TLS came to no end")
    if not unnamed:
        return failed("a server whose authority nobody names was trusted: certificates are not verified")
    if _refused(named):
        seen = "a server whose authority only SSL_CERT_FILE names was refused (SSLCertVerificationError)"
        return chosen(audited, seen, "behind a TLS-inspecting proxy every handshake fails")
    if named or not _refused(unnamed):
        return unknown(f"a turn over TLS failed otherwise: {' <- '.join(named or unnamed)}")
    return passed("a server whose authority it names was trusted, and without it refused")


def _refused(chain: tuple[str, ...]) -> bool:
    """Any other error of TLS says nothing about certificates."""
    return any(name.rpartition(".")[2] == "SSLCertVerificationError" for name in chain)
