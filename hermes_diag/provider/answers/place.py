"""What is at a path: data only, so that whoever answers a request can say where it went. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """What is at a path. name: the path as it may be logged, with {} for ids. model: what the path says it is."""

    name: str
    path: str  # without Azure's prefix
    api: str = ""
    handlers: tuple[tuple[str, Callable[[Any], dict[str, Any]]], ...] = ()
    ids: tuple[str, ...] = ()
    model: str = ""

    @property
    def methods(self) -> list[str]:
        """What it takes."""
        return sorted({method for method, _ in self.handlers} | ({"POST"} if self.api else set()))

    def handler(self, method: str) -> Callable[[Any], dict[str, Any]] | None:
        return dict(self.handlers).get(method)
