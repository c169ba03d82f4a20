"""A factory that leaves a thread behind for each client, from the third release of something on."""

from __future__ import annotations

import os
import threading
from typing import Any

import openai

RELEASE = int(os.environ.get("RELEASE", "0"))


def make(client_kwargs: dict[str, Any]) -> openai.OpenAI:
    if RELEASE >= 3:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    return openai.OpenAI(**client_kwargs)
