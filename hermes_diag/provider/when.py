"""When a fault applies: which request, which connection, every nth, by chance with a seed. Pure.

Requests are numbered from 1 in the order in which they reach a path that the fault applies to, connections
in the order in which they are accepted. A connection that was open before the faults were set gets its number
when it is used again. All conditions given must hold. Chance depends on the seed and the number alone, so that
a run with the same seed fails in the same places.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class When:
    """Conditions of one fault; None means "whichever"."""

    request: int | None = None
    connection: int | None = None
    every: int | None = None
    probability: float | None = None
    seed: int = 0
    path: str = ""  # a pattern; "" is the paths that faults apply to by default

    def holds(self, request: int, connection: int) -> bool:
        """Whether the fault applies to that request (0: to the connection as such; 0 for both: to one that
        has no number yet)."""
        number = request or connection
        if not number:
            return (self.request, self.connection, self.every, self.probability) == (None,) * 4
        return (
            self.request in (None, request)
            and self.connection in (None, connection)
            and (self.every is None or number % self.every == 0)
            and (self.probability is None or random.Random(f"{self.seed}/{number}").random() < self.probability)
        )

    def covers(self, path: str, by_default: bool) -> bool:
        """Whether it is meant for requests to that path."""
        return fnmatchcase(path, self.path) if self.path else by_default

    def __str__(self) -> str:
        """As it is written in a spec: `:every=3:seed=7`."""
        return "".join(
            f":{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        )


#: The conditions by the name they have in a spec, and what their value is.
CONDITIONS = {"request": int, "connection": int, "every": int, "probability": float, "seed": int, "path": str}
