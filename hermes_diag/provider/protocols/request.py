"""A request as it is handed out, whichever protocol it came in. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """A whole request, its body without a content-encoding. It lives for one exchange; only counts are kept."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    query: str = field(default="", repr=False)
    version: str = "1.1"
