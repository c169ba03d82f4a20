"""A fence around code that may dial out: only loopback, and no programs.

An audit hook sees every connect, lookup and program start before it happens, whichever library asks, and
refuses by raising. It cannot be taken off again, which is the point; what was refused is counted.
"""

import errno
import ipaddress
import os
import socket
import sys

#: Lookups whose first argument is a name; connects and datagrams whose second is an address.
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_PROGRAMS = ("subprocess.Popen", "os.posix_spawn", "os.system", "os.exec", "os.fork", "os.forkpty", "pty.spawn")


class Fence:
    """Counts of what was refused, by kind. It stands from its making until the process ends."""

    def __init__(self):
        self.connections = self.lookups = self.programs = 0
        sys.addaudithook(self._hook)

    def _hook(self, event, args):
        if event in _SENDS:
            if not _is_here(args[1]):
                self.connections += 1
                raise ConnectionRefusedError(errno.ECONNREFUSED, "hermes-diag: only loopback may be reached")
        elif event in _LOOKUPS:
            if args[0] is not None and not _is_loopback(args[0]):
                self.lookups += 1
                raise socket.gaierror(socket.EAI_NONAME, "hermes-diag: only loopback may be looked up")
        elif event in _PROGRAMS:
            self.programs += 1
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def _is_here(address):
    """Whether an address is on this machine; a path or a number is no address of the internet."""
    return not isinstance(address, tuple) or not address or _is_loopback(address[0])


def _is_loopback(host):
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
