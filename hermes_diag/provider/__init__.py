"""The stand-in for openai-codex: it speaks its protocol, fails on purpose, and remembers what it saw.

For tests of other projects:

    from hermes_diag.provider import Provider

    with Provider(faults=["rst-mid-stream:every=3"]) as provider:
        client = openai.OpenAI(base_url=provider.base_url, api_key="none")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hermes_diag.provider.blocking import Provider

__all__ = ["Provider"]


def __getattr__(name: str) -> Any:
    # Imported on demand: a caller that needs only a pure module of this package need not import asyncio.
    if name == "Provider":
        from hermes_diag.provider.blocking import Provider

        return Provider
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
