"""The client under test hangs for longer than its own timeouts allow."""

from collections.abc import Sequence

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "worker-hung", "problem", "hangs"
REMEDY = "Look at the innermost frames of the stack; a lock held in the pool needs a pool per request client."
REFERENCE = "#11070"

#: Where a thread stands that waits for work: it holds nothing up.
_IDLE = (
    "threading.py",
    "selectors.py",
    "queue.py",
    "base_events.py",
    "asyncio/events.py",
    "asyncio/runners.py",
    "futures/thread.py",
    "worker/event_loop.py",
    "worker/supervised.py",
)


def check(evidence: Evidence) -> Hit | None:
    if evidence.outcome.how != "hung":
        return None
    return Hit(f"{evidence.outcome.detail}; {_where(evidence.outcome.frames)}", {"turns_done": len(evidence.turns)})


def _where(frames: Sequence[str]) -> str:
    """The innermost frames of the first thread that does not merely wait for work."""
    threads: list[list[str]] = [[]]
    for frame in frames:
        if frame == "thread":
            threads.append([])
        else:
            threads[-1].append(frame)
    busy = [thread for thread in threads if thread and not all(map(_idle, thread))]
    chosen = next(iter(busy), next(filter(None, threads), []))
    while len(chosen) > 1 and chosen[0].startswith("threading.py"):  # the lock itself says less than who wants it
        chosen = chosen[1:]
    return f"it stands in {' < '.join(chosen[:3])}" if chosen else "it gave no stack"


def _idle(frame: str) -> bool:
    return frame.partition(":")[0].endswith(_IDLE)
