"""Coverage-guided fuzzing of the wires with atheris; run by scripts/fuzz.

The first byte says where the rest is cut. The rest goes to the wire of HTTP/1.1, behind a preface to that of HTTP/2,
and to a WebSocket as its frames. Whole and cut input must give the same, and nothing but BadRequest and Broken may
be raised.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
with atheris.instrument_imports():
    import h2.connection  # noqa: F401 - its branches are what leads the fuzzer on
    import h11  # noqa: F401
    from conversation import requests_of, streams_of
    from websocket_conversation import conversation

    from hermes_diag.provider.protocols.frames import PREFACE


def test_one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    cut, rest = data[0], data[1:]
    pieces = [piece for piece in (rest[:cut], rest[cut:]) if piece]
    assert requests_of([rest]) == requests_of(pieces)
    assert streams_of([PREFACE, rest]) == streams_of([PREFACE, *pieces])
    assert conversation([rest], deflate=bool(cut % 2)) == conversation(pieces, deflate=bool(cut % 2))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
