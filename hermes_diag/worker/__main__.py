"""Entry of the worker: ``PYTHON .../hermes_diag/worker --lane=TALK,STDERR... [--spawn]``.

Run by path, never with -m: with our site-packages on its path a user's interpreter would load our
openai instead of its own. For the same reason this folder leaves sys.path at once, and the modules
are loaded as a package under a private name that nothing else can collide with.

This file alone must be readable by any Python, 2.7 too: it says that a Python is too old, and imports
nothing newer before it has looked.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "_hermes_diag_worker"
OLDEST = (3, 9)


def load_package():
    """Make this folder importable as PACKAGE, so that `from . import x` works by path too."""
    import importlib.util

    sys.path[:] = [entry for entry in sys.path if not entry or os.path.abspath(entry) != HERE]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(HERE, "__init__.py"), submodule_search_locations=[HERE]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return importlib.import_module(PACKAGE + ".lanes")


def decline(arguments):
    """Tell the host on every lane that this Python is too old, in the words of contract.Unfit."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    least = ".".join(str(part) for part in OLDEST)
    line = '{"event": "unfit", "what": "Python", "found": "%s", "least": "%s"}\n' % (found, least)
    for argument in arguments:
        if argument.startswith("--lane="):
            os.write(int(argument[len("--lane=") :].split(",")[0]), line.encode("ascii"))
    return 3


if __name__ == "__main__":
    sys.exit(load_package().main(sys.argv[1:]) if sys.version_info >= OLDEST else decline(sys.argv[1:]))
