"""Joins the files of `inside/` into the one script that the asked process runs."""

from __future__ import annotations

from pathlib import Path

#: In the order of their imports.
PARTS = ("reading", "kinds", "roots", "naming", "climb", "cycles", "pools", "walk")
_FOLDER = Path(__file__).parent / "inside"

#: What the process reads. The walk comes as bytecode: compiling it there would take longer than many a walk.
#: `folder` is gone once nobody waits any more; then nothing is done. A signal whose handler raised meanwhile comes once
#: more at the very end, when it reaches the program: what is raised in here is lost.
_STUB = """\
def go():
    import _thread, marshal, posix, time
    begun = time.perf_counter()
    try:
        posix.stat({folder!r})
    except OSError:
        return ()
    more = None
    if {then!r}:
        with open({then!r}, "rb") as file:
            more = compile(file.read(), {then!r}, "exec")
    own = {{"__name__": "hermes_diag_inside", "__builtins__": __builtins__}}
    try:
        exec(marshal.loads({code!r}), own)
        signalled = own["run"](own, begun, {result!r}, {limit!r})
    finally:
        own.clear()
    if more is not None:
        exec(more, {{"__name__": "hermes_diag_more", "__builtins__": __builtins__}})
    return map(_thread.interrupt_main, (signalled,) if signalled else ())
try:
    again = go()
finally:
    del go
[*again]
"""

#: Runs in an interpreter like that of the process: makes bytecode for it, and has the process run the script.
HANDOVER = """\
import json, marshal, sys
task = json.load(sys.stdin)
try:
    if "source" in task:
        code = marshal.dumps(compile(task["source"], "hermes_diag_inside", "exec", optimize=2))
        with open(task["script"], "x", encoding="utf-8") as file:
            file.write(task["stub"].format(code=code, **task["stub_values"]))
    sys.remote_exec(task["pid"], task["script"])
except BaseException as exc:
    cause = exc.__cause__ or exc.__context__
    print(json.dumps([type(exc).__name__, str(exc) + (f" ({cause})" if cause else "")]))
"""


def source() -> str:
    """All parts as one module: what they import of each other stands in the same file."""
    lines = ["from __future__ import annotations"]
    for part in PARTS:
        skipping = False
        for line in (_FOLDER / f"{part}.py").read_text(encoding="utf-8").splitlines():
            ours = line.startswith("from hermes_diag.")
            if ours or line.startswith("from __future__"):
                skipping = ours and line.endswith("(")
                continue
            if skipping:
                skipping = line != ")"
                continue
            if line != "from typing import Any":
                lines.append(line)
    lines.insert(1, "Any = None")
    return "\n".join(lines) + "\n"


def task(pid: int, folder: Path, result: Path, limit: float, then: Path | None = None) -> dict[str, object]:
    """What HANDOVER is told: the walk, and where the script and what it finds are to be. limit: seconds.

    then: one more file of Python code, which the process runs after the walk, in a namespace of its own.
    """
    return {
        "pid": pid,
        "source": source(),
        "script": str(folder / "walk.py"),
        "stub": _STUB,
        "stub_values": {"folder": str(folder), "result": str(result), "limit": limit, "then": str(then or "")},
    }
