"""Bytes of a TLS connection got into a file or stream that had its descriptor number, or were taken from it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "descriptor-recycled", "problem", "corrupts"
REMEDY = "Shut the socket down from the other thread (socket.shutdown), and have the thread that reads it close it."
REFERENCE = "#29507, #70773"

#: Content types of TLS records (RFC 8446, 5.1).
_TYPES = {20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data"}


def check(evidence: Evidence) -> Hit | None:
    seen = evidence.facts.get("recycled", {})
    harm = seen.get("harm", [])
    if not harm:
        return None
    foreign, lost = (sum(one[name] for one in harm) for name in ("foreign", "lost"))
    kinds = Counter(one["kind"] for one in harm)
    numbers = sorted({one["number"] for one in harm})
    return Hit(
        f"{len(harm)} of {seen['again']} files and connections were damaged that got the descriptor number of a stream "
        f"which another thread had given up: {', '.join(f'{kind} x{count}' for kind, count in kinds.items())} (number "
        f"{', '.join(map(str, numbers))}); {_what(harm, foreign, lost)}",
        {"damaged": len(harm), "foreign_bytes": foreign, "lost_bytes": lost},
        tuple(dict.fromkeys(f"{one['turn']}/1" for one in harm)),
    )


def _what(harm: Sequence[Mapping[str, Any]], foreign: int, lost: int) -> str:
    records = Counter(tuple(one["record"]) for one in harm if one["record"])
    found = [f"{foreign} foreign bytes"] if foreign else []
    found += [
        f"{count} of them begin as TLS records of type {kind} ({_TYPES[kind]}), version 3.{minor}"
        for (kind, minor), count in records.items()
    ]
    found += [f"{lost} bytes were read away"] if lost else []
    found += dict.fromkeys(f'"{one["error"]}"' for one in harm if one["error"])
    return "; ".join(found)
