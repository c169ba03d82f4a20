"""Coverage-guided fuzzing of the wire with atheris; run by scripts/fuzz.

The first byte says where the rest is cut. Whole and cut input must give the same, and nothing but
BadRequest may be raised.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))
with atheris.instrument_imports():
    import h11  # noqa: F401 - its branches are what leads the fuzzer on

    from hermes_diag.provider.wire import BadRequest, Wire


def requests_of(pieces: list[bytes]) -> list[object]:
    wire, found = Wire(), []
    try:
        for piece in pieces:
            one = wire.feed(piece)
            while one is not None:
                found.append(one)
                wire.head(200, (("content-length", "0"),))
                wire.end()
                one = wire.next()
    except BadRequest as bad:
        found.append(bad.status)
    return found


def test_one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    cut, rest = data[0], data[1:]
    assert requests_of([rest]) == requests_of([piece for piece in (rest[:cut], rest[cut:]) if piece])


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
