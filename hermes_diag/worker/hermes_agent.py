"""Drives the real Hermes Agent: long-lived agents of the target's own `run_agent`.

Hermes is left as it is installed. In the memory of this process only, each request gets two more headers (its turn,
and what the provider shall do with it), the waits between retries are cut short, and calls and events are counted.
With `mutate` the mistake of #10933 is put back, also in memory only.

Settings of the job:

home      an empty folder: HOME and HERMES_HOME of this process
fault     what the provider is asked for in each turn except the warm-up
watchdog  seconds after which Hermes gives up a silent stream (its own environment variables)
retries   api_max_retries in Hermes's config.yaml
backoff   the longest wait between retries, seconds
grace     seconds that the threads of a turn have to end before a snapshot, instead of GRACE
api       what Hermes speaks, where that is not codex
pool      places that a pool of its clients has
mutate    the client factory writes its http_client into the caller's client_kwargs
"""

import dataclasses
import gc
import os
import threading
import time

from . import environment, fence, hermes_process, hermes_tasks
from .contract import FAULT_HEADER, NO_TERMINAL_EVENT, TURN_HEADER, Fact, Measured, TurnDone
from .driver import HOLD, Driver
from .hermes_sessions import HEALTHY, Agents, Refusal

#: Seconds for which a user waits for a first event that does not come before interrupting.
USER_PATIENCE = 2.0
#: Seconds within which threads that a turn started have ended. Not a sleep: the wait ends when they have.
GRACE = 1.0
#: Warm-up turns that may fail: in the first ones Hermes imports, and a short watchdog counts that as silence.
WARM_UPS = 3
#: Names of threads that are told: those of the most threads.
MOST_NAMES = 5
#: Stands for an exception class in the chain of a task of which Hermes says that it failed.
FAILED_TASK = "hermes.TaskFailed"


def run(job, sdk, channel):
    """Carry out one job; returns when the last turn is over and the last barrier has opened."""
    config = hermes_tasks.configure(job.settings["home"], job.base_url) if job.workload in hermes_tasks.TASKS else {}
    hermes_process.use_empty_home(job.settings, config)
    job = dataclasses.replace(job, base_url=environment.apply(job.settings, job.base_url))
    driver = HermesDriver(job, sdk, channel)
    driver.warm_up()
    driver.run_workload()
    driver.close()
    driver.tell_freed()
    for kind, count in fence.refused.items():
        channel.send(Measured("refused_" + kind, float(count), kind))


class HermesDriver(Driver):
    """The agents of one cell. What turns do is in driver.py; streams that fall silent are given up by Hermes itself."""

    def __init__(self, job, sdk, channel):
        super().__init__(job, sdk, channel)
        self._lock = threading.Lock()
        self._events = {}
        sdk.tell_events(self._event_read)
        agents = Agents(self, self._event_read, self._call)
        self.sessions = [agents.open(serial) for serial in range(1, job.sessions + 1)]
        self._threads = 0
        self._awaited = []  # seconds of connect timeouts at a dead address, by turn
        self._interrupted = False

    def close(self):
        """Close the agents as Hermes does at the end of a session; the host then takes its last snapshot."""
        if self._interrupted:  # the provider still holds those streams: a snapshot, and it lets them go on
            self.barrier("held")
        for session in self.sessions:
            session.agent.close()
        self._threads = self._idle_threads
        self.barrier("end")

    # --- turns -----------------------------------------------------------------------------------

    def warm_up(self):
        """One answered turn for each session: Hermes opens files and starts threads with the first.

        Not where the mistake is put back: the first turn is then the only one that works.
        """
        if "mutate" not in self.job.settings:
            for session in self.sessions:
                if not any(self._converse(session) for _ in range(WARM_UPS)):
                    raise Refusal("Hermes did not answer a healthy warm-up turn")
                if self.job.workload in hermes_tasks.TASKS and not hermes_tasks.TASKS[self.job.workload](session):
                    raise Refusal("Hermes did not do a healthy warm-up task of the kind " + self.job.workload)
            self._awaited.clear()
        gc.collect()
        self._settle(threading.active_count())
        self._idle_threads = self._threads
        self.barrier("start")

    def turn(self, session, turn, interrupt=False, hold=None, abort=False, healthy=False):
        """See driver.py; with whatever retries Hermes makes. healthy: the provider answers this one."""
        self.turns += 1
        self._interrupted = self._interrupted or interrupt
        session.gives_up = interrupt or abort
        session.reading = hold or threading.Event()
        session.turn, session.fault = turn, HOLD if hold else HEALTHY if healthy else self.job.settings.get("fault")
        user = threading.Thread(target=_interrupt, args=(session,), name="user") if interrupt else None
        if user:
            user.start()
        try:
            self._converse(session)
        finally:
            session.reading.set()
            if user:
                user.join()
                if session.agent._interrupt_requested:  # it came when all was over; Hermes clears what it has seen
                    session.agent.clear_interrupt()

    def tasks(self):
        """Turns of the kind that the workload is named after (hermes_tasks.py), with idle gaps between the rounds."""
        for turn in self.rounds():
            for session in self.order():
                self._task(session, turn)

    def _task(self, session, turn):
        self.turns += 1
        begun, outcome, failure = time.perf_counter(), "ok", {}
        try:
            if not hermes_tasks.TASKS[self.job.workload](session):
                outcome, failure = "error", {"chain": (FAILED_TASK,)}
        except Exception as exc:
            outcome, failure = "error", self.sdk.describe(exc)
        ms = (time.perf_counter() - begun) * 1000
        self.channel.send(TurnDone(session.serial, turn, 1, outcome, 0, ms, None, 0, **failure))

    def _converse(self, session):
        session.attempt, session.over = 0, False
        failure = {}
        try:
            result = session.agent.run_conversation("hi")
        except Exception as exc:
            result, failure = {"failed": True}, self.sdk.describe(exc)
        session.over = True
        if environment.awaited:
            self._awaited.append(sum(environment.awaited))
            environment.awaited.clear()
            self.channel.send(Fact("awaited", self._awaited))
        if session.turn == 0:
            session.pending = None
            return bool(result.get("completed")) and not result.get("failed")
        failed = bool(result.get("failed"))
        if session.pending is None:  # Hermes gave up before it asked
            session.attempt = 1
            session.pending = ("error", failure or {"chain": ("hermes.NoRequest",)}, 0.0)
            failed = True
            if session.gives_up and not failure:  # the interrupt came before the request
                session.pending, failed = ("ok", {}, 0.0), False
        self._tell(session, rejected=failed)

    def _call(self, session, call, kwargs, rest, named):
        """One attempt: what Hermes's own retry loop asks for once."""
        self._tell(session, rejected=True)  # an answer that Hermes liked would have been the last
        session.attempt += 1
        headers = dict(kwargs.get("extra_headers") or {})
        headers[TURN_HEADER] = session.name
        if session.fault:
            headers[FAULT_HEADER] = session.fault
        begun = time.perf_counter()
        outcome, failure = "ok", {}
        try:
            return call(dict(kwargs, extra_headers=headers), *rest, **named)
        except InterruptedError:
            outcome = "interrupted"
            raise
        except Exception as exc:
            outcome, failure = "error", self.sdk.describe(exc)
            raise
        finally:
            session.pending = (outcome, failure, (time.perf_counter() - begun) * 1000)

    def _tell(self, session, rejected):
        """Send the attempt that is over, now that it is known what Hermes made of it."""
        if session.pending is None:
            return
        (outcome, failure, ms), session.pending = session.pending, None
        if outcome == "ok" and rejected:
            outcome, failure = "error", {"chain": (NO_TERMINAL_EVENT,)}
        elif outcome == "ok" and session.gives_up:
            outcome = "missed"
        if session.turn:
            events = self._events.pop(session.name, 0)
            self.channel.send(
                TurnDone(session.serial, session.turn, session.attempt, outcome, events, ms, None, 0, **failure)
            )

    def _event_read(self, name):
        """An event of the turn of that name was read, in whichever thread Hermes reads it."""
        with self._lock:
            self._events[name] = self._events.get(name, 0) + 1
        serial, turn, _ = (int(part) for part in name.split("/"))
        session = self.sessions[serial - 1]
        if session.turn == turn:
            session.reading.set()

    def barrier(self, label):
        """Before the barrier, threads that are still ending have time to end; but not while streams are held."""
        if label != "held":
            self._settle(self._threads)
        if label == "start":
            self._named = hermes_process.thread_names()
        elif label == "idle":
            self.collect()
            more = hermes_process.thread_names() - self._named
            self.channel.send(Fact("threads", more.most_common(MOST_NAMES)))
        super().barrier(label)

    def _settle(self, most):
        """Wait, but not for ever, until there are at most so many threads; those there are then are the new limit."""
        deadline = time.monotonic() + self.job.settings.get("grace", GRACE)
        while _threads() > most and time.monotonic() < deadline:
            time.sleep(0.005)
        self._threads = max(most, _threads())


def _threads():
    """How many threads the host sees: one that has been joined may still be ending."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def _interrupt(session):
    """The user: sees the first event, or waits in vain for a while, and interrupts."""
    session.reading.wait(USER_PATIENCE)
    if not session.over:
        session.agent.interrupt()
