"""The client waits as long as it says; another timeout than the SDK's is a choice."""

from hermes_diag.judge.promises import Audited, Verdict, chosen, failed, passed

CODE, ORDER = "default-timeout", 5
PROMISE = "a client waits as long as it says"
WHY = "a shorter read timeout cuts long reasoning off; a longer or missing one waits for ever"
FIX = "pass no timeout, or timeout=openai.DEFAULT_TIMEOUT, and change none in a hook or transport"
REFERENCE = "#11072"

#: What the other timeouts are for.
_WAITS = {
    "connect": "until it is connected",
    "write": "until a part of it is taken",
    "pool": "for a free connection",
}


def check(audited: Audited) -> Verdict:
    timeouts, stall = audited.facts["timeouts"], audited.facts.get("stall")
    own, http, default = timeouts["client"], timeouts["http_client"], timeouts["default"]
    wire = _wire(stall) if stall else ""
    wanted, asked = audited.expected.timeout, audited.facts["asked"]
    if wanted is not None:
        real, late = asked if asked is not None else own["read"], 0.1
        if stall and stall["gave_up_after"] is not None:  # the wire decides; a busy machine notices a timeout late
            real, late = stall["gave_up_after"], 0.5
        met = real is not None and wanted - max(1, 0.1 * wanted) <= real <= wanted + max(1, late * wanted)
        return passed(f"read {_s(real)}, as expected") if met else failed(f"read {_s(real)}, expected {_s(wanted)}")
    if asked is not None and own["read"] is not None and abs(asked - own["read"]) > 1:
        return failed(f"read {_s(own['read'])}, but of its sockets it asks {asked} s at most{wire}")
    text = f"read {_s(own['read'])}, connect {_s(own['connect'])}"
    if stall and stall["gave_up_after"] is not None and not _by_its_own(own["read"], stall):
        return failed(text + wire)
    other = {name: seconds for name, seconds in own.items() if seconds != default[name]}
    if other:
        words = ", ".join(f"{name} {_s(seconds)} instead of {_s(default[name])}" for name, seconds in other.items())
        name = "read" if "read" in other else next(iter(other))
        return chosen(audited, words, _consequence(name, own[name], default["read"]) + wire)
    if http["read"] != own["read"]:
        text += f"; the http_client's own {_s(http['read'])} do not count"
    return passed(text + wire)


def _by_its_own(read: float | None, stall: dict[str, float | None]) -> bool:
    """Whether it gave up no earlier than it says."""
    gave_up = stall["gave_up_after"]
    return read is not None and gave_up is not None and gave_up >= read * 0.9


def _consequence(name: str, seconds: float | None, default: float | None) -> str:
    """What follows from that timeout; default: the SDK's own of a read."""
    if name != "read":
        return f"a request waits {'for ever' if seconds is None else _s(seconds)} {_WAITS[name]}"
    if seconds is None:
        return "a turn whose provider falls silent waits for ever"
    if default is None or seconds < default:
        return f"a turn whose provider is silent for longer than {_s(seconds)} is given up"
    return f"a turn whose provider falls silent is given up after {_s(seconds)} only"


def _wire(stall: dict[str, float | None]) -> str:
    gave_up = stall["gave_up_after"]
    told = f"gave up after about {gave_up:.0f} s" if gave_up is not None else "was waited for"
    return f"; on the wire a first byte stalled for {stall['stalled']:g} s {told} (scaled clock)"


def _s(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:g} s"
