"""What is put to the test: what hands out clients. Four kinds with the same methods.

strategy   one of ours (strategies/): create_client(sdk, client_kwargs)
factory    the user's: callable(client_kwargs) that returns a client; or a class of clients
pool       the user's: acquire(), release(client), close(); a class of such is called without arguments,
           or with client_kwargs if it takes some
instance   the user's: one OpenAI or AsyncOpenAI for everything

Anything of the user's may be a coroutine function, and any client an AsyncOpenAI.
"""

import importlib
import inspect
import os

from . import event_loop
from .contract import Fact
from .spec import defined_at, load
from .supervised import Broken, SupervisedCall


def of(job, base_url, sdk, channel):
    """The subject of a job. Raises Broken."""
    spec = job.settings.get("factory")
    if spec is None:
        create = importlib.import_module("." + job.strategy, __package__ + ".strategies").create_client
        channel.send(Fact("defined", defined_at(create)))
        return Strategy(sdk, create)
    thing = channel.thing if channel.thing is not None else _imported(spec, base_url, sdk, channel)
    channel.send(Fact("defined", defined_at(thing, sdk.CLIENTS, spec)))
    if isinstance(thing, sdk.CLIENTS):
        return Instance(sdk, channel, base_url, thing)
    if hasattr(thing, "acquire") and hasattr(thing, "release"):
        kwargs = {"api_key": sdk.LOCAL_KEY, "base_url": base_url, "max_retries": 0}
        return Pool(sdk, channel, base_url, thing, kwargs)
    if not callable(thing):
        raise Broken("the name stands for %s, which is neither callable nor a client" % _kind(thing))
    return Factory(sdk, channel, base_url, thing)


def _imported(spec, base_url, sdk, channel):
    """What the spec names, imported in this process, which is the subject's own. Raises Broken."""
    # A module-level client must find our provider when the module is imported.
    os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"] = base_url, sdk.LOCAL_KEY
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=channel.mute)  # a child that the user's code forks is not the worker
    with SupervisedCall(channel, "importing the factory"):
        return load(spec)


class Strategy:
    """A new client for each call of `client`, closed by `release`."""

    kind, makes, role = "strategy", True, "request"  # makes: a new client for each call

    def __init__(self, sdk, create):
        self._sdk = sdk
        self._create = create

    def client(self, kwargs):
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
        if not isinstance(client, self._sdk.CLIENTS):
            raise Broken("it returned %s, not an OpenAI or AsyncOpenAI client" % _kind(client))
        self._sdk.lead_to(client, self._base_url)
        return client

    def close(self):
        pass


class Factory(Users):
    """callable(client_kwargs) -> client; a class of clients is called with them as keywords."""

    kind, makes, role = "factory", True, "request"

    def __init__(self, sdk, channel, base_url, create):
        super().__init__(sdk, channel, base_url)
        is_class = inspect.isclass(create) and issubclass(create, sdk.CLIENTS)
        self._create = (lambda kwargs: create(**kwargs)) if is_class else create

    def client(self, kwargs):
        return self._checked(self._call("calling the factory", self._create, kwargs))

    def release(self, client):
        self._call("closing its client", self._sdk.close, client)


class Pool(Users):
    """acquire(), release(client), close()."""

    kind, makes, role = "pool", False, "pooled"

    def __init__(self, sdk, channel, base_url, pool, kwargs):
        super().__init__(sdk, channel, base_url)
        if inspect.isclass(pool):
            args = (kwargs,) if _takes_one(pool) else ()
            pool = self._call("making the pool", pool, *args)
        self._pool = pool

    def client(self, kwargs):
        return self._checked(self._call("calling acquire()", self._pool.acquire))

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

    def client(self, kwargs):
        return self._client

    def release(self, client):
        pass

    def close(self):
        self._call("closing it", self._sdk.close, self._client)


def _kind(thing):
    return "nothing (None)" if thing is None else "an object of " + type(thing).__name__


def _takes_one(kind):
    try:
        parameters = list(inspect.signature(kind).parameters.values())
    except (TypeError, ValueError):
        return False
    return bool(parameters) and parameters[0].kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
