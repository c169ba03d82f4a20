"""A text that would take effect wherever it is not escaped, and how to see in the bytes of an output that it did."""

from __future__ import annotations

import dataclasses
import enum
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from hermes_diag.core.spotted import words

#: Sequences of terminals (ESC, C1, a title), ends of lines, signs of direction and of no width, commands of GitHub
#: Actions in both forms, markup of rich, Markdown, HTML and XML, bytes of a file's name that are no UTF-8.
TEXT = (
    "ev\x1b[31mil\x1b]0;title\x07\x9b2J\r\n::error::one\n  ::stop-commands::two\n##[error]three ##vso[task.x]y"
    "\u2028\u202e\u200b\u2066\x00\x08\x7f [bold red]x[/] :smile: *a* [l](http://x.test) ![i](http://x.test)"
    " @user #1 | <b>h</b><script>s()</script> &amp; ]]> --> \udce9\ufffe\U000e0041"
)
#: The same as the name of a file or a process can have it, short.
NAME = "e\x1b[31m\n::error::x"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_COMMAND = re.compile(r"^\s*::[a-z-]+.*::", re.MULTILINE)
#: Fields whose words are the code's own, by which it chooses.
_OWN = words(
    "severity outcome how workload audit reader abort loop closed_first word kind command label state api strategy end "
    "group_by of code backend scope zone"
)


def effects(data: bytes, colour: bool = False, markup: bool = False) -> list[str]:
    """What in an output takes effect, in words. colour: sequences of colour are ours. markup: of a format that has tabs
    and zero-width signs of its own."""
    text = data.decode("utf-8")
    if colour:
        text = _COLOUR.sub("", text)
    odd = {one for one in text if one != "\n" and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")}
    if markup:
        odd -= {"\t"}
    found = [f"U+{ord(one):04X}" for one in sorted(odd)]
    found += [f"command {one!r}" for one in _COMMAND.findall(text)]
    return found + [f"command {one}" for one in re.findall(r"##[a-z]*\[", text)]


def planted(thing: Any, name: str = "", text: str = TEXT, own: frozenset[str] | set[str] = _OWN) -> Any:
    """The same with that text in every text that is not one of the code's own words; keys of mappings stay. own:
    fields whose words are the code's own. name: of the field that the thing is in."""

    def within(one: Any, field: str) -> Any:
        return planted(one, field, text, own)

    if isinstance(thing, enum.Enum) or name in own:
        return thing
    if isinstance(thing, str):
        return thing + text
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        fields = {one.name: within(getattr(thing, one.name), one.name) for one in dataclasses.fields(thing)}
        return dataclasses.replace(thing, **fields)
    if hasattr(thing, "_fields"):
        return type(thing)(*(within(one, field) for field, one in zip(thing._fields, thing, strict=True)))
    if isinstance(thing, Mapping):
        return {key: within(value, name) for key, value in thing.items()}
    return type(thing)(within(one, name) for one in thing) if isinstance(thing, tuple | list) else thing
