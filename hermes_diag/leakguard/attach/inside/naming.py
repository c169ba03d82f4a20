"""How a way from a holder down to a socket is written."""

from __future__ import annotations

from typing import Any

from hermes_diag.leakguard.attach.inside.kinds import CONTAINERS, KIND, SUSPENDED
from hermes_diag.leakguard.attach.inside.reading import (
    DICT_OF,
    MEMBER,
    MRO_OF,
    attribute,
    function_name,
    is_type,
    key_text,
    kin,
    place,
    text_of,
    type_name,
)
from hermes_diag.leakguard.attach.inside.roots import frame_of

#: Entries of a dict or list that are passed to find a key; those after them are written as [...].
FAR = 20_000
#: Container id -> {id of a value: its key or number}, for as long as the objects are kept.
WHERE: dict[int, dict[int, Any]] = {}


def key_of(container: Any, child: Any) -> Any:
    """The key of a value of a dict, its number in a list or tuple; None where it stands too far back."""
    known = WHERE.get(id(container))
    if known is None:
        known = WHERE[id(container)] = {}
        if kin(container, dict):
            pairs: Any = dict.items(container)
        else:
            pairs = enumerate((list if kin(container, list) else tuple).__iter__(container))
        for _, (key, value) in zip(range(FAR), pairs, strict=False):
            known.setdefault(id(value), key)
    return known.get(id(child))


def inside(container: Any, child: Any) -> str:
    """`[...]` of a container: the number in a list, the key of a dict where it is no secret."""
    if kin(container, dict):
        return key_text(key_of(container, child))
    number = key_of(container, child) if kin(container, list) or kin(container, tuple) else None
    return "[...]" if number is None else f"[{number}]"


def is_container(value: Any) -> bool:
    """Whether it is a dict, list, tuple, set or deque, also a derived one."""
    return not CONTAINERS.isdisjoint(map(id, MRO_OF(type(value))))


def local_name(frame: Any, child: Any) -> str:
    """The local variable of a frame that has the object, also by way of a cell."""
    found = frame.f_locals
    if type(found) is KIND["locals"]:
        for name, value in found.items():
            if value is child:
                return text_of(name)
    return ""


def in_frame(frame: Any, child: Any, lead: str) -> str:
    """`local variable x of f (file.py:3)`."""
    name = local_name(frame, child)
    code = frame.f_code
    said = f"local variable {name} of" if name else "a value of"
    return f"{lead}{said} {function_name(code)} ({place(code, frame.f_lineno)})"


def step(owner: Any, child: Any) -> str:
    """What one object that is no container has of the next: `httpx.Client._transport`, `local variable ...`."""
    kind = type(owner)
    if kind is KIND["frame"]:
        return in_frame(owner, child, "kept by a traceback: ")
    if id(kind) in SUSPENDED:
        frame = frame_of(owner)
        word = (
            "generator"
            if kind is KIND["generator"]
            else "coroutine"
            if kind is KIND["coroutine"]
            else "async generator"
        )
        return in_frame(frame, child, f"a {word} that waits: ") if frame is not None else word
    if kind is KIND["method"]:
        return f"bound method {text_of(peek_function_name(owner))}"
    if kind is KIND["cell"]:
        return "a variable kept by a function"
    if kind is KIND["task"]:
        return f"task '{text_of(KIND['task'].get_name(owner))}'"
    if is_type(owner):
        names = [key for key, value in DICT_OF(owner).items() if value is child and type(value) is not MEMBER]
        return type_name(owner) + (f".{names[0]}" if names and type(names[0]) is str else "")
    name = attribute(owner, child)
    return type_name(kind) + (f".{name}" if name else "")


def global_name(function: Any) -> str:
    """The module and the qualified name of a function."""
    return f"{text_of(dict.get(function.__globals__, '__name__'))}.{function_name(function.__code__)}"


def kept(function: Any, rest: list[Any]) -> tuple[str, int]:
    """What a function keeps of the objects behind it on the way, and how many of these are told by that."""
    code = function.__code__
    held = rest[0]
    name = global_name(function)
    if held is function.__defaults__ and len(rest) > 1:
        arguments = code.co_varnames[: code.co_argcount][-len(held) :]
        for argument, value in zip(arguments, held, strict=False):
            if value is rest[1]:
                return f"default of argument {argument} of {name}", 1
    if held is function.__kwdefaults__ and len(rest) > 1:
        return f"default of argument {text_of(key_of(held, rest[1]))} of {name}", 1
    if held is function.__closure__ and len(rest) > 2:
        for variable, cell in zip(code.co_freevars, held, strict=False):
            if cell is rest[1]:
                return f"variable {variable} kept by function {name}", 2
    return f"function {name}", 0


def peek_function_name(method: Any) -> str:
    """The name of the function of a bound method; the function may be any callable."""
    function = method.__func__
    return function_name(function.__code__) if type(function) is KIND["function"] else type_name(type(function))


def written(said: str, way: list[Any]) -> list[str]:
    """A way as steps, from a name that a person knows (`said`, of way[0]) to the object that has the descriptor."""
    steps: list[str] = []
    current = said
    told = 0  # objects that the step before has told with its own words
    for at, (owner, child) in enumerate(zip(way, way[1:], strict=False)):  # noqa: RUF007 - imports nothing
        if told:
            told -= 1
        elif current.endswith("."):  # the globals of a module
            current += text_of(key_of(owner, child))
        elif kin(owner, dict) and at and type(key_of(owner, child)) is str and _is_namespace(way[at - 1], owner):
            current = f"{type_name(type(way[at - 1]))}.{key_of(owner, child)}"
        elif is_container(owner) and not attribute(owner, child):
            current = further(current or type_name(type(owner)), inside(owner, child))
        elif type(owner) is KIND["cell"]:
            continue
        elif type(owner) is KIND["function"]:
            if current:
                steps.append(current)
            current, told = kept(owner, way[at + 1 :])
        else:
            if current:
                steps.append(current)
            current = step(owner, child)
    if current:
        steps.append(current)
    return steps if len(steps) <= 12 else [*steps[:6], "...", *steps[-5:]]


def further(said: str, inner: str) -> str:
    """What is in a container, behind the name of the container: `local variable kept[0] of turn (...)`."""
    for lead, mark in (("local variable ", " of "), ("variable ", " kept by ")):
        if said.startswith(lead):
            name, _, rest = said.partition(mark)
            return f"{name}{inner}{mark}{rest}"
    return said + inner


def _is_namespace(owner: Any, mapping: Any) -> bool:
    """Whether a dict is the one of an object's attributes and not the value of an attribute."""
    return not is_container(owner) and not is_type(owner) and type(mapping) is dict and not attribute(owner, mapping)
