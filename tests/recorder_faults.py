"""Runs a program again and again, each time under a recorder with an error in another of its statements.

Says, as one line of JSON for each statement: its line, whether it was reached, whether the program did something else
than without a recorder, and what came out on stderr. Run by tests/test_recorder.py, or alone:

python tests/recorder_faults.py FIRST LAST STEP FOLDER      the statements FIRST, FIRST + STEP, ... before LAST
python tests/recorder_faults.py                             how many statements there are
"""

from __future__ import annotations

import ast
import asyncio
import atexit
import contextlib
import json
import mmap
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hermes_diag.leakguard.traced import RECORDER

SOURCE = RECORDER / "hermes_diag_recorder.py"
#: What the program still has open when it ends.
LEFT: list[sqlite3.Connection] = []
BODIES = ("body", "orelse", "finalbody")


def statements(tree: ast.Module) -> list[tuple[list[ast.stmt], int]]:
    """Each statement: the list that it is in, and its place there. Not the definitions themselves."""
    found = []
    for node in ast.walk(tree):
        for name in BODIES:
            body = getattr(node, name, None)
            if isinstance(body, list):
                found += [
                    (body, place)
                    for place, one in enumerate(body)
                    if not isinstance(one, ast.FunctionDef | ast.ClassDef)
                    and not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))  # a docstring
                    and not _is_last_line_of_defence(node, one)
                ]
    return found


def _is_last_line_of_defence(node: ast.AST, one: ast.stmt) -> bool:
    """Where an error comes before anything could catch it, or has just been caught and is about to be judged; and the
    call of the function that the program has called, which the recorder replaces."""
    if isinstance(node, ast.FunctionDef) and node.name in ("is_of_program", "wrapped"):
        return True
    if isinstance(node, ast.FunctionDef) and node.name == "hook":
        return True
    if isinstance(node, ast.If) and ast.unparse(node.test) == "handler is None and (not pending)":
        return True  # still there
    return "is_of_program" in ast.unparse(one) and isinstance(one, ast.Try | ast.If)


def broken(tree: ast.Module, body: list[ast.stmt], place: int) -> types.ModuleType:
    """The recorder with an error before that statement, not begun; run() makes it. RuntimeError comes from that if the
    statement is not in a function."""
    body.insert(place, *ast.parse("REACHED.append(1); raise RuntimeError('put there by a test')").body[:1])
    body.insert(place + 1, *ast.parse("raise RuntimeError('put there by a test')").body)
    module = types.ModuleType("hermes_diag_recorder")
    module.__file__ = str(SOURCE)
    module.REACHED = []  # type: ignore[attr-defined]
    code = compile(ast.fix_missing_locations(tree), str(SOURCE), "exec")
    module.run = lambda: exec(code, module.__dict__)  # type: ignore[attr-defined]
    return module


def work(folder: str) -> list[object]:
    """A program that opens everything; what it saw."""
    said: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"one")
            said.append(accepted.recv(3).decode())
        with client.dup() as other, socket.socket(fileno=os.dup(client.fileno())) as third:
            said.append(other.fileno() != third.fileno())
    with contextlib.suppress(OSError):
        socket.socket(family=12345)
    with socket.socket(socket.AF_UNIX) as unix:
        said.append(unix.connect_ex(folder + "/nobody"))
    for one in socket.socketpair():
        one.close()
    with open(folder + "/file", "w") as file:
        file.write("two")
    with tempfile.TemporaryFile(dir=folder) as file:
        said.append(file.fileno() > 2)
    said.append(Path(folder, "file").read_text())
    with contextlib.suppress(FileNotFoundError):
        os.close(os.open(folder + "/none", os.O_RDONLY))
    database = sqlite3.connect(folder + "/database")
    said.append(database.execute("select 3").fetchone())
    database.close()
    with open(folder + "/file", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        said.append(mapped[:3].decode())
    LEFT.append(sqlite3.connect(f"file:{folder}/left?mode=rwc", uri=True))
    said.append(LEFT[-1].execute("pragma journal_mode=wal").fetchone())
    LEFT[-1].execute("create table if not exists one (two)")
    for fd in (*os.pipe(), *os.openpty(), os.eventfd(0), os.memfd_create("x")):
        os.close(fd)
    said.append(subprocess.run(["cat"], input=b"four", capture_output=True, check=True).stdout.decode())
    with subprocess.Popen([sys.executable, "-I", "-c", "pass"], executable="/bin/true", env={}) as child:
        said.append(child.wait())
    pid = os.posix_spawn("/bin/true", ["python3", "-E"], {})
    said.append(os.waitpid(pid, 0)[1])
    pid = os.fork()
    if not pid:
        socket.socket().close()
        os._exit(7)
    said.append(os.waitpid(pid, 0)[1])
    with ThreadPoolExecutor(1) as pool:
        said.append(pool.submit(socket.create_connection, ("127.0.0.1", 1)).exception() is not None)
    said.append(asyncio.run(turn()))
    return said


async def turn() -> list[object]:
    came: list[object] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append((await reader.read(3)).decode())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ((reader, writer),) = await asyncio.gather(asyncio.open_connection("127.0.0.1", port))
        writer.write(b"six")
        came.append(await reader.read())
        writer.close()
    return [str(came)]


def tried(module: Any, folder: str, expected: list[object]) -> dict[str, Any]:
    """Run the program once, in this process."""
    site: dict[str, Any] = {"__name__": "not to begin by itself"}
    exec((RECORDER / "sitecustomize.py").read_text(), site)
    made: list[Any] = []
    register = atexit.register
    atexit.register = lambda function, *rest: made.append(function) or register(function, *rest)  # type: ignore
    with tempfile.TemporaryFile(dir=folder) as errors:
        os.dup2(errors.fileno(), 2)
        said = _run(module, site, folder, made)
        errors.seek(0)
        text = errors.read().decode()
    changed = "" if said == expected else f"{said} instead of {expected}"
    return {"reached": bool(module.REACHED), "changed": changed, "stderr": text}


def _run(module: Any, site: dict[str, Any], folder: str, made: list[Any]) -> Any:
    finder = types.SimpleNamespace(find_spec=lambda name, *_: _spec(module) if name == "hermes_diag_recorder" else None)
    sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
    os.environ.update(HERMES_DIAG_BOXES=folder + "/boxes", HERMES_DIAG_KEEP="1")
    try:
        site["_begin"](str(RECORDER))
        said = work(folder)
        for end in made:
            end()
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"
    finally:
        while LEFT:
            LEFT.pop().close()
    return said


def _spec(module: Any) -> Any:
    import importlib.machinery

    loader = types.SimpleNamespace(create_module=lambda spec: module, exec_module=lambda one: module.run())
    return importlib.machinery.ModuleSpec("hermes_diag_recorder", loader)  # type: ignore[arg-type]


def main(first: int, last: int, step: int, folder: str) -> None:
    expected = work(folder)
    tree = ast.parse(SOURCE.read_text())
    found = statements(tree)
    for number in range(first, last, step):
        body, place = found[number]
        line = body[place].lineno
        pid = os.fork()  # an audit hook cannot be removed
        if not pid:
            signal.alarm(20)  # if it hangs, it dies
            said = tried(broken(tree, body, place), folder, expected)
            print(json.dumps({"line": line, **said}), flush=True)
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            print(json.dumps({"line": line, "reached": True, "changed": "it died", "stderr": ""}), flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        main(*map(int, sys.argv[1:4]), sys.argv[4])
    else:
        print(len(statements(ast.parse(SOURCE.read_text()))))
