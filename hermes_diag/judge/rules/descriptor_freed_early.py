"""A descriptor is closed by another thread than the one that still reads from it over TLS."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "descriptor-freed-early", "cause", ""
REMEDY = "Close a connection in the thread that reads it: OpenSSL goes on with the number, whoever has it by then."
REFERENCE = "#29507, #70773"


def check(evidence: Evidence) -> Hit | None:
    seen = evidence.facts.get("recycled", {})
    early, closed = seen.get("early", 0), seen.get("closed_early", 0)
    if not early and not closed:
        return None
    by = f"{closed} of them by a close in another thread" if closed else "past the socket objects"
    return Hit(
        f"of {seen['numbers']} descriptors of given-up streams {max(early, closed)} were freed while OpenSSL still "
        f"read from them, {by}; {early} numbers came to a file or connection meanwhile",
        {"streams": seen["numbers"], "closed": closed, "came_again": early},
    )
