"""The claims of the bug report (#11070 and its fixes), each compared with what was measured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from hermes_diag.core import units
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import FACTORY, FRESH, MEASURE
from hermes_diag.core.report import Claim
from hermes_diag.core.sockets import CLOSE_WAIT
from hermes_diag.judge import causes, growth
from hermes_diag.worker.contract import HERMES

REPRODUCED, NOT_REPRODUCED, PARTLY = "reproduced", "not reproduced", "partly"
NOT_TESTED = "not tested"

Found = tuple[str, str, str]  # status, conditions, evidence


def weigh(evidence: Sequence[Evidence]) -> tuple[Claim, ...]:
    """Every claim with its status; "not tested" when no cell of the plan could show it.

    The claims are about our two strategies: none is judged on a user's factory or the real Hermes.
    """
    ours = [one for one in evidence if one.cell.strategy not in (FACTORY, HERMES)]
    if not ours:
        return ()
    done = [one for one in ours if one.outcome.how in ("done", "hung")]
    loop = [one for one in done if one.cell.workload not in (FRESH, MEASURE)]
    buggy = [one for one in loop if one.cell.strategy == "buggy"]
    fixed = [one for one in loop if one.cell.strategy == "fixed"]
    control = [one for one in done if one.cell.workload == FRESH]
    measured = {m.name: m.value for one in done if one.cell.workload == MEASURE for m in one.measured}

    def claim(code: str, text: str, found: Found | None) -> Claim:
        return Claim(code, text, *(found or (NOT_TESTED, "", "no cell of this plan tests it")))

    return (
        claim("kwargs-mutated", "the factory mutates the caller's client_kwargs", _mutated(buggy, fixed)),
        claim("transport-shared", "request clients share one transport", _shared(buggy, fixed)),
        claim("connection-errors", "APIConnectionError on tiny prompts", _connection_errors(buggy, fixed)),
        claim("timeout-errors", "APITimeoutError on tiny prompts", _timeout_errors(buggy, fixed)),
        claim("close-wait", "CLOSE_WAIT sockets linger until restart", _close_wait(buggy)),
        claim("fresh-shell", "a fresh shell works", _fresh(control)),
        claim("timeout-of-5s", "the injected client cuts the SDK's timeout to 5 s", timeout(measured)),
        claim("limits-shrunk", "the injected client shrinks the connection limits", limits(measured)),
    )


def _names(cells: Iterable[Evidence]) -> str:
    return ", ".join(one.cell.name for one in cells) or "none"


def _mutated(buggy: list[Evidence], fixed: list[Evidence]) -> Found | None:
    if not buggy:
        return None
    guilty = [one for one in buggy if any(client.mutated for client in one.clients)]
    innocent = [one for one in fixed if any(client.mutated for client in one.clients)]
    return (
        REPRODUCED if guilty else NOT_REPRODUCED,
        "buggy strategy, first client of each dict",
        f"{_keys(guilty) or 'nothing'} was written into the dict in {len(guilty)} of {len(buggy)} buggy cells"
        + (f", {len(innocent)} of {len(fixed)} fixed ones" if fixed else ""),
    )


def _keys(cells: list[Evidence]) -> str:
    return ", ".join(sorted({key for one in cells for client in one.clients for key in client.mutated}))


def _sharing(one: Evidence) -> tuple[int, int]:
    requests = [client for client in one.clients if client.role == "request"]
    return len(requests), len({client.http_client for client in requests})


def _shared(buggy: list[Evidence], fixed: list[Evidence]) -> Found | None:
    if not buggy:
        return None
    counts = [_sharing(one) for one in buggy]
    clients, transports = sum(c for c, _ in counts), sum(t for _, t in counts)
    text = f"buggy: {units.count(clients, 'request client')} on {units.count(transports, 'transport')}"
    if fixed:
        own = [_sharing(one) for one in fixed]
        text += f"; fixed: {sum(c for c, _ in own)} on {sum(t for _, t in own)}"
    return REPRODUCED if transports < clients else NOT_REPRODUCED, "buggy strategy, from the second turn on", text


def _failures(cells: list[Evidence], wanted: Callable[[str], bool]) -> tuple[list[Evidence], int, set[str]]:
    """Cells with such causes, how many attempts, and the classes that surfaced."""
    hit, count, surfaces = [], 0, set()
    for one in cells:
        turns = [turn for turn in one.turns if turn.outcome == "error" and wanted(causes.of(turn))]
        if turns:
            hit.append(one)
            count += len(turns)
            surfaces |= {causes.surface(turn) for turn in turns}
    return hit, count, surfaces


def _connection_errors(buggy: list[Evidence], fixed: list[Evidence]) -> Found | None:
    closing = [one for one in buggy if one.cell.end == "close" and len(one.turns) > 1]
    if not closing:
        return None
    hit, count, surfaces = _failures(closing, lambda cause: cause in (causes.CLIENT_CLOSED, causes.FD_CLOSED))
    _, in_fixed, _ = _failures(fixed, lambda cause: True)
    if not hit:
        return NOT_REPRODUCED, _names(closing), "no attempt failed on a closed client or socket"
    waits = sorted({max((s.states.get(CLOSE_WAIT, 0) for s in one.barriers), default=0) for one in hit})
    return (
        REPRODUCED if "APIConnectionError" in surfaces else PARTLY,
        "request client closed after its turn: " + _names(hit),
        f"{units.count(count, 'attempt')} failed on a closed client or socket, surfacing as "
        f"{', '.join(sorted(surfaces))}; CLOSE_WAIT there: {'/'.join(map(str, waits))}"
        + (f"; fixed cells: {units.count(in_fixed, 'error')}" if fixed else ""),
    )


def _timeout_errors(buggy: list[Evidence], fixed: list[Evidence]) -> Found | None:
    interrupted = [one for one in buggy if one.cell.workload == "interrupted" and one.cell.end == "abandon"]
    if not interrupted:
        return None
    hit, count, surfaces = _failures(buggy, lambda cause: cause == causes.POOL_TIMEOUT)
    if not hit:
        return NOT_REPRODUCED, _names(interrupted), "the pool did not run dry: it takes more than 100 such turns"
    first = min(turn.turn for one in hit for turn in causes.by_cause(one.turns, causes.POOL_TIMEOUT))
    attempts = sum(len(one.turns) for one in hit)
    return (
        REPRODUCED,
        "interrupted streams abandoned: " + _names(hit),
        f"{count} of {attempts} attempts, surfacing as {', '.join(sorted(surfaces))} <- PoolTimeout, first at turn "
        f"{first}; after {hit[0].cell.pool_timeout:g} s of waiting for a connection, by default 600 s",
    )


def _close_wait(buggy: list[Evidence]) -> Found | None:
    abandoning = [one for one in buggy if one.cell.end == "abandon"]
    if not abandoning:
        return None
    kinds: dict[str, list[Evidence]] = {}
    for one in buggy:
        points = [(sample.turns, sample.states.get(CLOSE_WAIT, 0)) for sample in one.idle()]
        if not any(count for _, count in points):
            kind = "0 in"
        elif len(points) < growth.ENOUGH:
            kind = "too few idle gaps to tell in"
        elif growth.grows(points):
            kind = "grows with every turn in"
        else:
            kind = "does not grow (idle pool, reaped on next use) in"
        kinds.setdefault(kind, []).append(one)
    text = "; ".join(f"{kind} {_names(cells)}" for kind, cells in sorted(kinds.items(), reverse=True))
    growing = kinds.get("grows with every turn in", [])
    if len(growing) == len(buggy):
        status = REPRODUCED
    else:
        status = PARTLY if any(kind != "0 in" for kind in kinds) else NOT_REPRODUCED
    return status, "request clients that nobody closes", text


def _fresh(control: list[Evidence]) -> Found | None:
    turns = [turn for one in control for turn in one.turns]
    if not turns:
        return None
    good = sum(turn.outcome == "ok" for turn in turns)
    return (
        REPRODUCED if good == len(turns) else NOT_REPRODUCED,
        "buggy strategy, a new process for each turn",
        f"{good} of {len(turns)} answered",
    )


def timeout(measured: dict[str, float]) -> Found | None:
    """How long the SDK waits with the injected client, of measurements by name; None when that was not measured."""
    try:
        answered = bool(measured["sdk_stall_answered"])
        text = (
            f"first byte stalled for 10 s: {'answered' if answered else 'gave up'} after "
            f"{measured['sdk_stall_seconds']:.1f} s, effective timeout {measured['sdk_effective_timeout']:.0f} s; "
            f"the same http_client outside the SDK {'answered' if measured['bare_stall_answered'] else 'gave up'} "
            f"after {measured['bare_stall_seconds']:.1f} s"
        )
    except KeyError:
        return None
    return NOT_REPRODUCED if answered else REPRODUCED, "stalled first byte, clock scaled 1:20", text


def limits(measured: dict[str, float]) -> Found | None:
    """The pool limits of the injected client against those of the SDK's own; None when they were not measured."""
    try:
        sdk = measured["sdk_max_connections"], measured["sdk_max_keepalive"]
        injected = measured["injected_max_connections"], measured["injected_max_keepalive"]
    except KeyError:
        return None
    text = f"{injected[0]:.0f}/{injected[1]:.0f} instead of the SDK's {sdk[0]:.0f}/{sdk[1]:.0f}"
    return REPRODUCED if injected < sdk else NOT_REPRODUCED, "an injected httpx.Client() with defaults", text
