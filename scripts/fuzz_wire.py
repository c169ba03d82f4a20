"""Coverage-guided fuzzing of the wire with atheris; run by scripts/fuzz.

The first byte says where the rest is cut. Whole and cut input must give the same, as requests and as frames of a
WebSocket, and nothing but BadRequest may be raised.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
with atheris.instrument_imports():
    import h11  # noqa: F401 - its branches are what leads the fuzzer on
    from conversation import requests_of
    from websocket_conversation import conversation


def test_one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    cut, rest = data[0], data[1:]
    pieces = [piece for piece in (rest[:cut], rest[cut:]) if piece]
    assert requests_of([rest]) == requests_of(pieces)
    assert conversation([rest], deflate=bool(cut % 2)) == conversation(pieces, deflate=bool(cut % 2))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
