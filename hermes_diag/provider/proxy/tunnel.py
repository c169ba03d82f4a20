"""The two connections of a tunnel through the proxy: what arrives on the one leaves on the other."""

from __future__ import annotations

from hermes_diag.provider.ledger import Ledger
from hermes_diag.provider.transport import tcp
from hermes_diag.provider.transport.connection import Connection


class Side(Connection):
    """One of the two connections; `other` is set once both are there.

    An end is passed on as it came: a FIN as a FIN, of one half too, and a RST as a RST.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger, lambda: None)
        self.other: Side | None = None
        self._full = False  # more is waiting to be sent than the other side may add to
        self._eof_sent = False

    def join(self, other: Side) -> None:
        """From now on what arrives on either leaves on the other."""
        self.other, other.other = other, self

    # --- asyncio ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        data = self.decrypted(data)
        if data and self.other is not None:
            self.other.write(data)

    def eof_received(self) -> bool:
        """Whether our half stays open."""
        self.blame("client", "fin")
        self.eof = True
        other = self.other
        if other is None or other.gone or other.closing or self.closing:
            return False
        other.once_sent(other.end_too)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        other = self.other
        if other is not None and not (other.gone or other.closing or other.vanished):
            Connection.blame(other, "provider", self._how or "fin")  # the end comes from beyond the proxy
            if self._how == "reset":
                other.once_sent(other.reset)
            else:
                other.fin()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._tell_other()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._tell_other()

    def _tell_other(self) -> None:
        """Have nothing more read on the other side while too much of it waits here."""
        full = self._stops > 0
        if full != self._full and self.other is not None and not self.other.gone:
            self._full = full
            transport = self.other._transport
            transport.pause_reading() if full else transport.resume_reading()

    # --- ends ------------------------------------------------------------------------------------

    def end_too(self) -> None:
        """The other side's peer has closed its half: close ours; both connections once both peers have."""
        if self.gone or self.closing or self.vanished:
            return
        Connection.blame(self, "provider", "fin")
        self.ledger.was_sent_fin(self.peer)
        if self.eof:
            for side in (self, self.other):
                if side is not None:
                    side.closing = True
                    side._transport.close()
        elif not self._eof_sent:
            self._eof_sent = True
            self._transport.write_eof()

    @property
    def settled(self) -> bool:
        """Nothing is under way here but what is held back on purpose."""
        if self.gone or self.vanished or self.throttled:
            return True
        if self._transport.is_closing() or self.pending:
            return False
        unread = not self.eof and not self._full and tcp.state(self._socket) not in (None, *_OPEN)
        return not unread


#: States of our side in which the peer has not closed its half.
_OPEN = (tcp.ESTABLISHED, tcp.FIN_WAIT1, tcp.FIN_WAIT2)
