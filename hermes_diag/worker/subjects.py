"""What is put to the test: what hands out clients (four kinds with the same methods), or a turn (own_turn.py).

strategy   one of ours (strategies/): create_client(sdk, client_kwargs)
factory    the user's: callable(client_kwargs) that returns a client; or a class of clients
pool       the user's: acquire() or acquire(session), release(client), close(); a class of such is called without
           arguments, or with client_kwargs if it takes some
instance   the user's: one OpenAI or AsyncOpenAI for everything; also a factory that hands out the same open client
           again: it keeps its clients, and nobody else closes them

Anything of the user's may be a coroutine function, and any client an AsyncOpenAI, or a proxy object around one.
"""

import contextlib
import importlib
import inspect
import os
import weakref

from . import event_loop
from .beside import Beside
from .contract import Fact
from .own_turn import OwnTurn
from .spec import defined_at, load
from .supervised import IMPORTING, PATIENCE, Broken, SupervisedCall

#: Seconds within which a pool hands out a client that it has, and a turn ends that does not wait for another.
AT_ONCE = 3.0


def of(job, base_url, sdk, channel):
    """The subject of a job. Raises Broken."""
    SupervisedCall.begin(job.settings)
    spec = job.settings.get("factory")
    if spec is None:
        create = importlib.import_module("." + job.strategy, __package__ + ".strategies").create_client
        channel.send(Fact("defined", defined_at(create)))
        return Strategy(sdk, create)
    thing = channel.thing if channel.thing is not None else _imported(spec, base_url, sdk, channel)
    channel.send(Fact("defined", defined_at(thing, sdk.CLIENTS, spec)))
    if sdk.is_client(thing):
        return Instance(sdk, channel, base_url, thing)
    if hasattr(thing, "acquire") and hasattr(thing, "release"):
        kwargs = {"api_key": sdk.LOCAL_KEY, "base_url": base_url, "max_retries": 0}
        return Pool(sdk, channel, base_url, thing, kwargs)
    if not callable(thing):
        raise Broken("the name stands for %s, which is neither callable nor a client" % _kind(thing))
    if not inspect.isclass(thing) and needs(thing, 2):
        return OwnTurn(sdk, channel, base_url, thing, job)
    return Factory(sdk, channel, base_url, thing)


def _imported(spec, base_url, sdk, channel):
    """What the spec names, imported in this process, which is the subject's own. Raises Broken."""
    # A module-level client must find our provider when the module is imported.
    os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"] = base_url, sdk.LOCAL_KEY
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=channel.mute)  # a child that the user's code forks is not the worker
    with SupervisedCall(channel, IMPORTING):
        return load(spec)


class Strategy:
    """A new client for each call of `client`, closed by `release`."""

    kind, makes, role = "strategy", True, "request"  # makes: a new client for each call

    def __init__(self, sdk, create):
        self._sdk = sdk
        self._create = create

    def places(self, most):
        """How many clients may be out at a time, `most` at most."""
        return most

    def client(self, kwargs, session=""):
        return self._create(self._sdk, kwargs)

    def release(self, client):
        self._sdk.close(client)

    def close(self):
        pass


class Users:
    """What the kinds of the user have in common: calls are supervised, and clients are led to our provider."""

    def __init__(self, sdk, channel, base_url):
        self._sdk = sdk
        self._channel = channel
        self._base_url = base_url

    def _call(self, doing, function, *args):
        with SupervisedCall(self._channel, doing):
            return event_loop.settled(function(*args))

    def _checked(self, client):
        if not self._sdk.is_client(client):
            raise Broken("it returned %s, not an OpenAI or AsyncOpenAI client" % _kind(client))
        self._sdk.lead_to(client, self._base_url)
        return client

    def places(self, most):
        return most

    def close(self):
        pass


class Factory(Users):
    """callable(client_kwargs) -> client; a class of clients is called with them as keywords."""

    role = "request"

    def __init__(self, sdk, channel, base_url, create):
        super().__init__(sdk, channel, base_url)
        is_class = inspect.isclass(create) and issubclass(create, sdk.CLIENTS)
        self._create = (lambda kwargs: create(**kwargs)) if is_class else create
        self._out = weakref.WeakValueDictionary()  # clients that were not given back, by their ids
        self._keeps = False  # its clients, and hands them out again and again

    @property
    def kind(self):
        return "factory" if self.makes else "instance"

    @property
    def makes(self):
        return not self._keeps

    def client(self, kwargs, session=""):
        client = self._checked(self._call("calling the factory", self._create, kwargs))
        if self._out.get(id(client)) is client:
            self._keeps = True
        with contextlib.suppress(TypeError):  # of a proxy object that no weak reference can lead to
            self._out[id(client)] = client
        return client

    def release(self, client):
        if not self._keeps:
            self._out.pop(id(client), None)
            self._call("closing its client", self._sdk.close, client)

    def close(self):
        for client in list(self._out.values()) if self._keeps else ():
            self._call("closing it", self._sdk.close, client)


class Pool(Users):
    """acquire(), release(client), close()."""

    kind, makes, role = "pool", False, "pooled"

    def __init__(self, sdk, channel, base_url, pool, kwargs):
        super().__init__(sdk, channel, base_url)
        if inspect.isclass(pool):
            args = (kwargs,) if _takes_one(pool) else ()
            pool = self._call("making the pool", pool, *args)
        self._pool = pool
        self._by_session = needs(pool.acquire, 1)

    def client(self, kwargs, session=""):
        args = (session,) if self._by_session else ()
        return self._checked(self._call("calling acquire()", self._pool.acquire, *args))

    def places(self, most):
        """Some pools wait when all their clients are out: a client that is not there at once is waited for in a thread,
        which gets it when the others are given back."""
        taken, waiting = [self.client({}, "1")], None
        while len(taken) < most and waiting is None:
            waiting = Beside(lambda: taken.append(self.client({}, str(len(taken) + 1))), "second-client")
            if waiting.over.wait(at_once()):
                waiting.end()
                waiting = None
        places = len(taken)
        for client in list(taken):
            self.release(client)
        if waiting is not None:
            waiting.end()
            self.release(taken[-1])
        return places

    def release(self, client):
        self._call("calling release()", self._pool.release, client)

    def close(self):
        if hasattr(self._pool, "close"):
            self._call("calling close()", self._pool.close)


class Instance(Users):
    """One client for everything; closed at the very end."""

    kind, makes, role = "instance", False, "singleton"

    def __init__(self, sdk, channel, base_url, client):
        super().__init__(sdk, channel, base_url)
        self._client = self._checked(client)

    def client(self, kwargs, session=""):
        return self._client

    def release(self, client):
        pass

    def close(self):
        self._call("closing it", self._sdk.close, self._client)


def at_once():
    """AT_ONCE, and no more than half the patience for a call of the user's code."""
    return min(AT_ONCE, (SupervisedCall.patience or PATIENCE) / 2)


def _kind(thing):
    return "nothing (None)" if thing is None else "an object of " + type(thing).__name__


def needs(function, number):
    """Whether it must be called with so many positional arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in positional and one.default is one.empty for one in parameters) == number


def _takes_one(kind):
    try:
        parameters = list(inspect.signature(kind).parameters.values())
    except (TypeError, ValueError):
        return False
    return bool(parameters) and parameters[0].kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
