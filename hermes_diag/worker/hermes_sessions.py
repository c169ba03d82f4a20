"""Agents of the target's own `run_agent`: imported, checked, built, and wrapped so that their requests are seen."""

import importlib
import threading

from . import hermes_process, inside

HEALTHY = "healthy"


class Refusal(Exception):
    """Hermes cannot be driven; `plain` is a sentence of ours that holds no data of the user's."""

    def __init__(self, plain):
        super().__init__(plain)
        self.plain = plain


class HermesSession:
    """A chat session: its long-lived agent, and where it stands. `turn` 0 is the warm-up."""

    def __init__(self, serial, agent):
        self.serial = serial
        self.agent = agent
        self.turn = self.attempt = 0
        self.over = False
        self.calling = False  # an attempt is under way
        self.gives_up = False  # the turn is to be given up: by its user, or by a watchdog
        self.fault = HEALTHY
        self.reading = threading.Event()  # an event of the turn was read, or the turn is over
        self.pending = None

    @property
    def name(self):
        return "%d/%d/%d" % (self.serial, self.turn, self.attempt)


class Agents:
    """Makes the agents of one job. Raises Refusal when this Hermes cannot be driven."""

    def __init__(self, driver, event_read, attempt):
        """event_read: called with the turn's name for each event that is read of a stream. attempt: called in the place
        of each request, as (session, call, kwargs, rest, named)."""
        self.job, self.sdk, self.channel, self.builds = driver.job, driver.sdk, driver.channel, driver.builds
        self._event_read, self._attempt = event_read, attempt
        self._api = self.job.settings.get("api", "codex")
        self._module = self._import()
        self._watch_factory()

    def _import(self):
        """Hermes's module run_agent. Raises Refusal when it cannot be imported, or is not as it is relied upon."""
        try:
            with hermes_process.Importing(self.channel, self.job.settings):
                module = importlib.import_module("run_agent")
                if self._api == "anthropic":
                    self.sdk.tell_events(self._event_read, importlib.import_module("anthropic"))
                if "backoff" in self.job.settings:
                    hermes_process.cut_waits(self.job.settings["backoff"])
        except Exception as exc:
            name = exc.name if isinstance(exc, ImportError) else None
            if name == self._api == "anthropic":
                raise Refusal(
                    "its Python has no package anthropic, which that API needs: pip install anthropic"
                ) from None
            missing = " of " + name if name else ""
            if isinstance(exc, SyntaxError) and exc.filename:
                missing = " in %s:%d" % ("/".join(exc.filename.split("/")[-2:]), exc.lineno or 0)
            raise Refusal("this Hermes Agent cannot be imported: %s%s" % (type(exc).__name__, missing)) from None
        unlike = hermes_process.unlike(getattr(module, "AIAgent", object))
        if unlike:
            raise Refusal("this release of Hermes Agent is built differently: " + unlike)
        return module

    def open(self, serial):
        """A session with a long-lived agent of its own. Raises Refusal when that would ask another endpoint."""
        self._building = serial
        plain = self._ours()[self._api == "anthropic"]  # older releases leave a /v1 before the one of its SDK
        agent = self._module.AIAgent(api_key=self.sdk.LOCAL_KEY, base_url=plain, **hermes_process.AGENTS[self._api])
        if any(url.rstrip("/") not in self._ours() for url in _endpoints(agent)):
            raise Refusal("Hermes resolved an endpoint that is not our provider; no request was made")
        session = HermesSession(serial, agent)
        self._wrap(session, "_interruptible_api_call")
        if self._api != "codex":  # that one streams by the call above
            self._wrap(session, "_interruptible_streaming_api_call")
        agent._hermes_diag_session = serial
        return session

    def _wrap(self, session, name):
        call = getattr(session.agent, name)

        def called(kwargs, *rest, **named):
            if session.calling:  # of one attempt, from the other method
                return call(kwargs, *rest, **named)
            session.calling = True
            try:
                return self._attempt(session, call, kwargs, rest, named)
            finally:
                session.calling = False

        setattr(session.agent, name, called)

    def _ours(self):
        """How the endpoint of our provider may be written."""
        return self.job.base_url, self.job.base_url[: -len("/v1")]

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
            self._limit(client)
            return client

        kind._create_openai_client = create_openai_client
        if self._api == "anthropic":
            self._watch_anthropic()

    def _limit(self, client):
        """Leave the pools of a client as few places as the job says."""
        if "pool" in self.job.settings:
            for _, pool in inside.pools(client):
                pool._max_connections = self.job.settings["pool"]

    def _watch_anthropic(self):
        adapter = importlib.import_module("agent.anthropic_adapter")
        create = adapter.build_anthropic_client

        def build_anthropic_client(*args, **named):
            client = create(*args, **named)
            self.builds.tell(client, self._building, "request", {}, {})
            self._limit(client)
            return client

        adapter.build_anthropic_client = build_anthropic_client


def _endpoints(agent):
    """Every base URL that an agent has come to."""
    clients = (agent.client, getattr(agent, "_anthropic_client", None))
    found = [agent.base_url, agent._client_kwargs.get("base_url"), getattr(agent, "_anthropic_base_url", None)]
    return [str(url) for url in (*found, *(one.base_url for one in clients if one)) if url]
