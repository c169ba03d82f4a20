"""The types of records under bounds: what a file says is taken only if each number, text and list in it is one that a
run or a watch could have written.

Of a dataclass, a named tuple or a TypedDict a type of msgspec's is made that has the same fields with constraints
(https://jcristharif.com/msgspec/constraints.html), so that msgspec checks all of them as it reads. A new field is
bounded without a word; only what may be below zero has to say so, as BelowZero.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints, is_typeddict

import msgspec

from hermes_diag.worker.contract import BELOW_ZERO

#: What a number may be at most: what every reader of JSON keeps exactly, and seconds until the year 9893.
INTEGER, FLOAT = 2**53, 2.5e11
#: Characters of a text, and things in a list, at most.
TEXT, LIST = 100_000, 250_000

#: What `decoded` raises for what is not of its type.
NOT_OF_ITS_TYPE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_PLAIN: Mapping[Any, Any] = {
    int: Annotated[int, msgspec.Meta(ge=0, le=INTEGER)],
    float: Annotated[float, msgspec.Meta(ge=-FLOAT, le=FLOAT)],
    str: Annotated[str, msgspec.Meta(max_length=TEXT)],
}
_BELOW_ZERO = Annotated[int, msgspec.Meta(ge=-INTEGER, le=INTEGER)]
_MANY = (list, tuple, frozenset, set, dict, Mapping)


def decoded(kind: Any, data: bytes | msgspec.Raw, exact: bool = False) -> Any:
    """What JSON says, as that type and within bounds. exact: a key that the type has not is refused, and not left out.

    Raises NOT_OF_ITS_TYPE.
    """
    _decoder(bounded(kind, exact)).decode(data)
    return _decoder(kind).decode(data)


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


@cache
def bounded(kind: Any, exact: bool = False) -> Any:
    """The type that takes what `kind` does, within bounds. exact: and no field that it does not have."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _BELOW_ZERO if BELOW_ZERO in kind.__metadata__ else bounded(arguments[0], exact)
    if origin in (Union, types.UnionType):
        return Union[tuple(bounded(one, exact) for one in arguments)]  # noqa: UP007 - made as the program runs
    if origin in _MANY:
        parts = tuple(one if one is ... else bounded(one, exact) for one in arguments)
        return Annotated[origin[parts], msgspec.Meta(max_length=LIST)] if _is_long(origin, parts) else origin[parts]
    if dataclasses.is_dataclass(kind):
        optional = {one.name for one in dataclasses.fields(kind) if _has_default(one)}
        return _struct(kind, optional, exact)
    if is_typeddict(kind):
        return _struct(kind, kind.__optional_keys__, exact)
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_field_defaults"):
        return _struct(kind, kind._field_defaults, exact, array_like=True)
    return kind  # bool, None, Literal, date


def _is_long(origin: Any, parts: tuple[Any, ...]) -> bool:
    """Whether it may have any number of things."""
    return origin is not tuple or ... in parts


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return not field.default is field.default_factory is dataclasses.MISSING


def _struct(kind: Any, optional: Any, exact: bool, **config: Any) -> Any:
    fields = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        may_lack = name in optional
        while (origin := get_origin(hint)) in (NotRequired, Required):  # which a TypedDict does not see in a string
            may_lack = origin is NotRequired
            (hint,) = get_args(hint)
        made = bounded(hint, exact)
        fields.append((name, made, None) if may_lack else (name, made))
    if not config:
        config = {"kw_only": True}
    return msgspec.defstruct(kind.__name__, fields, forbid_unknown_fields=exact, **config)
