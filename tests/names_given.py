"""Command lines with names and paths that mean no good, each run in this process: python names_given.py GROUP

Prints one JSON line for each that starts a program, or writes, links or removes where it was not told to: what and by
which command line. A name may be a path too, and a path that was given may be written: that one, and no other.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hermes_diag.cli import run
from hermes_diag.core.errors import HermesDiagError

NAMES = (
    "; touch pwned", "$(touch pwned)", "`touch pwned`", "| touch pwned", "&& touch pwned #", "a\ntouch pwned\n",
    "-c", "--help-all", "--upload-pack=touch pwned", "-e/bin/sh", "-", "!touch pwned", "ext::sh -c touch% pwned",
    "../outside/secret", "../../../../../../etc/passwd", "/etc/passwd", "link", "link/../outside", "a\0b", "\0",
    "x" * 10_000, "a/" * 2_000, "", " ", ".", "..", "/", "~", "~root", "%s%n", "${HOME}", "\\\\x\\y", "con:", "\udcff",
)  # fmt: skip

#: By what is to be told apart: command lines in which NAME stands for one of them.
GROUPS: dict[str, list[str]] = {
    "versions": [
        "hermes NAME", "hermes 0.0.0.0.1NAME.", "hermes NAME==0.0.0.0.1", "hermes .@NAME",
        "hermes --base-python NAME/none 0.0.0.0.1", "matrix NAME NAME@NAME", "matrix openai==NAME httpx==1.0,NAME==2",
        "bisect --good NAME --bad 2.0.0 --spec fixed", "bisect --good NAME --bad NAME --repo NAME --state state",
    ],
    "specs": [
        "audit NAME", "check NAME", "replay NAME", "check ./NAME", "audit fixed --python NAME",
        "check fixed --cwd NAME/none", "check fixed --env NAME= --cwd none", "check fixed --api NAME. --cwd none",
    ],
    "plans": [
        "serve --plan NAME.", "serve --reply NAME", "serve --fault NAME.", "serve --for NAME.", "serve --host NAME.",
        "serve --record NAME --upstream NAME", "faults NAME", "repro --set NAME.", "repro --set backend=NAME.",
        "scenarios NAME.", "scenarios list --payload NAME",
    ],
    "files": [
        "report NAME", "report NAME --check", "repro NAME --set x", "check fixed --baseline NAME", "logs NAME",
        "logs --home NAME", "logs --profile NAME", "logs --with NAME", "repro last-dump:NAME", "sockets NAME",
        "export --gateway --listen NAME:", "export --pid NAME", "sockets --gateway --profile NAME",
    ],
}  # fmt: skip
#: What starts, or changes, something. open() does when it is to write.
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn")
CHANGES = ("os.remove", "os.rename", "os.link", "os.symlink", "os.rmdir", "shutil.rmtree", "os.chmod", "os.truncate")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main(group: str) -> None:
    seen: list[tuple[str, Any]] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(STARTS):
            seen.append(("starts", arguments[:2]))
        elif event.startswith(CHANGES) or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES):
            seen.append(("changes", os.fsdecode(arguments[0]) if not isinstance(arguments[0], int) else ""))

    sys.addaudithook(hook)
    codes: dict[int, int] = {}
    for name in NAMES:
        for pattern in GROUPS[group]:
            seen.clear()
            arguments = [word.replace("NAME", name) for word in pattern.split()]
            code = ran(arguments)
            codes[code] = codes.get(code, 0) + 1
            for what, detail in [one for one in seen if not allowed(*one, name)]:
                said(arguments, what, repr(detail))
    print(json.dumps({"codes": codes}))


def said(arguments: list[str], what: str, detail: str) -> None:
    print(json.dumps({"arguments": arguments, "what": what, "detail": detail[:300]}), flush=True)


def ran(arguments: list[str]) -> int:
    """The exit code of a command line, 99 for an error that is not one of ours."""
    failed = ""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            return run(arguments)
        except HermesDiagError as exc:
            return exc.exit_code
        except OSError:  # a name that is too long: exit code 3, with the words of the system
            return 3
        except Exception as exc:
            failed = repr(exc)
    said(arguments, "raises", failed)
    return 99


def allowed(what: str, detail: Any, name: str) -> bool:
    """An interpreter of ours, or the one that was named; git with the name as a folder, or where it is no option;
    temporary files; nothing at all."""
    if what == "starts":
        program, arguments = detail
        if program == "git":
            return len(name) == 1 or not any(name in word for word in arguments[3:] if word.startswith("-"))
        return program == sys.executable or program == os.path.expanduser(name) or name == "/"
    temporary = os.path.realpath(tempfile.gettempdir())
    return detail in ("", os.devnull) or Path(os.path.realpath(detail)).is_relative_to(temporary)


if __name__ == "__main__":
    main(sys.argv[1])
