"""An audit's cells, and its evidence to rows: one for each promise. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Literal

from hermes_diag.core.errors import COULD_NOT_MEASURE, OK, PROBLEM
from hermes_diag.core.evidence import Evidence
from hermes_diag.core.matrix import POOL_TIMEOUT, STRATEGIES, TIMEOUT
from hermes_diag.core.plan import AUDIT, FACTORY, Cell, Conditions, PayloadInfo, Plan
from hermes_diag.core.report import AuditReport, AuditRow
from hermes_diag.judge import promises
from hermes_diag.judge.promises import BROKEN, UNKNOWN, Audited

#: Conditions of the three processes of an audit, by the part of worker/workloads/audit.py that each runs.
PARTS: Mapping[Literal["direct", "proxy", "contract"], Conditions] = {
    "contract": Conditions(),  # the longest, so it is begun first
    # The authority is not named here: a client that trusts the server all the same trusts any.
    "direct": Conditions(tls=True, proxy=True, direct="127.0.0.1", untrusted=True),
    "proxy": Conditions(tls=True, proxy=True),
}


def plan(payload: PayloadInfo, spec: str) -> Plan:
    """The cells of an audit of one of our strategies, by name, or of the user's factory."""
    return Plan(tuple(_cell(part, conditions, spec) for part, conditions in PARTS.items()), payload)


def _cell(part: Literal["direct", "proxy", "contract"], conditions: Conditions, spec: str) -> Cell:
    return Cell(
        strategy=spec if spec in STRATEGIES else FACTORY,
        end="close",
        workload=AUDIT,
        sessions=0,
        turns=1,
        scope="session",
        retries=0,
        timeout=TIMEOUT,
        pool_timeout=POOL_TIMEOUT,
        idle_close=None,
        seed=0,
        factory="" if spec in STRATEGIES else spec,
        audit=part,
        conditions=conditions,
    )


def judge(plan_: Plan, evidence: Sequence[Evidence]) -> AuditReport:
    """Every promise with its verdict. A contract that came to no end gives no rows."""
    spec = plan_.cells[0].factory or plan_.cells[0].strategy
    parts: dict[str, Evidence] = {one.cell.audit: one for one in evidence}
    contract = parts["contract"]
    stack = contract.stack
    if contract.outcome.how != "done":
        verdict = f"could not audit {spec}: {contract.outcome.detail}"
        return AuditReport(spec, {}, stack, (), verdict, COULD_NOT_MEASURE, contract.outcome.frames)
    rows = tuple(_row(module, audited(parts)) for module in promises.modules())
    return AuditReport(spec, contract.facts["subject"], stack, rows, *_verdict(spec, rows, contract))


def audited(parts: Mapping[str, Evidence]) -> Audited:
    """What the three parts saw, together."""
    contract = parts["contract"]
    return Audited(
        facts=contract.facts,
        looks={sample.label: sample for sample in contract.barriers},
        sent=Counter(served.turn for served in contract.served),
        connection={served.turn: served.connection for served in contract.served},
        through_proxy=_connects(parts["proxy"]),
        despite_no_proxy=_connects(parts["direct"]),
        proxy_turn=_turn(parts["proxy"]),
        direct_turn=_turn(parts["direct"]),
    )


def _connects(evidence: Evidence) -> int | None:
    if evidence.outcome.how != "done" or "turn" not in evidence.facts:
        return None
    return int(next(one.value for one in evidence.measured if one.name == "proxy_connects"))


def _turn(evidence: Evidence) -> tuple[str, ...] | None:
    return tuple(evidence.facts["turn"]) if "turn" in evidence.facts else None


def _row(module: ModuleType, seen: Audited) -> AuditRow:
    verdict = promises.check(module, seen)
    return AuditRow(module.CODE, module.PROMISE, verdict.status, verdict.seen, module.WHY, module.REFERENCE)


def _verdict(spec: str, rows: Sequence[AuditRow], contract: Evidence) -> tuple[str, int]:
    broken = [row.code for row in rows if row.status == BROKEN]
    untold = [row.code for row in rows if row.status == UNKNOWN]
    if contract.facts["first_turn"]:
        return f"{spec}: its first turn failed: {' <- '.join(contract.facts['first_turn'])}", PROBLEM
    if broken:
        return f"{spec} breaks {len(broken)} of {len(rows)} promises: {', '.join(broken)}", PROBLEM
    if untold:
        return f"{spec}: could not tell {', '.join(untold)}", COULD_NOT_MEASURE
    return f"{spec} breaks no promise", OK
