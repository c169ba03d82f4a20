"""TLS without I/O: ciphertext in, plaintext out, and the other way round; and certificates made on the spot.

asyncio's own TLS always closes in the proper order. A fault must be able to leave without a
close_notify, to send one and not wait for the answer, or to go away in the middle of the handshake.
"""

from __future__ import annotations

import contextlib
import datetime
import ssl
import threading
from typing import TYPE_CHECKING

from hermes_diag.core.errors import need_memory

if TYPE_CHECKING:
    import trustme

#: Bytes read from the TLS machine at once.
_READ = 64 * 1024

VALID, EXPIRED, WRONG_HOST = "valid", "expired", "wrong host"


class Refused(Exception):
    """The peer does not speak TLS, or does not accept our certificate: why, in OpenSSL's words."""

    def __init__(self, error: ssl.SSLError) -> None:
        words = (error.reason or type(error).__name__).lower().replace("_", " ")
        super().__init__(words.removeprefix("tlsv1 ").removeprefix("sslv3 "))


class Tls:
    """The TLS state of one connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._machine = context.wrap_bio(self._in, self._out, server_side=True)
        self.established = False
        self.ended = False  # the peer has sent its close_notify

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take ciphertext; (plaintext for us, ciphertext that must be sent). Raises Refused.

        On Refused, `pending()` still holds the alert that tells the peer.
        """
        self._in.write(data)
        try:
            if not self.established:
                self._machine.do_handshake()
                self.established = True
            return self._plain(), self._out.read()
        except ssl.SSLWantReadError:
            return b"", self._out.read()
        except ssl.SSLError as exc:
            raise Refused(exc) from None

    def _plain(self) -> bytes:
        parts = []
        while True:
            try:
                part = self._machine.read(_READ)
            except ssl.SSLWantReadError:  # no more for now
                break
            except ssl.SSLZeroReturnError:
                part = b""
            if not part:
                self.ended = True
                break
            parts.append(part)
        return b"".join(parts)

    @property
    def chosen(self) -> str:
        """The protocol that ALPN has chosen: "h2", "http/1.1", or "" when the peer has asked for none."""
        return self._machine.selected_alpn_protocol() or ""

    def encrypt(self, data: bytes) -> bytes:
        """Plaintext as it goes over the wire."""
        self._machine.write(data)
        return self._out.read()

    def close_notify(self) -> bytes:
        """The alert that ends our side of the stream; the peer's answer is not awaited."""
        if not self.established:
            return self.pending()
        with contextlib.suppress(ssl.SSLError):  # it asks for the peer's answer, which is not awaited
            self._machine.unwrap()
        return self.pending()

    def pending(self) -> bytes:
        """Ciphertext that is still to be sent."""
        return self._out.read()


class Authority:
    """A certificate authority for this process, and a server context for each kind of certificate."""

    def __init__(self) -> None:
        need_memory(64 << 20)
        import trustme

        self._ca = trustme.CA()
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}

    def pem(self) -> bytes:
        """The certificate that a client has to trust."""
        return self._ca.cert_pem.bytes()

    def context(self, kind: str = VALID, http2: bool = False) -> ssl.SSLContext:
        """A server context; made once for each kind of certificate. http2: offer it to clients that ask for it."""
        if (kind, http2) not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.num_tickets = 0  # so that a client's Recv-Q shows what we sent and no tickets
            context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
            self._certificate(kind).configure_cert(context)
            self._contexts[kind, http2] = context
        return self._contexts[kind, http2]

    def _certificate(self, kind: str) -> trustme.LeafCert:
        if kind == WRONG_HOST:
            return self._ca.issue_cert("wrong-host.invalid")
        if kind == EXPIRED:
            now = datetime.datetime.now(datetime.UTC)
            week, day = datetime.timedelta(days=7), datetime.timedelta(days=1)
            return self._ca.issue_cert("127.0.0.1", "localhost", not_before=now - week, not_after=now - day)
        return self._ca.issue_cert("127.0.0.1", "127.0.0.2", "::1", "localhost")


_AUTHORITIES: list[Authority] = []
_FIRST = threading.Lock()


def authority() -> Authority:
    """The authority of this process: one for all providers, since making a key takes time. Two that start at once, in
    threads of their own, get the same: a client would trust one and meet the other."""
    with _FIRST:
        if not _AUTHORITIES:
            _AUTHORITIES.append(Authority())
    return _AUTHORITIES[0]
