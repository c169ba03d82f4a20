"""A log as Hermes gateways write it, with its truth: which request client came to which end, and how much of it all.

scripts/synthetic_log.py SIZE FOLDER [--seed N] [--rotations N] writes agent.log and its rotations, prints the truth.
The lines are those of real releases; clients, threads, sessions and turns are made up here, by a simulation that knows
which client each line is about, which the log itself does not say.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

#: How a release gives a client up: 0.13 and 0.14 close it from the session's thread; 0.15 to 0.17 shut its socket down,
#: and its thread closes it; 0.18.2 and 0.19.0 find no socket, and its thread waits on.
CLOSES, SHUTS, BLIND = "closes", "shuts", "blind"
LOGGERS = {CLOSES: "run_agent", SHUTS: "agent.conversation_loop", BLIND: "agent.turn_context"}
ERRORS = ("TimeoutError", "RemoteProtocolError", "RateLimitError", "APIConnectionError")
TAIL = "provider=openai-codex base_url=https://user:s3cret@chatgpt.example/backend-api/codex model=gpt-5"
#: Lines that say nothing of clients; {n} is a number.
NOISE = (
    "INFO agent.model_metadata: Using hardcoded context length 400,000 for model 'gpt-5' (custom endpoint, match {n})",
    "WARNING tools.registry: check_fn check_web_api_key returned False; dependent tools will be unavailable this turn",
    'INFO aiohttp.access: 127.0.0.1 [28/Nov/2026:04:18:38 +0000] "POST /v1/chat/completions HTTP/1.1" 200 {n} "-" "-"',
    "INFO agent.chat_completion_helpers: Scaling openai-codex no-byte TTFB watchdog from 120s to 180s for large "
    "request (context=~{n} tokens >= 10000). Set HERMES_CODEX_TTFB_STRICT=1 to keep the smaller cutoff.",
    "INFO tools.terminal: grüße, 你好: the command ended with {n}; OpenAI client of the user closed, API call was made",
    "INFO gateway.run: kanban dispatcher: embedded in gateway (interval=60.0s, seen {n})",
)


#: Bytes of a turn, about.
TURN = 5_100


@dataclass
class Made:
    """A request client. state: its end in the words of the balance; then: once its session has gone on. wakes: its
    thread will close it."""

    thread: str
    state: str = "under_way"
    then: str = ""
    wakes: bool = False


@dataclass
class Session:
    name: str
    thread: str
    tries: int = 0
    calls: int = 0
    given_up: list[Made] = field(default_factory=list)  # since its last step

    def step(self) -> None:
        """It says something: clients that it has given up are what they are then."""
        for one in self.given_up:
            one.state = one.then
        self.given_up = []


@dataclass
class Log:
    """Lines as (seconds since the epoch, text) in the order in which they are written, and their truth at the end."""

    rng: random.Random
    begin: float = 1_795_000_000.0
    sessions: int = 8
    noise: float = 5.0  # lines of noise for each that is not
    truth: Counter[str] = field(default_factory=Counter)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.now = self.begin
        self._queue: list[tuple[float, int, Callable[[], Iterator[str]]]] = []
        self._serial = self._thread = 0
        self._idents: list[int] = []
        self._open: list[Made] = []
        self._started = False

    def lines(self, runs: int, turns: int) -> Iterator[tuple[float, str]]:
        """So many runs of a gateway of so many turns each, of which the last is cut off in the middle of some."""
        for number in range(runs):
            style = self.rng.choice((CLOSES, SHUTS, BLIND))
            yield from self._run(style, turns, last=number == runs - 1)

    # --- one run ---------------------------------------------------------------------------------

    def _run(self, style: str, turns: int, last: bool) -> Iterator[tuple[float, str]]:
        self._style, self._left, self._turns = style, turns, turns
        self._queue, self._open, self._thread = [], [], 0
        self._idents = [140_000_000_000_000 + 64 * self.rng.randrange(10**9) for _ in range(4000)]
        yield self.now, "INFO gateway.run: Starting Hermes Gateway..."
        for number in range(self.sessions):
            one = Session(f"{self.rng.randrange(10**8):08x}-{number}", f"asyncio_{number}:{self._ident()}")
            self._later(self.rng.uniform(0, 20), lambda one=one: self._begin(one))
        killed = last or self.rng.random() < 0.3
        while self._queue:
            at, _, act = heapq.heappop(self._queue)
            if killed and self._left == 0:
                yield from ((self.now, self._close(client)) for client in [one for one in self._open if one.wakes])
                break
            self.now = at
            for text in act():
                yield self.now, text
                self.now += 0.001
            count = self.rng.random() * 2 * self.noise
            for _ in range(int(count)):
                yield self.now, self.rng.choice(NOISE).format(n=self.rng.randrange(10**6))
        if not killed:
            yield self.now, "INFO gateway.run: Gateway stopped (total teardown 0.01s)"
        for one in self._open:  # they end with their process
            state = "cut" if one.state == "under_way" and not last else one.state
            self.truth[state] += 1
        self.now += self.rng.uniform(1, 100)

    def _later(self, seconds: float, act: Callable[[], Iterator[str]]) -> None:
        self._serial += 1
        heapq.heappush(self._queue, (self.now + seconds, self._serial, act))

    def _ident(self) -> int:
        return self._idents.pop(self.rng.randrange(len(self._idents)))

    # --- a session --------------------------------------------------------------------------------

    def _begin(self, one: Session) -> Iterator[str]:
        if not self._left:
            return
        one.step()
        self._left -= 1
        self.truth["turns"] += 1
        if self.rng.random() < 0.2:
            self.truth["created shared"] += 1
            yield f"INFO run_agent: OpenAI client created (agent_init, shared=True) thread={one.thread} {TAIL}"
            if self.rng.random() < 0.5:
                self.truth["closed shared"] += 1
                yield (
                    "INFO run_agent: OpenAI client closed (agent_close, shared=True, tcp_force_closed=1) "
                    f"thread={one.thread} {TAIL}"
                )
        yield (
            f"INFO [{one.name}] {LOGGERS[self._style]}: conversation turn: session={one.name} model=gpt-5 "
            "provider=openai-codex platform=api_server history=0 msg='the prompt of a user: s3cret'"
        )
        one.tries = 0
        self._later(self.rng.uniform(0.02, 0.3), lambda: self._call(one))

    def _call(self, one: Session) -> Iterator[str]:
        self._thread += 1
        client = Made(f"Thread-{self._thread} (_call):{self._ident()}")
        self._open.append(client)
        self.truth["created"] += 1
        yield (
            f"INFO run_agent: OpenAI client created (codex_stream_request, shared=False) thread={client.thread} {TAIL}"
        )
        fate, late = self.rng.random(), self._left < self._turns * 0.2
        if fate < 0.85 or late:
            self._later(self.rng.lognormvariate(0.5, 1.0), lambda: self._answered(one, client, True))
        elif fate < 0.87:  # its thread ends without a close
            self._later(self.rng.uniform(0.1, 3), lambda: self._answered(one, client, False))
        else:
            self._later(self.rng.uniform(2, 12), lambda: self._given_up(one, client))

    def _answered(self, one: Session, client: Made, closed: bool) -> Iterator[str]:
        if closed:
            yield self._close(client)
        else:
            client.state = "endless"
            self._idents.append(int(client.thread.rpartition(":")[2]))
        one.step()
        one.calls += 1
        self.truth["calls"] += 1
        yield (
            f"INFO [{one.name}] agent.conversation_loop: API call #{one.calls}: model=gpt-5 provider=openai-codex "
            f"in=12 out=8 total=20 latency={self.rng.uniform(0.1, 20):.1f}s"
        )
        if self.rng.random() < 0.3:  # a tool, and on
            one.tries = 0
            self._later(self.rng.uniform(0.02, 3), lambda: self._call(one))
        else:
            yield self._ended(one, "text_response")
            self._later(self.rng.uniform(0.5, 30), lambda: self._begin(one))

    def _given_up(self, one: Session, client: Made) -> Iterator[str]:
        yield from self._abort(one, client)
        if self.rng.random() < 0.1:
            yield self._ended(one, "interrupted_during_api_call")
            self._later(self.rng.uniform(0.5, 30), lambda: self._begin(one))
            return
        self._later(2.0, lambda: self._failed(one))

    def _abort(self, one: Session, client: Made) -> Iterator[str]:
        one.given_up.append(client)
        if self._style == CLOSES:
            client.then = "ended_by_others"
            self.truth["closed by others"] += 1
            yield (
                f"INFO [{one.name}] run_agent: OpenAI client closed (stale_call_kill, shared=False, "
                f"tcp_force_closed=1) thread={one.thread} {TAIL}"
            )
            return
        forced = int(self._style == SHUTS)
        self.truth["aborted"] += 1
        self.truth["nothing_closed"] += not forced
        yield (
            f"INFO [{one.name}] run_agent: OpenAI client aborted (codex_stream_idle_kill, shared=False, "
            f"tcp_force_closed={forced}, deferred_close=stranger_thread) thread={one.thread} {TAIL}"
        )
        if self.rng.random() < (0.9 if forced else 0.1):  # its thread wakes up
            self._later(self.rng.uniform(0.01, 1.5), lambda: iter([self._close(client)] if client.wakes else []))
            client.wakes = True
        client.then = "aborted_unclosed" if forced else "stranded"

    def _close(self, client: Made) -> str:
        self._open.remove(client)
        client.wakes = False
        self.truth["closed"] += 1
        name, _, ident = client.thread.rpartition(":")
        self._idents.append(int(ident))
        return (
            "INFO run_agent: OpenAI client closed (request_complete, shared=False, tcp_force_closed=0) "
            f"thread={name}:{ident} {TAIL}"
        )

    def _failed(self, one: Session) -> Iterator[str]:
        error = self.rng.choice(ERRORS)
        one.step()
        one.tries += 1
        self.truth["failures"] += 1
        self.truth[error] += 1
        where = f"WARNING [{one.name}] agent.conversation_loop:"
        context = f"thread={one.thread} {TAIL}"
        yield (
            f"{where} API call failed (attempt {one.tries}/3) error_type={error} {context} "
            "summary=what the provider said: s3cret"
        )
        if one.tries == 3:
            self.truth["given_up"] += 1
            yield (
                f"ERROR [{one.name}] agent.conversation_loop: API call failed after 3 retries. s3cret | "
                "provider=openai-codex model=gpt-5 msgs=1 tokens=~12"
            )
            self._later(self.rng.uniform(0.5, 30), lambda: self._begin(one))
            return
        wait = self.rng.uniform(2, 3) * one.tries
        self.truth["retries"] += 1
        yield f"{where} Retrying API call in {wait}s (attempt {one.tries}/3) {context} error=s3cret"
        self._later(wait + self.rng.uniform(0.02, 0.3), lambda: self._call(one))

    def _ended(self, one: Session, reason: str) -> str:
        one.step()
        return (
            f"INFO [{one.name}] agent.turn_finalizer: Turn ended: reason={reason}(finish_reason=stop) model=gpt-5 "
            f"api_calls=1/90 budget=1/90 tool_turns=0 last_msg_role=assistant response_len=40 session={one.name}"
        )


def stamped(
    lines: Iterator[tuple[float, str]], zone: tzinfo | None, shifts: tuple[tuple[int, float], ...] = ()
) -> Iterator[str]:
    """Lines with their local time. shifts: (number of the line before which the clock is set, by so many seconds)."""
    shift, waiting, minute, said = 0.0, list(shifts), -1.0, ""
    for number, (at, text) in enumerate(lines):
        while waiting and number >= waiting[0][0]:
            shift += waiting.pop(0)[1]
        local = at + shift
        if local // 60 != minute:
            minute = local // 60
            said = datetime.fromtimestamp(minute * 60, zone).strftime("%Y-%m-%d %H:%M")
        second = local - minute * 60
        yield f"{said}:{int(second):02},{int(second * 1000) % 1000:03} {text}\n"


def write(
    folder: Path, lines: Iterator[str], size: int, rotations: int = 0, encoding: str = "utf-8", packed: bool = False
) -> list[Path]:
    """agent.log and so many rotations, which are of like sizes if all are so large together. The oldest comes first."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / (f"agent.log.{number}" if number else "agent.log") for number in range(rotations, -1, -1)]
    each = size / len(paths)
    for path in paths:
        last = path == paths[-1]
        with open(path, "w", encoding=encoding, errors="replace", newline="") as file:
            written = 0
            for line in lines:
                file.write(line)
                written += len(line)
                if written > each and not last:
                    break
        if packed and not last:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("size", type=float, help="in MB, about")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rotations", type=int, default=0)
    asked: Any = parser.parse_args()
    log = Log(random.Random(asked.seed))
    turns = max(20, int(asked.size * 1e6 / TURN / 10))
    write(asked.folder, stamped(log.lines(10, turns), None), int(asked.size * 1e6), asked.rotations)
    print(json.dumps(log.truth, indent=2))


if __name__ == "__main__":
    main()
