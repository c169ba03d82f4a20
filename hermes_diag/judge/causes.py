"""What really went wrong in a turn, judged by the cause chain and not by the exception's class.

The same failure is `APIConnectionError <- RuntimeError` on openai 2 and a bare `RuntimeError` on
openai 3; a cut stream is a raw `httpx.RemoteProtocolError` on 2 and an `APIConnectionError` on 3.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping

from hermes_diag.core import units
from hermes_diag.core.errors import NO_MEMORY, NO_THREAD
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import STARVED
from hermes_diag.worker.contract import TurnDone

CLIENT_CLOSED = "closed client"
FD_CLOSED = "socket closed here while in use"
POOL_TIMEOUT = "pool exhausted"
LOOP_CLOSED = "event loop closed"
GIVEN_UP = "given up by its own watchdog"
OTHER = "other"
#: Causes in how the client is used; all others but OTHER are the network's or the provider's.
OURS = (CLIENT_CLOSED, FD_CLOSED, POOL_TIMEOUT, LOOP_CLOSED)

#: The class anywhere in the chain (module left out: httpx and httpx2 name them alike) and the cause.
_BY_CLASS = (
    ("OutOfReach", "led elsewhere, which was refused"),
    ("OutOfRequests", "as many requests as allowed had been sent"),
    ("SSLCertVerificationError", "certificate not trusted"),
    ("PoolTimeout", POOL_TIMEOUT),
    ("ConnectTimeout", "connect timeout"),
    ("ReadTimeout", "read timeout"),
    ("WriteTimeout", "write timeout"),
    ("ConnectError", "cannot connect"),
    ("RemoteProtocolError", "cut by the provider"),
    ("ReadError", "connection lost while reading"),
    ("WriteError", "connection lost while writing"),
    ("NoTerminalEvent", "no terminal event"),
    ("TimeoutError", GIVEN_UP),
    ("APIStatusError", "refused by the provider"),
)


def of(turn: TurnDone) -> str:
    """The cause of a turn that ended in an error."""
    if turn.phrase == "client has been closed":
        return CLIENT_CLOSED
    if turn.phrase == "Event loop is closed":
        return LOOP_CLOSED
    if turn.errno == errno.EBADF:
        return FD_CLOSED
    if turn.status is not None:
        return f"HTTP {turn.status}"
    classes = {name.rpartition(".")[2] for name in turn.chain}
    return next((cause for name, cause in _BY_CLASS if name in classes), OTHER)


def out_of_reach(evidence: Evidence) -> str:
    """Where turns wanted to go and our fence refused them, "" when it did not: that is no fault of the client."""
    chains = [turn.chain for turn in evidence.turns] + [evidence.facts.get("first_turn", ())]
    wanted = evidence.facts.get("refused", ())
    if evidence.cell.endpoint or not wanted or not any("OutOfReach" in name for chain in chains for name in chain):
        return ""
    return f"it wants {', '.join(wanted)}; a trial reaches loopback only"


def short_of(evidence: Evidence) -> str:
    """What the system had too little of for a turn, "" when that was none's trouble: no fault of the client."""
    if any(turn.phrase == "can't start new thread" for turn in evidence.turns):
        return NO_THREAD
    chains = [turn.chain for turn in evidence.turns] + [evidence.facts.get("first_turn", ())]
    memory = any(name.endswith(".MemoryError") for chain in chains for name in chain)
    return NO_MEMORY if memory or any(turn.errno == errno.ENOMEM for turn in evidence.turns) else ""


def untested(evidence: Evidence) -> str:
    """Why a cell without problems says nothing of the client under its fault, "" when it does."""
    if (recycled := evidence.facts.get("recycled")) and not recycled["again"]:
        return _not_recycled(recycled)
    if evidence.fault_acted != 0:
        return ""
    requests = units.count(len(evidence.served), "request")
    came = f"{requests} on {units.count(len(evidence.connections), 'connection')} came in"
    return f"the fault {evidence.cell.fault} acted on nothing: {came}; give it conditions that they meet"


def starved(evidence: Evidence) -> tuple[TurnDone, ...]:
    """Attempts at the turn that was to be answered after streams had been given up, while those held the whole pool."""
    last = [turn for turn in evidence.turns if turn.turn == evidence.cell.turns and turn.outcome == "error"]
    full = any(pool.limit and pool.connections - pool.idle >= pool.limit for pool in evidence.pools)
    return tuple(last) if full and evidence.cell.workload == STARVED else ()


def _not_recycled(seen: Mapping[str, int]) -> str:
    """Why nothing is known of what happens to recycled numbers."""
    if not seen["numbers"]:
        turns = units.count(seen["turns"], "turn")
        return f"in {turns} no socket was seen that is read over TLS, in a thread of its own"
    return f"of {seen['numbers']} descriptor numbers of given-up streams not one came again: nothing is proved"


def compared(evidence: Evidence) -> str:
    """What got the descriptor number of a stream over TLS and was compared byte by byte, "" for nothing."""
    seen = evidence.facts.get("recycled", {})
    if not seen.get("again"):
        return ""
    kinds = ", ".join(f"{kind} x{count}" for kind, count in seen.get("kinds", {}).items())
    others = units.count(seen["again"], "bystander")
    return f"{others} with the number of a stream over TLS compared{f': {kinds}' if kinds else ''}"


def surface(turn: TurnDone) -> str:
    """The class that the caller of the SDK gets to see."""
    return turn.chain[0].rpartition(".")[2] if turn.chain else "error"


def name(turn: TurnDone) -> str:
    """`session/turn/attempt`, as the loop tells it to the provider."""
    return f"{turn.session}/{turn.turn}/{turn.attempt}"


def by_cause(turns: tuple[TurnDone, ...], cause: str) -> tuple[TurnDone, ...]:
    """The failed attempts with that cause."""
    return tuple(turn for turn in turns if turn.outcome == "error" and of(turn) == cause)
