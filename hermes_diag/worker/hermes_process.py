"""What is changed around the real Hermes in its process: an empty home, its environment, its waits between retries."""

import importlib
import json
import os
import time

#: What is left of the user's environment: nothing that names a key, a home or an endpoint.
_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_WATCHDOGS = (
    "HERMES_CODEX_TTFB_TIMEOUT_SECONDS",
    "HERMES_CODEX_EVENT_STALE_TIMEOUT_SECONDS",
    "HERMES_API_CALL_STALE_TIMEOUT",
    "HERMES_STREAM_STALE_TIMEOUT",
)


def use_empty_home(settings):
    """Make the empty folder our home, before Hermes is imported: its modules read the environment when imported."""
    home = settings["home"]
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(kept, HOME=home, HERMES_HOME=home, TMPDIR=home)
    if "ca" in settings:
        os.environ["SSL_CERT_FILE"] = settings["ca"]
    if "watchdog" in settings:
        os.environ.update(dict.fromkeys(_WATCHDOGS, "%g" % settings["watchdog"]))
    if "retries" in settings:
        with open(os.path.join(home, "config.yaml"), "w") as file:
            json.dump({"agent": {"api_max_retries": settings["retries"]}}, file)  # JSON is YAML
    os.chdir(home)


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
    for name in ("run_agent", "agent.conversation_loop"):
        module = importlib.import_module(name)
        for backoff in ("jittered_backoff", "adaptive_rate_limit_backoff"):
            if hasattr(module, backoff):
                setattr(module, backoff, _shortened(getattr(module, backoff), longest))
    importlib.import_module("agent.agent_runtime_helpers").time = _ShortSleep(longest)


def _shortened(backoff, longest):
    def shortened(*args, **named):
        wait = backoff(*args, **named)
        return (min(wait[0], longest), *wait[1:]) if isinstance(wait, tuple) else min(wait, longest)

    return shortened
