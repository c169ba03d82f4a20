"""The SDK client does not have the SDK's default timeout."""

from hermes_diag.core.evidence import Evidence
from hermes_diag.judge.rules import Hit

CODE, SEVERITY, WORD = "timeout-changed", "note", ""
REMEDY = "Pass the SDK's DEFAULT_TIMEOUT to the http_client that you inject: any other value but httpx's 5 s wins."
REFERENCE = "#11072"


def check(evidence: Evidence) -> Hit | None:
    if evidence.stack is None:
        return None
    default = evidence.stack.read_timeout
    other = [client for client in evidence.clients if client.read_timeout != default]
    if not other:
        return None
    read = other[0].read_timeout
    return Hit(
        f"{len(other)} of {len(evidence.clients)} clients have a read timeout of "
        f"{'none' if read is None else f'{read:g} s'} instead of the SDK's {default:g} s",
        {"clients": len(other), "read_timeout": read or 0, "sdk_read_timeout": default},
    )
