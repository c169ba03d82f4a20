"""The files of a checkout: of a folder, of what git knows in it, or of a revision in a git repository. Only reads."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hermes_diag.core import reading
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.text import quoted

#: Folders of a checkout without git that are none of its sources, and of a project that does not say what it needs.
_NEVER = frozenset(
    (".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache", ".ruff_cache")
)
_NOT_RUN = frozenset(("website", "docs", "tests", "apps", "web", ".github"))
#: Bytes of the files that are copied at most.
_LARGEST = 1 << 30
PATIENCE = 120
#: And of one of them.
_LARGEST_FILE = 64 * reading.MIB


@dataclass(frozen=True)
class Source:
    """place: a folder, or a bare repository. commit: "" without git. edited: since then. revision: "" for the files as
    they are in the folder."""

    place: Path
    commit: str
    edited: bool
    revision: str

    def names(self) -> list[str]:
        """Paths of all files, as bytes decoded like file names."""
        if self.revision:
            return _nul(git(self.place, "ls-tree", "-r", "-z", "--name-only", "--full-tree", self.revision))
        if self.commit:
            return _nul(git(self.place, "ls-files", "-z", "--cached"))
        return list(_walked(self.place))

    def left_out(self, parts: Sequence[str]) -> list[str]:
        """Modules in the folder that git does not know, and that a copy therefore lacks. parts: as for `copy`."""
        if self.revision or not self.commit:
            return []
        found = _nul(git(self.place, "ls-files", "-z", "--others", "--exclude-standard", "--", "*.py"))
        return sorted(name for name in found if _is_needed(name, parts))

    def has(self, name: str) -> bool:
        return self.read(name) is not None

    def read(self, name: str) -> bytes | None:
        """A file's content, None when there is none."""
        if self.revision:
            try:
                return git(self.place, "cat-file", "blob", f"{self.revision}:{name}")
            except GitFailed:
                return None
        try:
            if not stat.S_ISREG(os.stat(self.place / name).st_mode):  # what comes out of a pipe is no source
                return None
            return reading.whole(self.place / name, _LARGEST_FILE)
        except reading.TooLarge as exc:
            raise CannotMeasure(f"{self.place / name}: {exc.strerror}", "name a checkout of Hermes Agent") from None
        except OSError:
            return None

    def copy(self, to: Path, parts: Sequence[str]) -> str:
        """Copy what is needed; a digest of all of it. parts: names at the top that are needed, (): not known.

        Raises CannotMeasure.
        """
        digest, total = hashlib.sha256(), 0
        wanted = [name for name in sorted(self.names()) if _is_needed(name, parts)]
        for name, data in self._contents(wanted):
            total += len(data)
            if total > _LARGEST:
                raise CannotMeasure(f"{self.place} has more than {_LARGEST >> 20} MiB of sources", "name its checkout")
            target = to / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            digest.update(f"{len(os.fsencode(name))} {len(data)} ".encode() + os.fsencode(name) + data)
        return digest.hexdigest()

    def _contents(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        if self.revision:
            yield from _blobs(self.place, self.revision, names)
            return
        for name in names:
            # A link leads to where it leads: the copy has the file itself. A submodule is a folder.
            if (data := self.read(name)) is not None:
                yield name, data


def open_source(place: Path, revision: str) -> Source:
    """Raises UsageError for a folder or a revision that is not there."""
    if shutil.which("git") is None:
        if revision:
            raise CannotMeasure(f"there is no git, which {place} at a revision needs", "install git")
        return Source(place, "", False, "")
    try:
        bare = git(place, "rev-parse", "--is-bare-repository").strip() == b"true"
        commit = commit_of(place, revision or "HEAD")
    except GitFailed:
        if revision:
            raise UsageError(f"{place} is no git repository", "name one, or leave the revision out") from None
        return Source(place, "", False, "")
    if revision or bare:
        return Source(place, commit, False, commit)
    if not git(place, "ls-files", "-z", "--", "pyproject.toml"):  # a folder in a repository that knows nothing of it
        return Source(place, "", False, "")
    changed = git(place, "diff", "--no-ext-diff", "--no-textconv", "--name-only", "-z", "HEAD", "--", ".")
    return Source(place, commit, bool(changed), "")


def commit_of(place: Path, revision: str) -> str:
    """The full name of a commit. Raises UsageError when there is none, GitFailed where there is no repository."""
    git(place, "rev-parse", "--git-dir")
    if revision.startswith("-") or not revision.isprintable():
        raise UsageError(f"{quoted(revision)} is no revision", "name a commit, a branch or a tag")
    try:
        return git(place, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    except GitFailed:
        if revision == "HEAD":
            raise
        raise UsageError(f"{place} has no revision {quoted(revision)}", "name a commit, a branch or a tag") from None


class GitFailed(Exception):
    """git ended with an error."""


def git(place: Path, *arguments: str, given: bytes | None = None) -> bytes:
    """What a git command that only reads prints. No program that the repository's own settings name is started, and its
    index is left alone. Raises GitFailed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(place), *arguments]
    try:
        done = subprocess.run(
            command, input=given, stdin=subprocess.DEVNULL if given is None else None, capture_output=True,
            timeout=PATIENCE, check=True, env={**environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        raise GitFailed from None
    return done.stdout


def _blobs(place: Path, revision: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Contents at a revision, of regular files; a name with a line's end in it cannot be asked for."""
    asked = [name for name in names if "\n" not in name]
    out = git(place, "cat-file", "--batch", given=b"".join(os.fsencode(f"{revision}:{name}") + b"\n" for name in asked))
    at = 0
    for name in asked:
        end = out.index(b"\n", at)
        head = out[at:end].split()
        if len(head) != 3 or not head[2].isdigit():
            at = end + 1  # missing
            continue
        size = int(head[2])
        if head[1] == b"blob":
            yield name, out[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def _nul(text: bytes) -> list[str]:
    return [os.fsdecode(one) for one in text.split(b"\0") if one]


def _walked(place: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(place):
        folders[:] = [one for one in folders if one not in _NEVER and not os.path.exists(f"{folder}/{one}/pyvenv.cfg")]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), place)


def _is_needed(name: str, parts: Sequence[str]) -> bool:
    top, slash, _ = name.partition("/")
    if parts:
        return top in parts or (not slash and name.endswith((".py", ".toml", ".yaml")))
    return top not in _NOT_RUN if slash else True
