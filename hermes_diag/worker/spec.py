"""What a SPEC (`package.module:name` or `folder/file.py:name`) names: importing it, and where it is defined."""

import ast
import contextlib
import functools
import importlib
import importlib.util
import inspect
import os
import sys

from .supervised import Broken


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


def defined_at(thing, foreign=(), spec=""):
    """File (relative to the working folder) and line at which a subject is defined. An object, or a class of the
    SDK, has no line of its own: taken is the line where the module of the spec assigns the name."""
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
