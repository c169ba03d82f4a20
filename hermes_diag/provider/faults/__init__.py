"""Ways in which a provider answers: one file each, with one coroutine `answer(exchange, argument)`.

A fault's name is its file's name with dashes; healthy is one of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from functools import cache

from hermes_diag.provider.exchange import Exchange

Answer = Callable[[Exchange, str], Awaitable[None]]


@cache
def find(name: str) -> Answer | None:
    """The fault of that name, or None."""
    if not name.replace("-", "").isalpha():
        return None
    try:
        module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    except ModuleNotFoundError:
        return None
    answer: Answer = module.answer
    return answer
