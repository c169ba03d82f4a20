"""No way out: code under test may reach loopback addresses only.

Somebody else's code runs with our provider in place of the real endpoint; a client that forgot its
base_url would send a real key to the real place. An audit hook sees every connect of every library.
"""

import ipaddress
import sys


class NonLoopbackRefused(PermissionError):
    """The code under test tried to leave the machine."""


def to_loopback():
    """From now on a connect, a datagram or a look-up that would leave the machine raises. For good."""
    sys.addaudithook(_hook)


def _hook(event, args):
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        # A path of a unix socket, or a netlink address, goes nowhere.
        if isinstance(address, tuple) and isinstance(address[0], str) and not _is_here(address[0]):
            raise NonLoopbackRefused("not a loopback address")
    elif event == "socket.getaddrinfo" and args[0] is not None and not _is_here(args[0]):
        raise NonLoopbackRefused("a name that is not localhost")


def _is_here(host):
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host.lower() in ("", "localhost", "localhost.localdomain"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified
