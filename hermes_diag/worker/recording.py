"""Has the recorder of `hermes-diag trace` write down, in the process of a job, which line opens what.

The recorder is a file of the host's, loaded by its path: it is plain Python, and imports nothing.
"""

import os
from importlib.machinery import SourceFileLoader


def begin(asked):
    """asked: None, or the recorder's file and the folder in which it writes. Our own lines are no lines of the code on
    trial."""
    if asked:
        loader = SourceFileLoader("hermes_diag_recorder", asked["recorder"])
        recorder = type(os)(loader.name)
        recorder.__file__ = asked["recorder"]
        loader.exec_module(recorder)
        recorder.begin("", asked["boxes"], os.path.dirname(os.path.abspath(__file__)))
