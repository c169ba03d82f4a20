"""A plan of faults for `serve --plan`."""

from __future__ import annotations

from importlib import resources

from fuzz.frame import as_file
from hermes_diag.provider.plans import plan
from hermes_diag.provider.plans.active import ActiveFaults

READS = ("hermes_diag.provider.plans.plan", "hermes_diag.core.toml")

_OWN = b"""# A plan.
seed = 7
loop = true
[[phase]]
name = "resets"
seconds = "30s"
faults = ["rst-mid-stream:probability=0.1", "idle-close=0.5"]
percent = { http-500 = 5, "stall-before-headers=10s" = 3 }
[[phase]]
name = "quiet"
seconds = 2
"""


def seeds() -> list[bytes]:
    days = resources.files("hermes_diag.provider.plans") / "days"
    first = [day.read_bytes() for day in sorted(days.iterdir(), key=lambda day: day.name)[:3]]
    return [_OWN, b'{"seed": 7, "phase": [{"name": "a", "seconds": 30, "faults": ["http-503"]}]}', *first]


def run(data: bytes) -> str:
    with as_file(data, "plan.toml") as path:
        found = plan.load(path)
    for number in range(min(3, len(found.phases))):
        ActiveFaults(found.faults(number), True, True, found.shares(number))
    return found.name
