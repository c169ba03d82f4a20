"""Request clients have nothing in common that one of them could close."""

from hermes_diag.core import units
from hermes_diag.core.status import RowStatus
from hermes_diag.judge.promises import (
    Audited,
    Verdict,
    chosen,
    close_releases,
    close_spares_others,
    closed_not_reused,
    failed,
    passed,
    shared_by_design,
    unknown,
)

CODE, ORDER = "clients-separate", 2
PROMISE = "request clients share nothing that closing one takes from the others"
WHY = "closing one turn's client closes the sockets of every other turn"
FIX = "build a new http_client in each call, from a copy of client_kwargs"
REFERENCE = "#11070, #11072"


def check(audited: Audited) -> Verdict:
    if not audited.makes:
        return shared_by_design(audited)
    sharing = audited.facts["sharing"]
    common = [name for name in ("client", "http_client", "transport", "pool", "mount") if sharing[name]]
    if common:
        return _shared(audited, f"{sharing['clients']} clients share their {' and '.join(common)}")
    turns = audited.facts["sharing_turns"]
    connections = {audited.connection.get(turn) for turn in turns}
    if len(turns) < sharing["clients"]:
        return unknown("their turns fail, so that none shows its connection")
    if len(connections) < len(turns):
        return _shared(
            audited, f"turns of {len(turns)} clients went over {units.count(len(connections), 'connection')}"
        )
    return passed(f"{sharing['clients']} clients, each with an http_client, transport and connection of its own")


def _shared(audited: Audited, seen: str) -> Verdict:
    """What clients share is harm where closing one reaches another; a pool that outlives its users is a design."""
    harmless = all(
        promise.check(audited).status == RowStatus.PASSED
        for promise in (closed_not_reused, close_spares_others, close_releases)
    )
    if audited.expected.separate:
        return failed(f"{seen}; separate ones were expected")
    if not harmless:
        return failed(seen)
    return chosen(audited, seen, "closing one spares the others and leaves nothing, so it is a design")
