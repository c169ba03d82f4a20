"""Sockets: the listening one, accepted connections and every way in which one can end, TLS, a slow link."""
