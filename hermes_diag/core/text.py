"""Text that a user wrote, as output and errors may show it. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def one_line(text: str) -> str:
    """On one line: blanks and ends of lines become one blank, what cannot be printed is escaped.

    A user's text may hold escape sequences for the terminal, and on GitHub a line of its own could be
    a command (`::error::`).
    """
    words = " ".join(text.split())
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in words)


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
