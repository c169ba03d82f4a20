"""The grammar of `--fail-on`, the same in every command: METRIC OP NUMBER[UNIT]. Pure.

METRIC   NAME or NAME.ASPECT, upper and lower case are the same; which there are is each command's to say
OP       > | >= | < | <=
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from hermes_diag.core.errors import UsageError
from hermes_diag.core.text import quoted

_SHAPE = re.compile(r"\s*([A-Za-z_0-9-]+)(?:\.([A-Za-z]+))?\s*(>=|<=|>|<)\s*([0-9.]+)\s*([A-Za-z%/]*)\s*")
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Condition(NamedTuple):
    """A condition taken apart. text: as written, with single blanks. aspect, unit: "" without one."""

    text: str
    name: str
    aspect: str
    op: str
    number: float
    unit: str


def parse(text: str, said: str, examples: str) -> Condition:
    """A condition as users write it. said: how the error begins. examples: its cure. Raises UsageError."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise UsageError(f"{said}: no condition", examples)
    name, aspect, op, number, unit = match.groups(default="")
    try:
        return Condition(" ".join(text.split()), name.lower(), aspect.lower(), op, float(number), unit)
    except ValueError:
        raise UsageError(f"{said}: {quoted(number)} is no number", examples) from None


def holds(op: str, value: float, limit: float) -> bool:
    """Whether `value OP limit`."""
    return OPERATORS[op](value, limit)
