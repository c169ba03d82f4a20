"""The stand-in for openai-codex: it speaks its protocol, fails on purpose, and remembers what it saw.

For tests of other projects:

    from hermes_diag.provider import Provider

    with Provider(faults=["rst-mid-stream:every=3"]) as provider:
        client = openai.OpenAI(base_url=provider.base_url, api_key="none")

`async with AsyncProvider(...)` is the same for code with an event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hermes_diag.provider.blocking import AsyncProvider, Provider

__all__ = ["AsyncProvider", "Provider"]


def __getattr__(name: str) -> Any:
    # Imported on demand: a caller that needs only a pure module of this package need not import asyncio.
    if name in __all__:
        from hermes_diag.provider import blocking

        return getattr(blocking, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
