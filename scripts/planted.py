"""Looks for planted secrets in all that every command prints, writes and starts; run by scripts/secrets.

The secrets are those of tests/secrets_planted.py. Each command runs with them in its environment, in a home and a
temporary folder of its own, in each form that it prints, and writes a report of each ending and a capture. Looked
through are its stdout and stderr, each file below these folders while it runs and afterwards, and the arguments of each
process that it starts. Its files must be for their user alone. 1 when a secret was found or a file is open to others.

`matrix`, `bisect` and `hermes` need HERMES_DIAG_HERMES_PYTHONS; without it they are said not to have run.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
import secrets_planted as planted  # noqa: E402
from secrets_planted import PLANTED  # noqa: E402

from hermes_diag.cli.app import COMMANDS  # noqa: E402
from hermes_diag.reporters import formats  # noqa: E402

#: Seconds between two looks at processes and files, and those that one run may take.
LOOK_EVERY, PATIENCE = 0.02, 300
ENDINGS = [one.ENDING for one in map(formats.load, formats.names()) if one.ENDING]
FORMS = (["-v"], ["--json"], *(["--format", name] for name in ("markdown", "html", "junit")))
#: Commands without -v.
NOT_VERBOSE = ("audit", "live", "matrix", "bisect", "scenarios")
#: Interpreters with a Hermes Agent, the oldest first.
HERMES = [path for path in os.environ.get("HERMES_DIAG_HERMES_PYTHONS", "").split(":") if path]


@dataclass
class Seen:
    """What was looked through, and what was found: (where, place of the secret)."""

    runs: int = 0
    outputs: int = 0
    files: int = 0
    processes: int = 0
    found: set[tuple[str, str]] = field(default_factory=set)
    open_to_others: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def look(self, where: str, text: str) -> None:
        self.found |= {(where, place) for place in planted.found(text)}


class Room:
    """Folders of one run: `given` has what the user has, with secrets; all others must have none."""

    def __init__(self, folder: Path, seen: Seen) -> None:
        self.seen = seen
        self._known: set[tuple[Path, int, int]] = set()  # files that were looked at, as they were then
        self._number = 0
        self.given, self.out, self.home, self.temporary = (folder / name for name in ("given", "out", "home", "tmp"))
        for one in (self.given, self.out, self.home, self.temporary):
            one.mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HERMES_DIAG_", "XDG_"))},
            **planted.environment(), "HOME": str(self.home), "TMPDIR": str(self.temporary), "NO_COLOR": "1",
            "XDG_RUNTIME_DIR": str(self.temporary), "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def run(
        self,
        *arguments: object,
        during: Callable[[subprocess.Popen[str]], None] | None = None,
        codes: tuple[int, ...] = (0, 1, 3, 130),
    ) -> None:
        """Run the command to its end, or until `during` has done what it does. codes: exit codes that are right."""
        command = [sys.executable, "-m", "hermes_diag", *map(str, arguments)]
        with subprocess.Popen(
            command, cwd=self.given, env=self.environment, text=True, errors="replace", stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        ) as process, self._watched(process):  # fmt: skip
            if during is not None:
                during(process)
            out, err = process.communicate(timeout=PATIENCE)
        self.seen.runs += 1
        self.seen.outputs += 2
        self.seen.look(f"stdout of {arguments[0]}", out)
        self.seen.look(f"stderr of {arguments[0]}", err)
        if process.returncode not in codes or "Traceback" in err or "internal error" in err:
            self.seen.broken.append(f"{arguments[:2]}: exit {process.returncode}: {err[:200]}")
        self._look_at_files()

    def told(self, *arguments: object, program: tuple[object, ...] = (), forms: tuple[list[str], ...] = FORMS) -> None:
        """A judging command in every form, with a report of each ending and a capture, of which `report` makes the
        same again."""
        self._number += 1
        for number, form in enumerate(forms):
            saved = self.out / f"{self._number}.jsonl"
            more = [part for ending in ENDINGS for part in ("--output", self.out / f"{self._number}{ending}")]
            given = form if form != ["-v"] or arguments[0] not in NOT_VERBOSE else []
            saves = ["--save", saved] if arguments[0] not in ("matrix", "bisect", "logs") else []
            self.run(*arguments, *given, *(more if number == 0 else []), *(saves if number == 0 else []), *program)
            if number == 0 and saves and saved.exists():
                again = [part for ending in ENDINGS for part in ("--output", self.out / f"again{ending}")]
                self.run("report", saved, "-v", *again)
                self.run("report", saved, "--anonymise", "--json")

    @contextlib.contextmanager
    def _watched(self, process: subprocess.Popen[str]) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(psutil.Process(process.pid), ended))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _watch(self, process: psutil.Process, ended: threading.Event) -> None:
        known: set[int] = set()
        own = process.cmdline()  # the user's; a process that was just forked still has them
        while not ended.wait(LOOK_EVERY):
            self._look_at_files()
            with contextlib.suppress(psutil.Error):
                for one in process.children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        command = one.cmdline()
                        if command == own:
                            continue
                        self.seen.processes += one.pid not in known
                        known.add(one.pid)
                        self.seen.look(f"arguments of a process: {command[:2]}", "\0".join(command))

    def _look_at_files(self) -> None:
        for top in (self.out, self.home, self.temporary):
            for folder, _, names in os.walk(top):  # folders may go meanwhile
                for name in names:
                    with contextlib.suppress(OSError, ValueError):
                        path = Path(folder, name)
                        state = path.lstat()
                        key = path, state.st_mtime_ns, state.st_size
                        if stat.S_ISREG(state.st_mode) and key not in self._known:
                            self._known.add(key)
                            self._look_at(path)

    def _look_at(self, path: Path) -> None:
        named = re.sub(r"[0-9a-z_]{8}(?=/|$)", "*", "/".join(path.parts[-2:]))
        self.seen.files += 1
        self.seen.look(f"name of the file {named}", str(path.name))
        self.seen.look(f"the file {named}", path.read_text(errors="replace"))
        # In a folder that only its user may enter, a mode is not needed.
        closed = any(part.stat().st_mode & 0o077 == 0 for part in path.parents if self.temporary in part.parents)
        if path.stat().st_mode & 0o077 and not closed:
            self.seen.open_to_others.add(path.suffix or named)


# --- the commands: each with all that a user, a peer or a file may bring ----------------------------------


def a_payload(room: Room, *arguments: object) -> None:
    room.told("repro", planted.dump(room.given), "--turns", 2, "--workload", "steady", *arguments)


def factories(room: Room, command: str, *arguments: object) -> None:
    """One that raises, one whose clients carry secrets, one whose turns fail with some, one that writes one."""
    folder = room.given / PLANTED["folder of a file"]
    folder.mkdir()
    (folder / "factory.py").write_text(planted.FACTORIES)
    (folder / "elsewhere.py").write_text(planted.ELSEWHERE)
    for number, name in enumerate(("carries", "raises", "hides", "writes")):
        given = (f"./factory.py:{name}", "--cwd", folder, *arguments, "--env", f"GIVEN={PLANTED['--env']}")
        room.told(command, *given, forms=FORMS if number == 0 else FORMS[:1])
    room.told(command, "./elsewhere.py:make", "--cwd", folder, *arguments, forms=FORMS[:1])


def replay(room: Room) -> None:
    factories(room, "replay", planted.dump(room.given), "--workload", "steady", "--turns", 2)


def check(room: Room) -> None:
    factories(
        room, "check", "--workload", "steady", "--allow", f"turns-failed:2099-01-01:{PLANTED['reason of an allowance']}"
    )


def a_look(room: Room) -> None:
    with planted.process(room.given) as pid:
        room.told("sockets", pid)
        room.told("sockets", pid, "--watch", "--set", "count=3", "--interval", "50ms", forms=FORMS[:2])


def a_trace(room: Room) -> None:
    (room.given / "program.py").write_text(planted.PROGRAM)
    (room.given / "made").mkdir()
    room.told("trace", program=("--", sys.executable, "program.py", "made"), forms=FORMS[:2])


def a_log(room: Room) -> None:
    """Names of sessions and clients, and lines that mean nothing to us."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from synthetic_log import TAIL

    secrets = list(PLANTED.values())
    lines = []
    for number, one in enumerate(secrets):
        at = f"2026-11-28 04:{number // 60:02}:{number % 60:02},000"
        lines.append(
            f"{at} INFO [{one}] run_agent: OpenAI client created (codex_stream_request, shared=False) "
            f"thread=Thread-{number} ({one}):{number} {TAIL} {one}"
        )
        lines.append(f"{at} ERROR [{one}] agent.conversation_loop: {one} of {planted.environment()}")
    (room.given / "agent.log").write_text("\n".join(lines) + "\n")
    room.told("logs", "agent.log", "--tz", "UTC")


def a_server(room: Room) -> None:
    """Requests with secrets in path, headers and body, to each of its ports."""

    def during(running: subprocess.Popen[str]) -> None:
        assert running.stdout
        greeting = json.loads(running.stdout.readline())
        headers = {
            "Authorization": PLANTED["bearer header"], "Cookie": PLANTED["cookie header"],
            "X-Api-Key": PLANTED["x-api-key header"], "X-Hermes-Diag-Fault": PLANTED["task"],
        }  # fmt: skip
        body = json.dumps({"model": PLANTED["metadata"], "input": PLANTED["prompt"], "stream": True}).encode()
        for url in (f"{greeting['base_url']}/responses?key={PLANTED['query of a URL']}", greeting["control_url"]):
            for path in ("", f"/{PLANTED['file name of a payload']}"):
                for given in (headers, {**headers, "Host": PLANTED["name of a host"]}, {"Authorization": "x"}):
                    with contextlib.suppress(urllib.error.URLError, OSError):
                        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                            urllib.request.Request(url + path, body, given), timeout=10
                        ).read()
        running.send_signal(signal.SIGINT)

    room.run("serve", "--json", "--require-key", during=during)
    room.run("serve", "--json", "--as-proxy", during=during)


def an_exporter(room: Room) -> None:
    with planted.process(room.given) as pid:

        def during(running: subprocess.Popen[str]) -> None:
            assert running.stderr
            url = running.stderr.readline().split()[1]
            time.sleep(1)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            for accept in ("text/plain", "application/openmetrics-text"):
                told = opener.open(urllib.request.Request(url, headers={"Accept": accept}), timeout=10).read().decode()
                assert f'target="{pid}"' in told
                room.seen.outputs += 1
                room.seen.look("metrics", told)
            running.send_signal(signal.SIGINT)

        room.run("export", "--pid", pid, "--listen", "127.0.0.1:0", "--interval", "0.2s", during=during)


def live(room: Room) -> None:
    """A key of the environment, and a provider that asks for one."""
    from hermes_diag.provider import Provider

    with Provider(["http-500:every=2"]) as provider:
        url = provider.base_url.replace("http://", f"http://u:{PLANTED['user of a URL']}@")
        room.run("live", url, "--auth", "env:OPENAI_API_KEY", codes=(2,))
        room.told("live", provider.base_url, "--auth", "env:OPENAI_API_KEY", "--turns", 2)


def hermes(room: Room) -> None:
    room.told("hermes", "--python", HERMES[-1], "--workload", "interrupted", "--turns", 2, forms=FORMS[:2])


def matrix(room: Room) -> None:
    room.told("matrix", HERMES[0], HERMES[-1], "--workload", "interrupted", "--turns", 2, forms=FORMS[:2])


def bisect(room: Room) -> None:
    room.told(
        "bisect",
        HERMES[-1],
        HERMES[2],
        "--workload",
        "interrupted",
        "--state",
        room.out / "state.json",
        forms=FORMS[:1],
    )


def refusals(room: Room) -> None:
    """Each command with an argument that is a secret and means nothing to it."""
    for command in COMMANDS:
        for place in ("file name of a payload", "folder of a file", "error of a dump"):
            room.run(command, PLANTED[place], f"--{PLANTED[place]}", codes=(2,))


CASES: dict[str, Callable[[Room], None]] = {
    "repro": a_payload,
    "replay": replay,
    "audit": lambda room: factories(room, "audit"),
    "check": check,
    "hermes": hermes,
    "matrix": matrix,
    "bisect": bisect,
    "live": live,
    "scenarios": lambda room: room.told("scenarios", "closed-client", forms=FORMS[:2]),
    "sockets": a_look,
    "logs": a_log,
    "trace": a_trace,
    "export": an_exporter,
    "serve": a_server,
    "faults": lambda room: room.run("faults", "--json"),
    "report": refusals,
}


def main(names: list[str]) -> int:
    assert list(CASES) == list(COMMANDS), "a command without secrets"
    bad = False
    print(f"{'command':<10} {'runs':>5} {'outputs':>8} {'files':>7} {'processes':>10}  found")
    for name in names or CASES:
        if name in ("hermes", "matrix", "bisect") and len(HERMES) < 3:
            print(f"{name:<10} not run: HERMES_DIAG_HERMES_PYTHONS names no three Pythons with Hermes Agent")
            continue
        seen = Seen()
        with tempfile.TemporaryDirectory(prefix="hermes-diag-secrets-") as folder:
            CASES[name](Room(Path(folder), seen))
        told = [f"{place} in {where}" for where, place in sorted(seen.found)]
        told += [f"open to others: {one}" for one in sorted(seen.open_to_others)] + seen.broken
        bad |= bool(told)
        counts = f"{seen.runs:>5} {seen.outputs:>8} {seen.files:>7} {seen.processes:>10}"
        print(f"{name:<10} {counts}  {'; '.join(told) or '-'}", flush=True)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
