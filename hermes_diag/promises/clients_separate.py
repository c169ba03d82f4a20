"""Request clients have nothing in common that one of them could close."""

from hermes_diag.promises import Audited, Verdict, broken, held, shared_by_design

CODE, ORDER = "clients-separate", 2
PROMISE = "request clients do not reuse the shared client's http_client, transport, pool or mounts"
WHY = "closing one turn's client closes the sockets of every other turn"
REFERENCE = "#11070, #11072"


def check(audited: Audited) -> Verdict:
    if not audited.makes:
        return shared_by_design(audited)
    sharing = audited.facts["sharing"]
    common = [name for name in ("client", "http_client", "transport", "pool", "mount") if sharing[name]]
    if common:
        return broken(f"{sharing['clients']} clients share their {' and '.join(common)}")
    return held(f"{sharing['clients']} clients, each with an http_client, transport and pool of its own")
