"""What each promise makes of what an audit saw: statuses and sentences, of cases that differ in a fact from a client
that keeps all. They are kept in tests/golden/promises.txt (golden_text.py writes it anew)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import golden_text
from changed_evidence import look
from conftest import GOLDEN
from test_expectations import SECONDS, USUAL
from test_expectations import SOCKET as ON

from hermes_diag.core.evidence import Sample
from hermes_diag.judge import expectations, promises
from hermes_diag.judge.promises import Audited

SOCKET = {**ON, "keepalive": False}
GOES_ON: dict[str, list[str]] = {"before": [], "after": []}
FACTS: dict[str, Any] = {
    **USUAL,
    "sockets": [SOCKET],
    "stall": None,
    "mutation": {"added": [], "changed": []},
    "sharing": {"clients": 2, "client": False, "http_client": False, "transport": False, "pool": False, "mount": False},
    "sharing_turns": ["0/0/1", "1/0/1"],
    "closed_again": {"client": False, "http_client": False},
    "idle_close": GOES_ON,
    "stream_close": GOES_ON,
    "first_turn": [],
    "closed_twice": "",
    "failed": [],
}
SEEN: dict[str, Any] = {
    "looks": {name: look() for name in ("before", "closed", "failed", "dropped", "collected", "end")},
    "sent": {"0/1/1": 1},
    "connection": {"0/0/1": 1, "1/0/1": 2},
    "through_proxy": 1,
    "despite_no_proxy": 0,
    "proxy_turn": (),
    "direct_turn": ("openai.APIConnectionError", "ssl.SSLCertVerificationError"),
    "carried": frozenset({7}),
}


def own(**changed: float | None) -> dict[str, Any]:
    return {"timeouts": {**FACTS["timeouts"], "client": {**SECONDS, **changed}}}


def pools(*limits: tuple[int | None, int | None], where: str = "mount", asked: bool = False) -> dict[str, Any]:
    made = [
        {"where": where, "max_connections": most, "max_keepalive": kept, "keepalive_asked": asked}
        for most, kept in limits
    ]
    return {"pools": made}


def stalled(gave_up: float | None, seconds: float = 900) -> dict[str, Any]:
    return {"stall": {"stalled": seconds, "gave_up_after": gave_up}}


def sharing(*what: str) -> dict[str, Any]:
    return {"sharing": {**FACTS["sharing"], **dict.fromkeys(what, True)}}


def looks(**changed: Sample) -> dict[str, Any]:
    return {"looks": {**SEEN["looks"], **changed}}


def kind(name: str) -> dict[str, Any]:
    return {"subject": {"kind": name, "client": "OpenAI", "async": False}}


GONE = object()
NOTHING = dict.fromkeys(FACTS.keys() - {"subject"}, GONE)
CLOSED = {"closed_again": {"client": True, "http_client": False}}
OWN = {"http": {"trust_env": True, "own_proxy": True}}
BROKE = {"before": [], "after": ["httpx.ReadError", "OSError"]}
BROKEN = {"before": ["RuntimeError", "OSError"], "after": ["RuntimeError"]}
REFUSED = ("openai.APIConnectionError", "ssl.SSLCertVerificationError")
LEAK = look(fds=12, CLOSE_WAIT=3)

#: name -> (what is expected, what is otherwise)
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "a pool": ("", kind("pool")),
    "a strategy of ours": ("", kind("strategy")),
    "one client for all": ("", kind("instance")),
    "nothing seen": ("", NOTHING),
    "what could not be tried": ("", {"untried": ["it hangs", "it hangs", "it raised"], **NOTHING}),
    # timeouts
    "a shorter read timeout": ("", own(read=60.0) | {"asked": 60}),
    "a shorter read timeout, the SDK's expected": ("sdk-defaults", own(read=60.0) | {"asked": 60}),
    "a longer read timeout": ("", own(read=900.0) | {"asked": 900}),
    "no read timeout": ("", own(read=None) | {"asked": None}),
    "another connect timeout": ("", own(connect=50.0)), "no pool timeout": ("", own(pool=None)),
    "another connect and read timeout": ("", own(connect=50.0, read=60.0) | {"asked": 60}),
    "its sockets are asked for less": ("", {"asked": 20}),
    "its sockets are asked for a second less": ("", {"asked": 599}),
    "its sockets are asked for two seconds less": ("", {"asked": 598}),
    "nothing is known of its sockets": ("", {"asked": None}),
    "it gave up on the wire as it says": ("", stalled(600.0)),
    "it gave up a little early": ("", stalled(540.0)),
    "it gave up too early": ("", stalled(539.0)),
    "it gave up and has no timeout": ("", stalled(30.0) | own(read=None)),
    "it waited": ("", stalled(None)),
    "the http_client has another": ("", {"timeouts": {**FACTS["timeouts"], "http_client": {**SECONDS, "read": None}}}),
    "a timeout as expected": ("timeout=60s", {"asked": 60}),
    "a timeout within a tenth": ("timeout=100s", {"asked": 110}),
    "a timeout beyond a tenth": ("timeout=100s", {"asked": 111}),
    "a timeout below a tenth": ("timeout=100s", {"asked": 90}),
    "a timeout too far below": ("timeout=100s", {"asked": 89}),
    "a small timeout within a second": ("timeout=2s", {"asked": 3}),
    "a small timeout two seconds off": ("timeout=2s", {"asked": 4}),
    "an expected timeout of which only the client tells": ("timeout=600s", {"asked": None}),
    "the wire notices an expected timeout late": ("timeout=100s", stalled(150.0)),
    "the wire notices another timeout": ("timeout=100s", stalled(151.0)),
    "an expected timeout that there is not": ("timeout=100s", {"asked": None} | own(read=None)),
    # limits
    "no pool": ("", {"pools": []}),
    "limits of httpx": ("", pools((1000, 100), (100, 20))),
    "a pool of ten": ("", pools((10, 5))),
    "pools of eleven and one": ("", pools((11, 5), (1, 1), where="transport")),
    "a pool of 20": ("", pools((20, None))), "a pool of 21": ("", pools((21, 5))), "a pool of 22": ("", pools((22, 5))),
    "a pool of 110": ("", pools((110, 5))),
    "a pool of 111": ("", pools((111, 5))), "a pool of 112": ("", pools((112, 5))),
    "a pool of any number": ("", pools((None, None))),
    "few kept alive": ("", pools((None, 5))),
    "few kept alive of as many": ("", pools((1000, 99))),
    "a pool of 999": ("", pools((999, 100))),
    "a pool of one, the SDK's expected": ("sdk-defaults", pools((1, 1))),
    "limits as expected": ("limits=7/3", pools((7, 3))),
    "connections as expected": ("limits=7", pools((7, 99))),
    "limits not as expected": ("limits=7/3", pools((7, 3), (7, None))),
    # sockets
    "keepalive": ("", {"sockets": [ON]}),
    "keepalive as expected": ("keepalive=30/10/3", {"sockets": [ON, {**SOCKET, "port": 8}]}),
    "keepalive with other times": ("keepalive=30/10/4", {"sockets": [ON]}),
    "keepalive on one of two": ("keepalive=30", {"sockets": [ON, {**SOCKET, "port": 8}], "carried": frozenset({7, 8})}),
    "keepalive asked for and off": ("", pools((1000, 100), asked=True)),
    "keepalive asked for and no socket": ("", pools((1000, 100), asked=True) | {"carried": frozenset()}),
    "keepalive expected and no socket": ("keepalive=30", {"sockets": []}),
    "a socket that delays": ("", {"sockets": [ON, {**ON, "nodelay": False, "port": 8}], "carried": frozenset({7, 8})}),
    # sharing and closing
    "a shared transport": ("", sharing("transport", "pool")),
    "a shared client that a close breaks": ("", sharing("client") | {"idle_close": BROKE}),
    "a shared pool, separate ones expected": ("separate", sharing("pool")),
    "a shared mount, the SDK's expected": ("sdk-defaults", sharing("mount")),
    "turns over one connection": ("", {"connection": {"0/0/1": 1, "1/0/1": 1}}),
    "a turn that was not seen": ("", {"sharing_turns": ["0/0/1"]}),
    "handed out closed": ("", CLOSED),
    "handed out with a closed http_client": ("", {"closed_again": {"client": True, "http_client": True}}),
    "an idle client breaks": ("", {"idle_close": BROKE}),
    "a stream breaks": ("", {"stream_close": BROKE}),
    "both break": ("", {"idle_close": BROKE, "stream_close": BROKE}),
    "it fails before another is closed": ("", {"idle_close": BROKEN}),
    "both fail once another is handed out": ("", {"idle_close": BROKEN, "stream_close": BROKEN}),
    "they never work": ("", {"idle_close": BROKEN, "stream_close": BROKEN} | CLOSED),
    "a first turn that fails": ("", {"first_turn": ["RuntimeError"]}),
    "one place": ("", {"places": 1}), "two places": ("", {"places": 2, "idle_close": BROKE}),
    "a second close that raises": ("", {"closed_twice": "RuntimeError"}),
    "sockets left": ("", looks(closed=LEAK, failed=LEAK, end=look(ESTABLISHED=1))),
    "sockets left by dropped clients until they are collected": ("", looks(dropped=LEAK)),
    "sockets left of a pool": ("", kind("pool") | looks(end=look(ESTABLISHED=1, TIME_WAIT=4))),
    "more sockets left of a pool": ("", kind("pool") | looks(end=look(ESTABLISHED=2))),
    "a pool whose sockets end": ("", kind("pool") | looks(end=look(TIME_WAIT=4))),
    "sockets left by failing turns": ("", looks(failed=LEAK)),
    "sockets left by dropped clients": ("", looks(collected=LEAK)),
    "a turn that failed": ("", {"failed": ["RuntimeError", "OSError"]}),
    "a turn of a pool that failed": ("", kind("pool") | {"failed": ["RuntimeError", "OSError"]}),
    "kwargs changed": ("", {"mutation": {"added": ["http_client", "timeout"], "changed": ["api_key"]}}),
    # retries
    "two retries": ("", {"max_retries": 2}), "two retries, expected": ("retries=2", {"max_retries": 2}),
    "none, and two expected": ("retries=2", {}), "retries of a pool": ("", kind("pool") | {"max_retries": 2}),
    "no retries, and yet sent twice": ("", {"sent": {"0/1/1": 2}}), "not sent": ("", {"sent": {}}),
    # proxies and authorities
    "no run with a proxy": ("", {"through_proxy": None}),
    "no connection through a proxy": ("", {"through_proxy": 0}),
    "its turn failed before": ("", {"through_proxy": 0, "proxy_turn": ("RuntimeError", "OSError")}),
    "it went past the proxy": ("", {"through_proxy": 0, "proxy_turn": REFUSED}),
    "it trusts no environment": ("", {"through_proxy": 0, "http": {"trust_env": False, "own_proxy": False}}),
    "a proxy of its own": ("", OWN | {"proxy_given": True, "despite_no_proxy": 1}),
    "a proxy of its own as expected": ("proxy=own", OWN),
    "a proxy of the environment, its own expected": ("proxy=own", {}),
    "no proxy, the environment's expected": ("proxy=environment", {"through_proxy": 0}),
    "the proxy in spite of NO_PROXY": ("", {"despite_no_proxy": 1}),
    "no run with NO_PROXY": ("", {"despite_no_proxy": None}),
    "no run over TLS": ("", {"proxy_turn": None}), "no run with an unnamed authority": ("", {"direct_turn": None}),
    "everybody is trusted": ("", {"direct_turn": ()}),
    "the named authority is refused": ("", {"proxy_turn": REFUSED}),
    "the named authority is refused, the SDK's expected": ("sdk-defaults", {"proxy_turn": REFUSED}),
    "over TLS it fails otherwise": ("", {"proxy_turn": ("RuntimeError", "OSError")}),
    "without the authority it fails otherwise": ("", {"direct_turn": ("RuntimeError", "OSError")}),
}  # fmt: skip


def told(expect: str, changed: dict[str, Any]) -> dict[str, str]:
    """What each promise says."""
    names = {field.name for field in fields(Audited)}
    facts = {name: one for name, one in {**FACTS, **changed}.items() if name not in names and one is not GONE}
    seen = {**SEEN, **{name: value for name, value in changed.items() if name in names}}
    audited = Audited(facts, **seen, expected=expectations.parse(expect.split()))
    verdicts = {module.CODE: promises.check(module, audited) for module in promises.modules()}
    return {code: f"{one.status.value}: {one.seen}" for code, one in verdicts.items()}


def test_what_is_said_of_each() -> None:
    """Of each case what differs from a client that keeps all its promises."""
    usual = told("", {})
    text = "".join(f"{code}: {said}\n" for code, said in usual.items())
    for name, (expect, changed) in CASES.items():
        text += f"\n# {name}\n"
        text += "".join(f"{code}: {said}\n" for code, said in told(expect, changed).items() if said != usual[code])
    golden_text.same(GOLDEN / "promises.txt", text)
