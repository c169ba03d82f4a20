"""What Python and asyncio say by themselves of exceptions that we tell otherwise: nothing but our words is printed."""

from __future__ import annotations

import logging
import os
import threading


def begin() -> None:
    """From now on they say nothing, unless HERMES_DIAG_DEBUG is set. For the program, not for the API."""
    if not os.environ.get("HERMES_DIAG_DEBUG"):
        logging.lastResort = logging.NullHandler()  # who has set up logging gets all
        threading.excepthook = lambda args: None
