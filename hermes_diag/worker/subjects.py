"""What is put to the test: whoever hands out clients. Four kinds, one shape.

strategy   one of ours (strategies/): create_client(sdk, client_kwargs)
factory    the user's: callable(client_kwargs) that returns a client; or a class of clients
pool       the user's: acquire(), release(client), close(); a class of such is called without arguments,
           or with client_kwargs if it takes some
instance   the user's: one OpenAI or AsyncOpenAI for everything

Anything of the user's may be a coroutine function, and any client an AsyncOpenAI.
"""

import ast
import contextlib
import functools
import importlib
import importlib.util
import inspect
import os
import sys
import threading
import traceback

from . import event_loop
from .contract import Fact, Failed

#: Seconds that a call of the user's code may take before it counts as hanging.
PATIENCE = 10.0

#: What must put up with which arguments.
CALLED = {
    "calling the factory": "one argument, the dict client_kwargs",
    "making the pool": "client_kwargs if it takes an argument, else without",
    "calling acquire()": "no argument",
    "calling release()": "one argument, the client",
    "calling close()": "no argument",
}

HERE = os.path.dirname(os.path.abspath(__file__))


class Broken(Exception):
    """The user's code broke or is not what it should be. Holds what an event may say of it."""

    def __init__(self, error, frames=(), blame="factory"):
        super().__init__(error)
        self.failed = Failed(error, tuple(frames), blame)


def of(job, base_url, sdk, channel):
    """The subject of a job. Raises Broken."""
    spec = job.settings.get("factory")
    if spec is None:
        create = importlib.import_module("." + job.strategy, __package__ + ".strategies").create_client
        channel.send(Fact("defined", place(create)))
        return Strategy(sdk, create)
    thing = channel.thing if channel.thing is not None else _imported(spec, base_url, sdk, channel)
    channel.send(Fact("defined", place(thing, sdk.CLIENTS, spec)))
    if isinstance(thing, sdk.CLIENTS):
        return Instance(sdk, channel, base_url, thing)
    if hasattr(thing, "acquire") and hasattr(thing, "release"):
        kwargs = {"api_key": sdk.LOCAL_KEY, "base_url": base_url, "max_retries": 0}
        return Pool(sdk, channel, base_url, thing, kwargs)
    if not callable(thing):
        raise Broken("it is %s, neither callable nor a client" % _kind(thing))
    return Factory(sdk, channel, base_url, thing)


def _imported(spec, base_url, sdk, channel):
    """What the spec names, imported in this process, which is the subject's own. Raises Broken."""
    # A module-level client must find our provider when the module is imported.
    os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"] = base_url, sdk.LOCAL_KEY
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=channel.mute)  # a child that the user's code forks is not the worker
    with SupervisedCall(channel, "importing the factory"):
        return load(spec)


def load(spec):
    """The object that `package.module:name` or `folder/file.py:name` names. Raises whatever it raises."""
    target, _, name = spec.rpartition(":")
    if target.endswith(".py"):
        path = os.path.abspath(target)
        sys.path.insert(0, os.path.dirname(path))  # for its neighbours, as if it were run as a script
        stem = os.path.basename(path)[:-3]
        found = importlib.util.spec_from_file_location("_" + stem if stem in sys.modules else stem, path)
        thing = importlib.util.module_from_spec(found)
        sys.modules[found.name] = thing
        found.loader.exec_module(thing)
    else:
        sys.path.insert(0, os.getcwd())
        thing = _module(target)
    for part in name.split("."):
        if not hasattr(thing, part):
            raise Broken("there is no %s in %s" % (name, target), blame="spec")
        thing = getattr(thing, part)
    return thing


def _module(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if not (name + ".").startswith("%s." % exc.name):  # it is there, and misses another
            raise
    raise Broken("there is no module %s" % name, blame="spec")


def place(thing, foreign=(), spec=""):
    """File (seen from the working folder) and line at which a subject is defined. An object, or a class of the
    SDK's, has no line of its own: it is where the module of the spec gives it its name."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    thing = inspect.unwrap(thing)
    thing = getattr(thing, "__func__", thing)
    if inspect.isfunction(thing):
        return _at(thing.__code__.co_filename, thing.__code__.co_firstlineno)
    if inspect.isclass(thing) and thing not in foreign:
        with contextlib.suppress(OSError, TypeError):
            return _at(inspect.getsourcefile(thing), inspect.getsourcelines(thing)[1])
    target, _, name = spec.rpartition(":")
    try:
        path = target if target.endswith(".py") else sys.modules[target].__file__
        with open(path, "rb") as file:
            return _at(path, _binding(ast.parse(file.read()), name.partition(".")[0]))
    except (KeyError, AttributeError, TypeError, OSError, SyntaxError, ValueError):
        return None


def _at(path, line):
    return {"file": os.path.relpath(os.path.realpath(path), os.path.realpath(os.getcwd())), "line": line}


def _binding(tree, name):
    """The first line of a module at which the name is written to."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return node.lineno
    return None


class Strategy:
    """A client for each asking, closed when it is given back."""

    kind, makes, role = "strategy", True, "request"  # makes: a client for each asking

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
    """What the user's kinds have in common: calls are watched, and clients led to our provider."""

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


class SupervisedCall:
    """Around a call of the user's code: whatever it raises becomes Broken; a hang ends the process.

    `doing` names the call. A hang is told from a thread, with the frames of the one that hangs.
    """

    def __init__(self, channel, doing):
        self._channel = channel
        self._doing = doing

    def __enter__(self):
        self._pid = os.getpid()
        self._timer = threading.Timer(PATIENCE, self._hangs, [threading.get_ident()])
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, kind, exc, tb):
        if os.getpid() != self._pid:  # the user's code forked, and its child would now play worker
            os._exit(0)
        self._timer.cancel()
        if exc is None or isinstance(exc, Broken):
            return
        at = frames(traceback.extract_tb(tb))
        if isinstance(exc, SyntaxError) and exc.filename:
            at += ("%s:%d" % (_short(exc.filename), exc.lineno or 0),)
        # A TypeError that no line of theirs has raised is of the call itself.
        how = "" if at or not isinstance(exc, TypeError) else CALLED.get(self._doing, "")
        raise Broken("%s while %s%s" % (_chain(exc), self._doing, how and ": it is called with " + how), at) from None

    def _hangs(self, thread):
        stack = traceback.extract_stack(sys._current_frames().get(thread))
        error = "no return within %.0f s while %s" % (PATIENCE, self._doing)
        self._channel.give_up(Failed(error, frames(stack), "factory"))


def frames(stack):
    """The ends of a stack but for our part of it, `folder/file:line function`: no source line, no value."""
    theirs = [frame for frame in stack if not os.path.abspath(frame.filename).startswith(HERE)]
    theirs = [frame for frame in theirs if not frame.filename.startswith("<frozen")]
    return tuple("%s:%d %s" % (_short(frame.filename), frame.lineno or 0, frame.name) for frame in _ends(theirs))


def _ends(stack):
    return stack if len(stack) <= 4 else stack[:2] + stack[-2:]


def _chain(exc):
    """Classes of an exception and its causes; of a failed import also what was missing. No text of theirs."""
    names = []
    while exc is not None and len(names) < 3:
        missing = " of " + exc.name if isinstance(exc, ImportError) and exc.name else ""
        names.append(type(exc).__name__ + missing)
        exc = exc.__cause__ or exc.__context__
    return " <- ".join(names)


def _short(path):
    return "/".join(path.replace(os.sep, "/").split("/")[-2:])


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
