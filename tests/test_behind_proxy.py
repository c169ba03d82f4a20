"""Cells behind a faulty proxy: `--fault proxy-...` is all that `replay`, `check` and `repro` need."""

from __future__ import annotations

from pathlib import Path

import pytest
from cells import ran

from hermes_diag.cli import hermes
from hermes_diag.cli.options import load
from hermes_diag.core import matrix
from hermes_diag.core.errors import UsageError
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import Cell
from hermes_diag.judge import check, settings, verdicts
from hermes_diag.run import payload

TURNS = Path(__file__).with_name("turns.py")
SIZES = matrix.Sizes(sessions=2, turns=6, timeout=5)


def run(cells: list[Cell]) -> list[Evidence]:
    by_cell = ran(cells)
    return [by_cell[cell] for cell in cells]


def problems(evidence: Evidence) -> set[str]:
    return {one.code for one in verdicts.cell(evidence).findings if one.severity == "problem"}


def cells(strategy: str, *faults: str) -> list[Cell]:
    """The cells of `repro` with that strategy under each fault."""
    plan = matrix.make(payload.load(None).info, (strategy,), ("close",), ("steady",), SIZES, load.faults(faults))
    return [cell for cell in plan.cells if cell.workload == "steady"]


def turn(name: str, *faults: str) -> list[Cell]:
    """The cells of `replay` with a turn of turns.py under each fault."""
    info = payload.load(None).info
    plan = matrix.for_factory(info, f"{TURNS}:{name}", (), ("steady",), SIZES, load.faults(faults))
    return [cell for cell in plan.cells if cell.workload == "steady"]


def test_repro_is_led_through_the_proxy() -> None:
    """A client that heeds the environment meets the fault; one that does not goes past it, which is a finding."""
    fine, cut, past = run(
        [*cells("plain", "proxy-latency=1ms", "proxy-cut-bytes=4000:every=2"), *cells("buggy", "proxy-reset")]
    )
    assert problems(fine) == set()
    assert fine.through_proxy == 12
    assert problems(cut) == {"turns-failed"}
    assert cut.through_proxy == 12
    assert "proxy-bypassed" in problems(past)
    assert past.through_proxy == 0


def test_replay_sees_what_is_left_open_towards_the_proxy() -> None:
    """Sockets to the proxy are counted: those that a turn keeps; one that closes them has none."""
    kept, closed = run([*turn("keeps_what_has_failed", "proxy-refuse:every=2"), *turn("plain", "proxy-tls:every=2")])
    assert problems(kept) == {"turns-failed", "established-grows"}
    assert problems(closed) == set()
    assert verdicts.cell(closed).close_wait_left == 0


def test_check_puts_the_workloads_behind_it_and_nothing_else() -> None:
    """The audit and the workloads without the fault are as they were."""
    asked = settings.Settings(factory="plain", workloads=("steady",), faults=("proxy-fin:every=2", "http-500"))
    plan = check.make(payload.load(None).info, asked)
    proxied = {cell.fault for cell in plan.cells if cell.conditions.proxy and not cell.audit}
    assert proxied == {"proxy-fin:every=2"}
    assert all(cell.conditions.tls for cell in plan.cells if cell.fault == "proxy-fin:every=2")
    (cell,) = [cell for cell in plan.cells if cell.fault == "proxy-fin:every=2"]
    (seen,) = run([cell])
    assert (seen.through_proxy or 0) > 0
    assert problems(seen) <= {"turns-failed"}


def test_hermes_refuses_it() -> None:
    """With a cure, before anything is started."""
    with pytest.raises(UsageError) as caught:
        hermes._faults(["proxy-fin"], tls=False)
    assert "proxy" in caught.value.message
    assert "serve --as-proxy" in caught.value.hint
