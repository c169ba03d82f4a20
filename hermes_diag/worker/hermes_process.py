"""What is changed around the real Hermes in its process: an empty home, its environment, its waits between retries."""

import collections
import importlib
import importlib.util
import inspect
import json
import os
import re
import sys
import threading
import time
import traceback

from . import supervised
from .contract import Failed

#: What is left of the user's environment: nothing that names a key, a home or an endpoint.
_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_WATCHDOGS = (
    "HERMES_CODEX_TTFB_TIMEOUT_SECONDS",
    "HERMES_CODEX_EVENT_STALE_TIMEOUT_SECONDS",
    "HERMES_API_CALL_STALE_TIMEOUT",
    "HERMES_STREAM_STALE_TIMEOUT",
    "HERMES_STREAM_READ_TIMEOUT",  # of chat; for a provider on loopback it would be half an hour
)

#: Modules that have left run_agent since 0.15.0.
_OUTSOURCED = ("agent.conversation_loop", "agent.agent_runtime_helpers")
#: A stream is asked for once, also where it fell silent in the turns before.
_ONE_ATTEMPT = {"HERMES_STREAM_RETRIES": "0", "HERMES_STREAM_STALE_GIVEUP": "1000000"}
#: What is called or wrapped of AIAgent.
_METHODS = (
    "_create_openai_client", "_interruptible_api_call", "_interruptible_streaming_api_call", "run_conversation",
    "interrupt", "clear_interrupt", "close",
)  # fmt: skip
_QUIET = {"quiet_mode": True, "skip_context_files": True, "skip_memory": True, "enabled_toolsets": []}
#: The agent of each API; of a reasoning model Hermes would wait longer than its watchdog is told.
AGENTS = {
    "codex": dict(_QUIET, provider="openai-codex", api_mode="codex_responses", model="gpt-5"),
    "chat": dict(_QUIET, provider="custom", api_mode="chat_completions", model="gpt-4o"),
    "anthropic": dict(_QUIET, provider="anthropic", api_mode="anthropic_messages", model="claude-sonnet-4-5"),
}
#: The parameters that are given by name.
_PARAMETERS = {
    "__init__": ("api_key", "base_url", *AGENTS["codex"]),
    "_create_openai_client": ("client_kwargs", "reason", "shared"),
}


def use_empty_home(settings, config):
    """Make the empty folder our home, before Hermes is imported: its modules read the environment when imported.

    config: what its config.yaml says besides what is always there.
    """
    home = settings["home"]
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(kept, HOME=home, HERMES_HOME=home, TMPDIR=home)
    if "watchdog" in settings:
        os.environ.update(dict.fromkeys(_WATCHDOGS, "%g" % settings["watchdog"]))
    # A title is one more request of a thread that nobody asked for, in the midst of what is counted.
    config = dict(config, auxiliary={"title_generation": {"enabled": False}})
    if "retries" in settings:
        config["agent"] = {"api_max_retries": settings["retries"]}
        os.environ.update(_ONE_ATTEMPT)
    with open(os.path.join(home, "config.yaml"), "w") as file:
        json.dump(config, file)  # JSON is YAML
    os.chdir(home)


class Importing(supervised.SupervisedCall):
    """Around the import of Hermes Agent: how long it takes says nothing of its clients, so that it is never a hang."""

    def __init__(self, channel, settings):
        super().__init__(channel, "importing Hermes Agent", passes=True)
        self.patience = settings.get("patience", supervised.IMPORT_PATIENCE)

    def _hangs(self, thread, seconds):
        at = supervised.frames(traceback.extract_stack(sys._current_frames().get(thread)))
        self._channel.give_up(
            Failed("still importing Hermes Agent after %.0f s, at %s" % (seconds, ", ".join(at) or "its start"), ())
        )


class _ShortSleep:
    """The time module, with a sleep of at most so many seconds."""

    def __init__(self, longest):
        self._longest = longest

    def __getattr__(self, name):
        return getattr(time, name)

    def sleep(self, seconds):
        time.sleep(min(seconds, self._longest))


def cut_waits(longest):
    """Cut the waits of Hermes between retries, which are seconds to minutes: nothing but the time depends on them."""
    for module in _loops():
        for backoff in ("jittered_backoff", "adaptive_rate_limit_backoff"):
            if hasattr(module, backoff):
                setattr(module, backoff, _shortened(getattr(module, backoff), longest))
    _loops()[-1].time = _ShortSleep(longest)


def _loops():
    """The modules with Hermes's retry loop, and last the one that rebuilds a client after it. Up to 0.14.0 both are in
    run_agent."""
    found = [name for name in ("run_agent", *_OUTSOURCED) if importlib.util.find_spec(name)]
    return [importlib.import_module(name) for name in found]


def unlike(kind):
    """What the driver relies on and this AIAgent does not have, as one text; "" when all is there."""
    methods = [name for name in _METHODS if not callable(getattr(kind, name, None))]
    missing = ["AIAgent has no " + ", ".join(methods)] if methods else []
    for name, parameters in _PARAMETERS.items():
        takes = {} if name in methods else inspect.signature(getattr(kind, name)).parameters
        unknown = [one for one in parameters if takes and one not in takes]
        if unknown and not any(one.kind is one.VAR_KEYWORD for one in takes.values()):
            missing.append("its %s takes no %s" % (name, ", ".join(unknown)))
    return "; ".join(missing)


def thread_names():
    """How many threads have which name; numbers in names, which tell one from the next, are left out."""
    return collections.Counter(
        re.sub("[0-9]+", "N", one.name)[:60] for one in threading.enumerate() if one.name.isprintable()
    )


def _shortened(backoff, longest):
    def shortened(*args, **named):
        wait = backoff(*args, **named)
        return (min(wait[0], longest), *wait[1:]) if isinstance(wait, tuple) else min(wait, longest)

    return shortened
