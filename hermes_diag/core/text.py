"""Text of others, as output and errors may show it: of users, of the processes that are watched, of files. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: What a terminal may not get as it is, but for colours, which are ours.
_ODD = re.compile(r"(\x1b\[[0-9;]{0,20}m)|\x1b|[^\n\x1b\x20-\x7e]+")
#: A line that the runner of GitHub Actions takes for a command, whatever blanks stand before it: `::error::`,
#: `::stop-commands::token`, `::token::`.
_COMMAND = re.compile(r"^([^\S\n]*):(?=:[^\W\d][^\n]*::)", re.MULTILINE)
#: Its older form, which counts anywhere in a line: `##[error]`; Azure Pipelines and TeamCity have `##vso[` and
#: `##teamcity[`.
_OLD_COMMAND = re.compile(r"##(?=[a-z]{0,20}\[)", re.IGNORECASE)


def one_line(text: str) -> str:
    """On one line: blanks and ends of lines become one blank, what cannot be printed is escaped.

    A user's text may hold escape sequences for the terminal, and on GitHub a line of its own could be
    a command (`::error::`).
    """
    return escaped(" ".join(text.split()))


def escaped(text: str) -> str:
    """With each character that cannot be printed as Python writes it: `\\x1b`, `\\n`, `\\u202e`, `\\udcff`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def lines(text: str) -> str:
    """Finished lines as a terminal, a pipe and a log of CI may get them, be it ours or not what stands in them.

    What cannot be printed is escaped, but for ends of lines and colours, and no line is a command to the runner of
    GitHub Actions. Fields of others belong through `one_line` before they come into a line: an end of a line in them
    cannot be told from ours any more.
    """
    return without_commands(_ODD.sub(_visible, text))


def without_commands(text: str, colon: str = "\\x3a", hash_: str = "\\x23") -> str:
    """Lines of which none is a command to the runner of GitHub Actions or another CI. colon, hash_: how a format
    escapes the two."""
    if "##" in text:
        text = _OLD_COMMAND.sub(lambda found: f"#{hash_}", text)
    return _COMMAND.sub(lambda found: found[1] + colon, text) if "::" in text else text


def _visible(found: re.Match[str]) -> str:
    return found[1] or escaped(found[0])


def quoted(text: str) -> str:
    """In quotes, on one line, and cut when it is long: how an error shows what a user wrote."""
    return repr(text if len(text) <= 80 else text[:60] + "...")


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """`did you mean X or Y?` for a misspelt word; else `otherwise`, by default the list of what is known."""
    import difflib  # 5 ms, and only errors need it

    names = list(known)
    near = difflib.get_close_matches(word, names, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else otherwise or f"known: {', '.join(names)}"


def release(version: str) -> str:
    """A release as output names it: of a checkout `0.20.4 at 1a2b3c4`, whose environment has it as 0.20.4+g1a2b3c4."""
    number, _, local = version.partition("+g")
    commit, _, edited = local.partition(".")
    return f"{number} at {commit}" + (f", {edited}" if edited else "") if commit else version
