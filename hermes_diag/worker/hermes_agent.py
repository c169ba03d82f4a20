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
mutate    the client factory writes its http_client into the caller's client_kwargs
"""

import gc
import importlib
import os
import threading
import time

from . import fence, hermes_process
from .contract import FAULT_HEADER, NO_TERMINAL_EVENT, TURN_HEADER, Measured, TurnDone
from .driver import HOLD, Driver

HEALTHY = "healthy"
#: What is wrapped here; there in 0.16.0 to 0.19.0.
_NEEDED = ("_create_openai_client", "_interruptible_api_call", "interrupt", "clear_interrupt", "close")
#: Seconds for which a user waits for a first event that does not come before interrupting.
USER_PATIENCE = 2.0
#: Seconds within which threads that a turn started have ended. Not a sleep: the wait ends when they have.
GRACE = 1.0


class Refusal(Exception):
    """Hermes cannot be driven; `plain` is a sentence of ours that holds no data of the user's."""

    def __init__(self, plain):
        super().__init__(plain)
        self.plain = plain


def run(job, sdk, channel):
    """Carry out one job; returns when the last turn is over and the last barrier has opened."""
    hermes_process.use_empty_home(job.settings)
    driver = HermesDriver(job, sdk, channel)
    driver.warm_up()
    driver.run_workload()
    driver.close()
    for kind, count in fence.refused.items():
        channel.send(Measured("refused_" + kind, float(count), kind))


class HermesSession:
    """A chat session: its long-lived agent, and where it stands. `turn` 0 is the warm-up."""

    def __init__(self, serial, agent):
        self.serial = serial
        self.agent = agent
        self.turn = self.attempt = 0
        self.over = False
        self.fault = HEALTHY
        self.reading = threading.Event()  # an event of the turn was read, or the turn is over
        self.pending = None

    @property
    def name(self):
        return "%d/%d/%d" % (self.serial, self.turn, self.attempt)


class HermesDriver(Driver):
    """The agents of one cell. What turns do is in driver.py; streams that fall silent are given up by Hermes itself."""

    def __init__(self, job, sdk, channel):
        super().__init__(job, sdk, channel)
        self._lock = threading.Lock()
        self._events = {}
        self._sessions = {}
        self._module = importlib.import_module("run_agent")
        missing = [name for name in _NEEDED if not hasattr(self._module.AIAgent, name)]
        if missing:
            raise Refusal("this release of Hermes Agent is built differently: AIAgent has no " + ", ".join(missing))
        if "backoff" in job.settings:
            hermes_process.cut_waits(job.settings["backoff"])
        sdk.tell_events(self._event_read)
        self._watch_factory()
        self.sessions = [self._open(serial) for serial in range(1, job.sessions + 1)]
        self._threads = 0
        self._interrupted = False

    # --- agents ----------------------------------------------------------------------------------

    def _open(self, serial):
        self._building = serial
        agent = self._module.AIAgent(
            api_key=self.sdk.LOCAL_KEY,
            base_url=self.job.base_url,
            provider="openai-codex",
            api_mode="codex_responses",
            model="gpt-5",
            quiet_mode=True,
            skip_context_files=True,
            skip_memory=True,
            enabled_toolsets=[],
        )
        found = {str(agent.base_url), str(agent._client_kwargs.get("base_url")), str(agent.client.base_url)}
        if {url.rstrip("/") for url in found} != {self.job.base_url}:
            raise Refusal("Hermes resolved an endpoint that is not our provider; no request was made")
        session = self._sessions[serial] = HermesSession(serial, agent)
        call = agent._interruptible_api_call
        agent._interruptible_api_call = lambda kwargs, *rest, **named: self._call(session, call, kwargs, rest, named)
        agent._hermes_diag_session = serial
        return session

    def _watch_factory(self):
        """Tell of each client that Hermes builds; with `mutate`, put #10933 back."""
        kind, sdk = self._module.AIAgent, self.sdk
        create, mutate = kind._create_openai_client, "mutate" in self.job.settings

        def create_openai_client(agent, client_kwargs, **named):
            before = dict(client_kwargs)
            if mutate and "http_client" not in client_kwargs:
                # The bug: the dict belongs to the agent, which copies it for each request client to come.
                client_kwargs["http_client"] = sdk.bare_keepalive_client()
            client = create(agent, client_kwargs, **named)
            session = getattr(agent, "_hermes_diag_session", self._building)
            role = "shared" if named.get("shared") else "request"
            self.builds.tell(client, session, role, before, client_kwargs)
            return client

        kind._create_openai_client = create_openai_client

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
                self._converse(session)
        gc.collect()
        self._settle(threading.active_count())
        self._idle_threads = self._threads
        self.barrier("start")

    def turn(self, session, turn, interrupt=False, hold=None, abort=False):
        """See driver.py; with whatever retries Hermes makes."""
        self.turns += 1
        self._interrupted = self._interrupted or interrupt
        session.reading = hold or threading.Event()
        session.turn, session.fault = turn, HOLD if hold else self.job.settings.get("fault")
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

    def _converse(self, session):
        session.attempt, session.over = 0, False
        failure = {}
        try:
            result = session.agent.run_conversation("hi")
        except Exception as exc:
            result, failure = {"failed": True}, self.sdk.describe(exc)
        session.over = True
        if session.turn == 0:
            if result.get("failed") or not result.get("completed"):
                raise Refusal("Hermes did not answer a healthy warm-up turn")
            session.pending = None
            return
        if session.pending is None:  # Hermes gave up before it asked
            session.attempt = 1
            session.pending = ("error", failure or {"chain": ("hermes.NoRequest",)}, 0.0)
        self._tell(session, rejected=bool(result.get("failed")))

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
        if self._sessions[serial].turn == turn:
            self._sessions[serial].reading.set()

    def barrier(self, label):
        """Before the barrier, threads that are still ending have time to end; but not while streams are held."""
        if label != "held":
            self._settle(self._threads)
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
