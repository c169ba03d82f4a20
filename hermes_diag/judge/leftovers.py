"""What there is more of at a later look than at an earlier one, in words. Pure."""

from __future__ import annotations

from hermes_diag.core.evidence import Sample


def grown(before: Sample, after: Sample, clients: int) -> str:
    """`3 CLOSE_WAIT sockets, 3 threads`, "" for nothing. TIME_WAIT belongs to no process and ends by itself.

    Of threads and other descriptors one for each client counts: an executor may begin one more at any time.
    """
    words = []
    more = {
        state: count - before.owned.get(state, 0)
        for state, count in after.owned.items()
        if state != "TIME_WAIT" and count > before.owned.get(state, 0)
    }
    words += [_count(count, f"{state} socket") for state, count in sorted(more.items())]
    unlisted = (after.unlisted or 0) - (before.unlisted or 0)
    if unlisted > 0:
        words.append(_count(unlisted, "socket") + " in state CLOSE")
    others = (after.fds or 0) - (before.fds or 0) - sum(more.values()) - max(0, unlisted)
    if after.fds is not None and before.fds is not None and others >= clients:
        words.append(_count(others, "other descriptor"))
    threads = (after.threads or 0) - (before.threads or 0)
    if threads >= clients:
        words.append(_count(threads, "thread"))
    return ", ".join(words)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
