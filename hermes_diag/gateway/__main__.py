"""Entry of the worker: ``PYTHON .../hermes_diag/gateway --events FD [--spawn]``.

Run by path, never with -m: with our site-packages on its path a user's interpreter would load our
openai instead of its own. For the same reason this folder leaves sys.path at once, and the modules
are loaded as a package under a private name that nothing else can collide with.
"""

import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "_hermes_diag_gateway"


def load_package():
    """Make this folder importable as PACKAGE, so that `from . import x` works by path too."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE or not entry]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(HERE, "__init__.py"), submodule_search_locations=[HERE]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return importlib.import_module(PACKAGE + ".worker")


if __name__ == "__main__":
    sys.exit(load_package().main(sys.argv[1:]))
