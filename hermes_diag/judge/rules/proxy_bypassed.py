"""The environment names a proxy, and the clients connect past it."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "proxy-bypassed", "problem", "bypasses"
REMEDY = "Give an own transport the proxies of the environment (mounts), or let the SDK's default client read them."
REFERENCE = ""


def check(evidence: Evidence) -> Hit | None:
    """An audit has a promise for it; here it is a replay with `--set proxy=on`."""
    asked = evidence.cell.conditions.proxy and not evidence.cell.audit and not evidence.cell.scenario
    direct = len(evidence.connections)
    if not asked or evidence.through_proxy != 0 or not direct:
        return None
    return Hit(
        f"HTTPS_PROXY names a proxy, and none of {direct} connections went through it",
        {"direct": direct},
    )
