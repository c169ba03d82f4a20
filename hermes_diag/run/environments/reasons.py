"""What an installer's output says, pip's or uv's. Pure.

Nothing of it is shown that could name an index: that may be a company's own, with a password in its address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

#: So many releases are named at most.
MOST = 8
_ADDRESS = re.compile(r"\b\w[\w+.-]*://\S+|\S+@\S+\.\S+|\bhost='[^']*'(, port=\d+)?|\b(?:[\w-]+\.)+[a-z]{2,}\b(?=[:/])")
_TELLING = re.compile(r"(?i)error|no matching|\W*because|\W*cause:|\W*╰")
_FROM_VERSIONS = re.compile(r"from versions: ([^)]*)\)")
_INDEX_VERSIONS = re.compile(r"^Available versions: (.*)$", re.MULTILINE)
_PIP_NEEDS = r"(?:^|[ ;]){version} Requires-Python ([^;\n]+)"
_WHEEL_NEEDS = re.compile(r"requires a different Python: \S+ not in '([^']+)'")
_UNREACHABLE = re.compile(
    r"(?i)retrying .{0,20}after connection broken|max retries exceeded|failed to establish a new connection|"
    r"error sending request|could not connect|connection refused|name or service not known|"
    r"temporary failure in name resolution|dns error|network is unreachable"
)
_UV_NEEDS = re.compile(r"does not\s+satisfy\s+Python\s*([<>=!~][^\s]*)")


def reason(text: str) -> str:
    """The most telling line of an installer's output, without addresses, which may hold a password."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if _TELLING.match(line)] or lines
    # uv names the cause on the line after.
    best = next(
        (line for line in told if re.match(r"\W*(cause:|╰|because)", line, re.IGNORECASE)), told[0] if told else ""
    )
    return _ADDRESS.sub("<address>", best)[:300] if best else "it gave no reason"


def is_unreachable(text: str) -> bool:
    """Whether the index did not answer, after which pip says that there is no such version."""
    return bool(_UNREACHABLE.search(text))


def needs_python(text: str, version: str) -> str:
    """The Requires-Python of a release that was refused because of it, "" when it was not."""
    found = re.search(_PIP_NEEDS.format(version=re.escape(version)), text)
    found = found or _WHEEL_NEEDS.search(text) or _UV_NEEDS.search(text)
    return found[1].strip().rstrip(",") if found else ""


def available(text: str) -> list[str]:
    """The releases that pip lists, newest first, without those that are meant for testing."""
    found = _FROM_VERSIONS.search(text) or _INDEX_VERSIONS.search(text)
    return newest_first(found[1].split(",")) if found else []


def newest_first(texts: Iterable[str]) -> list[str]:
    """Those that are versions, in their order; a development or pre-release is left out."""
    found = set()
    for text in texts:
        try:
            version = Version(text.strip())
        except InvalidVersion:
            continue
        if not version.is_prerelease:
            found.add(version)
    return [str(one) for one in sorted(found, reverse=True)]


def listed(releases: list[str]) -> str:
    """A sentence's list of them, bounded."""
    more = " and older ones" if len(releases) > MOST else ""
    return ", ".join(releases[:MOST]) + more
