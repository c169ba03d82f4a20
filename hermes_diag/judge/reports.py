"""Evidence of any plan to the report of the command that made it: also how a capture is judged again. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hermes_diag.core.evidence import Evidence
from hermes_diag.core.plan import AUDIT, Plan
from hermes_diag.core.report import Report


def of(plan: Plan, evidence: Sequence[Evidence], interrupted: bool = False) -> Report:
    """Judge a run by its plan, a check without what it was asked. Raises UsageError for a scenario that does not exist
    any more."""
    audited = [cell.workload == AUDIT for cell in plan.cells]
    if any(cell.scenario for cell in plan.cells):
        from hermes_diag.judge import scenarios

        return scenarios.judge(evidence, interrupted)
    if all(audited):
        from hermes_diag.judge import audit

        return audit.judge(plan, evidence, interrupted)
    if any(audited):
        from hermes_diag.judge import check
        from hermes_diag.judge.baseline import spec_of
        from hermes_diag.judge.settings import Asked

        return check.judge(plan, evidence, Asked(spec_of(plan.cells[0])), interrupted=interrupted)
    from hermes_diag.judge import verdicts

    return verdicts.report(plan, evidence, interrupted)
