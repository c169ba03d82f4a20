"""Loaded by Python at its start from PYTHONPATH: begins to record, then hands on to the sitecustomize of the machine or
of the user, which runs as it would without us."""

import sys


def _hand_on():
    """Run the next sitecustomize on sys.path, as `site` would: its errors are its own."""
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # noqa: F401
    except ImportError as exc:
        if getattr(exc, "name", "sitecustomize") != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = ours


def _begin(folder):
    if sys.version_info < (3, 9):
        release = ".".join(map(str, sys.version_info[:2]))
        sys.stderr.write("hermes-diag: nothing is recorded in Python %s, it takes 3.9 or newer\n" % release)
        return
    try:
        import hermes_diag_recorder

        # Nobody else needs the module, and one that stays in sys.modules is emptied while Python ends.
        del sys.modules["hermes_diag_recorder"]
        hermes_diag_recorder.begin(folder)
    except Exception as exc:  # whatever it is, the program runs as if we were not there
        what = getattr(exc, "strerror", None) or exc
        place = "%s: " % exc.filename if getattr(exc, "filename", None) else ""
        cure = "set HERMES_DIAG_BOXES to a folder of your own" if isinstance(exc, OSError) else type(exc).__name__
        said = "nothing is recorded: %s%s (%s)" % (place, what, cure)
        # A folder may be called what a terminal would obey.
        sys.stderr.write("hermes-diag: %s\n" % "".join(one if one.isprintable() else "?" for one in said))


if __name__ == "sitecustomize":
    _folder = __file__.rpartition("/")[0]
    _begin(_folder)
    # The program sees the sys.path that it would have without us. Its children inherit PYTHONPATH.
    sys.path[:] = [one for one in sys.path if one != _folder]
    sys.path_importer_cache.pop(_folder, None)
    _hand_on()
