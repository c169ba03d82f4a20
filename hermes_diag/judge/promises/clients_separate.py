"""Request clients have nothing in common that one of them could close."""

from hermes_diag.judge.promises import Audited, Verdict, failed, passed, shared_by_design, unknown

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
        return failed(f"{sharing['clients']} clients share their {' and '.join(common)}")
    turns = audited.facts["sharing_turns"]
    connections = {audited.connection.get(turn) for turn in turns}
    if len(turns) < sharing["clients"]:
        return unknown("their turns fail, so that none shows its connection")
    if len(connections) < len(turns):
        return failed(f"turns of {len(turns)} clients went over {len(connections)} connections")
    return passed(f"{sharing['clients']} clients, each with an http_client, transport and connection of its own")
