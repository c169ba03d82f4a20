"""Addresses for people, and the filters `--remote` and `--state`. Pure: nothing is looked up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from hermes_diag.core.errors import UsageError
from hermes_diag.core.sockets import SocketRow, bracketed
from hermes_diag.core.text import quoted

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

Address = tuple[str, int]

STATES = (
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
)

_SHAPES = "write ADDRESS, ADDRESS:PORT, [IPv6], [IPv6]:PORT or a network such as 10.0.0.0/8"


def plain(ip: str) -> str:
    """An IPv4-mapped address as the IPv4 address it stands for: to a leak they are the same remote."""
    return ip[7:] if ip.startswith("::ffff:") and "." in ip else ip


def text(address: Address) -> str:
    """`127.0.0.1:80`, `[::1]:80`."""
    ip = plain(address[0])
    return f"{bracketed(ip)}:{address[1]}"


def of(row: SocketRow, listening: Collection[int]) -> str:
    """The group of a socket: the remote endpoint, or, of a port that the process serves, its
    clients together (each has a port of its own, so that one by one they would say nothing)."""
    if row.state == "LISTEN":
        return f"listening on {text(row.local)}"
    return f"clients of :{row.local[1]}" if row.local[1] in listening else text(row.remote)


def state_named(name: str) -> str | None:
    """A state as users write it (close-wait, CLOSE_WAIT, closewait), if there is one."""
    letters = name.upper().replace("-", "").replace("_", "")
    return "CLOSE" if letters == "CLOSED" else next((one for one in STATES if one.replace("_", "") == letters), None)


def states(wanted: Iterable[str]) -> tuple[str, ...]:
    """The states of that names, each once. Raises UsageError."""
    found = []
    for one in wanted:
        name = state_named(one)
        if name is None:
            raise UsageError(f"--state {quoted(one)}: there is no such TCP state", f"one of {', '.join(STATES)}")
        found.append(name)
    return tuple(dict.fromkeys(found))


def remotes(wanted: Iterable[str], resolve: Callable[[str], list[str]] | None = None) -> Callable[[SocketRow], bool]:
    """A test whether a socket goes to one of HOST[:PORT] or CIDR; nothing wanted: all do.

    resolve: turns a host name into addresses; without it names are refused. Raises UsageError.
    """
    tests = [test for one in wanted for test in _tests(one, resolve)]
    if not tests:
        return lambda row: True
    return lambda row: any(test(row.remote) for test in tests)


def _tests(wanted: str, resolve: Callable[[str], list[str]] | None) -> list[Callable[[Address], bool]]:
    import ipaddress  # takes time to import

    host, port = _split(wanted)
    try:
        networks = [ipaddress.ip_network(host, strict=False)]
    except ValueError:
        if "/" in host:
            raise UsageError(
                f"--remote {quoted(wanted)}: no network", "write it as 10.0.0.0/8 or 2001:db8::/32"
            ) from None
        if ":" in host:
            raise UsageError(f"--remote {quoted(wanted)}: no address", _SHAPES) from None
        if resolve is None:
            raise UsageError(
                f"--remote {quoted(wanted)}: {quoted(host)} is a name, and a look sends no packet to look it up",
                "give an address or a network, or add --set resolve=on to look names up",
            ) from None
        networks = [ipaddress.ip_network(address) for address in resolve(host)]

    def test_for(network: IPv4Network | IPv6Network) -> Callable[[Address], bool]:
        cache: dict[str, bool] = {}

        def test(remote: Address) -> bool:
            ip = plain(remote[0])
            if ip not in cache:
                if len(cache) > 4096:
                    cache.clear()
                cache[ip] = ipaddress.ip_address(ip.partition("%")[0]) in network if ip else False
            return cache[ip] and port in (None, remote[1])

        return test

    return [test_for(_unmapped(network)) for network in networks]


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """An IPv4-mapped network (within ::ffff:0:0/96) as the IPv4 one it stands for, as `plain` does it."""
    import ipaddress

    inside = network.network_address
    if network.prefixlen < 96 or not isinstance(inside, ipaddress.IPv6Address) or inside.ipv4_mapped is None:
        return network
    return ipaddress.ip_network(f"{inside.ipv4_mapped}/{network.prefixlen - 96}")


def _split(wanted: str) -> tuple[str, int | None]:
    """HOST and PORT; an IPv6 address with a port is written [ADDRESS]:PORT."""
    if wanted.startswith("["):
        host, closed, rest = wanted[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if not closed or colon not in ("", ":"):
            raise UsageError(f"--remote {quoted(wanted)}: no address", _SHAPES)
    elif wanted.count(":") == 1:
        host, colon, port = wanted.partition(":")
    else:
        host, colon, port = wanted, "", ""
        _refuse_ambiguous(wanted)
    if not host:
        raise UsageError(f"--remote {quoted(wanted)}: no address", _SHAPES)
    host = host.partition("%")[0] if ":" in host else host  # a table of sockets has no scopes
    if not colon:
        return host, None
    if not port.isascii() or not port.isdigit() or len(port) > 5 or not 0 < int(port) < 65536:
        raise UsageError(f"--remote {quoted(wanted)}: {quoted(port)} is no port", "a port is a number from 1 to 65535")
    return host, int(port)


def _refuse_ambiguous(wanted: str) -> None:
    """`::1:80` is an address, and surely meant as `[::1]:80` by some. Raises UsageError."""
    import ipaddress

    head, _, tail = wanted.rpartition(":")
    try:
        ipaddress.IPv6Address(head)
    except ValueError:
        return
    if tail.isascii() and tail.isdigit():
        raise UsageError(
            f"--remote {quoted(wanted)}: is {quoted(tail)} a port or the end of the address?",
            f"write [{head}]:{tail} or [{wanted}]",
        )
