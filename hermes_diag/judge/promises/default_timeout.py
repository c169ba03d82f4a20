"""The SDK's default timeout holds, whatever the http_client says."""

from hermes_diag.judge.promises import Audited, Verdict, failed, passed

CODE, ORDER = "default-timeout", 5
PROMISE = "the client keeps the SDK's default timeout"
WHY = "a shorter read timeout cuts long reasoning off; a longer or missing one waits for ever"
REFERENCE = "#11072"


def check(audited: Audited) -> Verdict:
    timeouts, stall = audited.facts["timeouts"], audited.facts.get("stall")
    own, http, default = timeouts["client"], timeouts["http_client"], timeouts["default"]
    wire = _wire(stall) if stall else ""
    other = {name: seconds for name, seconds in own.items() if seconds != default[name]}
    if other:
        words = ", ".join(f"{name} {_s(seconds)} instead of {_s(default[name])}" for name, seconds in other.items())
        return failed(words + wire)
    asked = audited.facts["asked"]
    if asked is not None and own["read"] is not None and abs(asked - own["read"]) > 1:
        return failed(f"read {_s(own['read'])}, but of its sockets it asks {asked} s at most{wire}")
    text = f"read {_s(own['read'])}, connect {_s(own['connect'])}"
    if http["read"] != own["read"]:
        text += f"; the http_client's own {_s(http['read'])} do not count"
    if stall and stall["gave_up_after"] is not None:
        return failed(text + wire)
    return passed(text + wire)


def _wire(stall: dict[str, float | None]) -> str:
    gave_up = stall["gave_up_after"]
    told = f"gave up after about {gave_up:.0f} s" if gave_up is not None else "was waited for"
    return f"; on the wire a first byte stalled for {stall['stalled']:g} s {told} (scaled clock)"


def _s(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:g} s"
