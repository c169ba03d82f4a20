"""How a job of a worker can end before its work is done."""

from __future__ import annotations

from collections.abc import Mapping

from hermes_diag.core.errors import UsageError, is_nowhere, little_memory, nowhere
from hermes_diag.run import blame
from hermes_diag.worker.contract import Failed


class Died(Exception):
    """The job's process ended before its job did."""


class Hung(Exception):
    """The job was silent for longer than its own timeouts allow. args: the reason, and the stacks of its threads."""


def of_failed(event: Failed, spec: str, environ: Mapping[str, str]) -> Died | Hung:
    """How a job ends whose worker said that. spec: what names the factory. environ: the worker's.

    Raises UsageError when the spec names nothing, CannotMeasure where the folder that names count from was removed."""
    if event.blame == "spec":
        if is_nowhere():
            raise nowhere()
        raise UsageError(f"{spec}: {event.error}", "check its spelling; names count from --cwd, or from here")
    if event.blame == "hang":
        return Hung(event.error, ("thread", *reversed(event.frames)))
    at = f" at {', '.join(event.frames)}" if event.frames else ""
    said = f"the {event.blame} broke: {event.error}{at}" if at or event.blame != "worker" else event.error
    return Died("; ".join(filter(None, (said, blame.of_failure(event.error, environ)))))


def of_exit(code: int) -> Died:
    """How one ends whose process has. code: negative for a signal, as in `subprocess`."""
    if code >= 0:
        return Died("; ".join(filter(None, (f"its process ended with exit code {code}", little_memory()))))
    return Died(
        f"its process ended with signal {-code} ({blame.signal_name(-code)}), from outside or for want of memory"
    )
