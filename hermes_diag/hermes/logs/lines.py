"""The lines that Hermes writes about its clients, turns and restarts, found in chunks of bytes. Pure.

Of Hermes Agent 0.13.0 to 0.19.0 and of newer sources, as read in `hermes_logging.py`, `run_agent.py`,
`agent/agent_runtime_helpers.py`, `agent/conversation_loop.py`, `agent/turn_context.py`, `agent/turn_finalizer.py` and
`gateway/run.py`, and as real gateways wrote them.
"""

from __future__ import annotations

import re

#: Groups: 1 to the minute, 2 seconds, 3 milliseconds, 4 session, 5 logger; then those of one of the alternatives, of
#: which the last one that matched tells which it is (`match.lastindex`).
LINE = re.compile(
    rb"\n(.{16}):(\d\d),(\d\d\d) [A-Z]{1,9}(?: \[([^\]\n]{1,200})\])? ([\w.]{1,80}): (?:"
    # created (REASON, shared=BOOL) thread=NAME:IDENT provider=...
    # closed (REASON, shared=BOOL, tcp_force_closed=N) ...; aborted (..., deferred_close=stranger_thread) ...
    rb"(?:OpenAI|Anthropic(?: request)?|Gemini native|Gemini Cloud Code Assist|Copilot ACP|Ollama native)"
    rb" client (created|closed|aborted) \(([^,\n]{1,100}), shared=(True|False)"
    rb"(?:, tcp_force_closed=(\d{1,9}))?[^)\n]{0,60}\)(?: thread=([^\n]{0,200}?):(\d{1,20}) provider=| ()provider=)"
    rb"|API call #\d{1,9}: [^\n]{0,400}? latency=(\d{1,7}\.\d)s"
    rb"|API call failed \(attempt \d{1,6}/\d{1,6}\) error_type=(\S{1,80})"
    rb"|Retrying API call in ([\d.]{1,30})s \(attempt \d{1,6}/"
    rb"|(?:\[[^\]\n]{0,60}\] ?)?API call failed (after) \d{1,6} retries\."
    rb"|conversation turn: session=([^\s]{1,200})"
    rb"|Turn ended: reason=(\w{1,60})"
    rb"|(Starting) [^\n]{1,60} Gateway\.\.\."
    rb"|Gateway (stopped) \(total)"
)
VERB, REASON, SHARED, FORCED, THREAD, IDENT, NO_THREAD = range(6, 13)
LATENCY, FAILED, RETRY, GAVE_UP, TURN, ENDED, START, STOP = range(13, 21)

#: Which releases write "conversation turn" under that logger.
RELEASES = {
    b"run_agent": "0.13 or 0.14",
    b"agent.conversation_loop": "0.15 or 0.16",
    b"agent.turn_context": "0.17 or newer",
}
