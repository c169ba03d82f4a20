"""The proxy asks for credentials: 407 with `Proxy-Authenticate: Basic`, whatever the client sends."""

from __future__ import annotations

from hermes_diag.provider.proxy.hop import Hop


def tunnel(hop: Hop) -> None:
    hop.refuse(407, "credentials are asked for on purpose", ("proxy-authenticate", 'Basic realm="hermes-diag"'))
