"""Reads objects of the program without running any of its code.

No `getattr`, `isinstance`, `repr`, `==` or `hash` of an object of the program: each can be code of its own. What is
used are the getters of the built-in types, called by hand.
"""

from __future__ import annotations

import sys
from typing import Any

MISSING: Any = ["missing"]
READ: Any = object.__getattribute__
MRO_OF: Any = type.__dict__["__mro__"].__get__
DICT_OF: Any = type.__dict__["__dict__"].__get__
MODULE_OF: Any = type.__dict__["__module__"].__get__
QUALNAME_OF: Any = type.__dict__["__qualname__"].__get__
MODULE_TYPE: Any = type(sys)
MODULE_DICT: Any = MODULE_TYPE.__dict__["__dict__"].__get__
#: Descriptors of `__slots__` and of members of C types: reading one runs no code of the program.
MEMBER: Any = type(MODULE_TYPE.__dict__["__dict__"])
TYPE_ID = id(type)
#: type id -> names that its instances may have as attributes.
NAMES: dict[int, tuple[str, ...]] = {}


def text_of(value: Any, otherwise: str = "?") -> str:
    """A plain string as it is; anything else, a subclass of str too, could run code when it is formatted."""
    return value if type(value) is str else otherwise


def type_name(cls: Any) -> str:
    """The first package of a class and its qualified name: httpx.Client, __main__.Agent; of built-in types the name."""
    module = text_of(MODULE_OF(cls), "")
    name = text_of(QUALNAME_OF(cls))
    package = module.partition(".")[0]
    return name if package in ("", "builtins") else f"{package}.{name}"


def is_type(value: Any) -> bool:
    """Whether it is a class, also one of a metaclass."""
    return derives(type(value), TYPE_ID)


def kin(value: Any, base: Any) -> bool:
    """Whether its type derives from `base`; isinstance would ask the object for its __class__."""
    return derives(type(value), id(base))


def derives(cls: Any, base: int) -> bool:
    """Whether a class has the base with that id. By id: the `==` of classes may be a metaclass's code."""
    return base in map(id, MRO_OF(cls))


def one_of(cls: Any, *kinds: Any) -> bool:
    """Whether a class is one of some others."""
    return any(cls is one for one in kinds)


def peek(owner: Any, name: str) -> Any:
    """An attribute that is stored, MISSING where there is none or where reading it could run code (a property)."""
    for cls in MRO_OF(type(owner)):
        namespace = DICT_OF(cls)
        if name in namespace:
            found = namespace[name]
            if type(found) is MEMBER:
                try:
                    return found.__get__(owner)
                except AttributeError:
                    return MISSING
            if any("__get__" in DICT_OF(one) for one in MRO_OF(type(found))):
                return MISSING
            break
    try:
        return READ(owner, name)
    except AttributeError:
        return MISSING


def names_of(cls: Any) -> tuple[str, ...]:
    """Names that instances may have: slots, what methods assign to self (3.13 writes them down), fields of dataclasses.

    The `__dict__` of an instance is not asked for: that alone would make one, which stays.
    """
    known = NAMES.get(id(cls))
    if known is not None:
        return known
    names: dict[str, None] = {}
    for base in MRO_OF(cls):
        namespace = DICT_OF(base)
        for name in ("__static_attributes__", "__dataclass_fields__"):
            listed = namespace.get(name)
            if one_of(type(listed), tuple, dict):
                names.update((one, None) for one in listed if type(one) is str)
        names.update((key, None) for key, found in namespace.items() if type(found) is MEMBER and type(key) is str)
    known = tuple(names)
    NAMES[id(cls)] = known
    return known


def attribute(owner: Any, child: Any) -> str:
    """The name of the attribute in which `owner` has `child`; "" where it cannot be told."""
    for name in names_of(type(owner)):
        if peek(owner, name) is child:
            return name
    return ""


def key_text(key: Any) -> str:
    """`[key]` of a dict for output: only a word without digits, since keys may be secrets; else `[...]`."""
    if type(key) is str and key.isidentifier() and len(key) <= 24 and key.isascii() and not any(map(str.isdigit, key)):
        return f"[{key}]"
    return "[...]"


def place(code: Any, line: Any) -> str:
    """`file.py:12`, with the folder that holds it."""
    parts = text_of(code.co_filename).replace("\\", "/").split("/")
    return f"{'/'.join(parts[-2:])}:{line or code.co_firstlineno}"


def function_name(code: Any) -> str:
    """The qualified name of a function, without the marks of nesting."""
    return text_of(code.co_qualname).replace("<locals>.", "")
