"""An audit's cells, and its evidence to rows: one for each promise. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Literal

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.matrix import POOL_TIMEOUT, STRATEGIES, TIMEOUT
from hermes_diag.core.plan import AUDIT, FACTORY, Cell, Conditions, PayloadInfo, Plan
from hermes_diag.core.report import AuditReport, Finding, Row, named
from hermes_diag.core.status import RowStatus, Status
from hermes_diag.judge import causes, expectations, promises
from hermes_diag.judge.baseline import spec_of
from hermes_diag.judge.expectations import NOTHING, Expected
from hermes_diag.judge.promises import Audited

#: Conditions of the three processes of an audit, by the part of worker/workloads/audit.py that each runs.
PARTS: Mapping[Literal["direct", "proxy", "contract"], Conditions] = {
    "contract": Conditions(),  # the longest, so it is begun first
    # The certificate's authority is not made known: a client that connects all the same does not verify.
    "direct": Conditions(tls=True, proxy=True, direct="127.0.0.1", untrusted=True),
    "proxy": Conditions(tls=True, proxy=True),
}


def plan(payload: PayloadInfo, spec: str, expect: Sequence[str] = ()) -> Plan:
    """The cells of an audit of one of our strategies, by name, or of the user's factory."""
    cells = tuple(_cell(part, conditions, spec) for part, conditions in PARTS.items())
    return Plan(cells, payload, expect=tuple(expect))


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


def judge(plan_: Plan, evidence: Sequence[Evidence], interrupted: bool = False) -> AuditReport:
    """Every promise with its verdict. A process that came to no end gives no rows."""
    spec = spec_of(plan_.cells[0])
    parts: dict[str, Evidence] = {one.cell.audit: one for one in evidence}
    contract = parts["contract"]
    rows: tuple[Row, ...] = ()
    wants = causes.out_of_reach(contract) or causes.short_of(contract)
    if contract.outcome.how == "done" and not wants and not is_turn(contract):
        seen = audited(parts, expectations.parse(plan_.expect))
        rows = tuple(_row(module, seen) for module in promises.modules())
    subject = contract.facts.get("subject", {}) if rows else {}
    verdict, status = _verdict(spec, rows, contract, wants)
    return AuditReport(
        command=AUDIT,
        subject=spec,
        status=status,
        verdict=verdict,
        stack=contract.stack,
        rows=rows,
        findings=findings(rows),
        interrupted=interrupted,
        kind=subject.get("kind", ""),
        client=subject.get("client", ""),
        is_async=subject.get("async", False),
        frames=() if rows else contract.outcome.frames,
        notes=tuple(slow(evidence)),
    )


def is_turn(contract: Evidence) -> bool:
    """Whether the SPEC is a turn: an audit looks at clients, and it has none."""
    return bool(contract.facts.get("subject", {}).get("kind") == "turn")


def slow(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Calls of the user's code that took long, each once."""
    told = {fact["doing"]: fact["seconds"] for one in evidence if (fact := one.facts.get("slow"))}
    for doing, seconds in told.items():
        yield f"{doing} took more than {seconds} s"


def findings(rows: Sequence[Row]) -> tuple[Finding, ...]:
    """Rows that failed, in the shape that every command's findings have."""
    return tuple(
        Finding(row.code or row.name, "problem", row.seen, row.numbers, (), row.remedy, row.reference, row.name)
        for row in rows
        if row.status == RowStatus.FAILED
    )


def audited(parts: Mapping[str, Evidence], expected: Expected = NOTHING) -> Audited:
    """What the three parts saw, together, and what is expected."""
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
        carried=frozenset(one.port for one in contract.connections if one.requests),
        proxy_given=bool(parts["proxy"].facts.get("proxy_given")),
        expected=expected,
    )


def _connects(evidence: Evidence) -> int | None:
    if evidence.outcome.how != "done" or "turn" not in evidence.facts:
        return None
    return evidence.through_proxy


def _turn(evidence: Evidence) -> tuple[str, ...] | None:
    return tuple(evidence.facts["turn"]) if "turn" in evidence.facts else None


def _row(module: ModuleType, seen: Audited) -> Row:
    found = promises.check(module, seen)
    return Row(
        kind="promise",
        name=module.CODE,
        code=module.CODE,
        what=module.PROMISE,
        status=found.status,
        seen=found.seen,
        why=module.WHY,
        remedy=module.FIX,
        reference=module.REFERENCE,
    )


def _verdict(spec: str, rows: Sequence[Row], contract: Evidence, wants: str) -> tuple[str, Status]:
    if wants:
        return f"could not audit {spec}: {wants}", Status.COULD_NOT_TELL
    if is_turn(contract):
        return (
            f"could not audit {spec}: it is a turn, and has no clients to look at; replay and check take it",
            Status.COULD_NOT_TELL,
        )
    if contract.outcome.how == "hung":
        return f"{spec} hangs: {contract.outcome.detail}", Status.FAILING
    if not rows:
        return f"could not audit {spec}: {contract.outcome.detail}", Status.COULD_NOT_TELL
    failed, untold = named(rows, RowStatus.FAILED), named(rows, RowStatus.COULD_NOT_TELL)
    if contract.facts["first_turn"]:
        return f"{spec}: its first turn failed: {' <- '.join(contract.facts['first_turn'])}", Status.FAILING
    if failed:
        return f"{spec} breaks {len(failed)} of {len(rows)} promises: {', '.join(failed)}", Status.FAILING
    if untold:
        return f"{spec}: could not tell {', '.join(untold)}", Status.COULD_NOT_TELL
    choices = named(rows, RowStatus.NOTED)
    differs = f"; it differs from the SDK's own client in {', '.join(choices)}" if choices else ""
    return f"{spec} breaks no promise{differs}", Status.CLEAN
