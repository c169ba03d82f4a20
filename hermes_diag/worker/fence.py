"""Which addresses a job may reach, and how often: enforced in its own process, before the code under test is loaded.

A provider of ours is on loopback, and nothing else may be reached. A job that replays against an
endpoint may reach the addresses that the host has resolved it to, and nothing else, not loopback
either: whatever a redirect, a proxy or a factory asks for is refused before a packet leaves, a name
before it is looked up. A program that a factory starts (curl) is not covered; the real Hermes may start no program at
all.

reach      HOST|PORT|ADDRESS,ADDRESS...   the endpoint
requests   how many requests may go out, retries and redirects included
"""

import errno
import ipaddress
import socket
import sys
import threading

_CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_PROGRAMS = ("subprocess.Popen", "os.posix_spawn", "os.system", "os.exec", "os.fork", "os.forkpty", "pty.spawn")
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


#: What was refused so far, by kind, and the first hosts that were asked for.
refused = {"connections": 0, "lookups": 0, "programs": 0}
wanted = []
MOST = 5


class OutOfReach(OSError):
    """An address or a name that this job may not talk to."""


class OutOfRequests(RuntimeError):
    """As many requests have gone out as were allowed."""


class Loopback:
    """What may be reached without an endpoint."""

    def address(self, ip, port):
        return ip == "localhost" or _is_loopback(ip)

    def name(self, name):
        return name == "localhost"


class Endpoint:
    """What may be reached of an endpoint: its name, and the addresses that the host gave it."""

    def __init__(self, reach):
        self.host, port, addresses = reach.split("|")
        self.port, self.addresses = int(port), addresses.split(",")

    def address(self, ip, port):
        return ip in self.addresses and port == self.port

    def name(self, name):
        return name == self.host

    def pin(self):
        """Answer for the endpoint's name with its addresses, so that it is not looked up a second time."""
        real = socket.getaddrinfo

        def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
            if _plain(host) != self.host:
                return real(host, port, family, type, proto, flags)
            found = []
            for ip in self.addresses:
                try:
                    found += real(ip, port, family, type, proto, flags)
                except socket.gaierror:  # not of the family that is asked for
                    continue
            if not found:
                raise socket.gaierror(socket.EAI_NONAME, "no address of that family")
            return found

        socket.getaddrinfo = getaddrinfo


class Counter:
    """Requests that went out, counted where they leave the SDK's HTTP library: a retry and a redirect are two."""

    def __init__(self, most):
        self.sent = 0
        self._most = most
        self._lock = threading.Lock()

    def count(self):
        with self._lock:
            if self.sent >= self._most:
                raise OutOfRequests("no further request may go out")
            self.sent += 1

    def watch(self, http):
        for transport, name in (
            (http.HTTPTransport, "handle_request"),
            (http.AsyncHTTPTransport, "handle_async_request"),
        ):
            setattr(transport, name, self._counted(getattr(transport, name)))

    def _counted(self, send):
        def counted(transport, request):
            self.count()
            return send(transport, request)

        return counted


def install(settings, http, programs=True):
    """Refuse from now on whatever the job may not do; returns the Counter, None when nothing is counted.

    programs: whether it may start any.
    """
    allowed = Loopback()
    if "reach" in settings:
        allowed = Endpoint(settings["reach"])
        allowed.pin()
    sys.addaudithook(_hook(allowed, programs))
    if "requests" not in settings:
        return None
    counter = Counter(int(settings["requests"]))
    counter.watch(http)
    return counter


def _hook(allowed, programs):
    def hook(event, args):
        if event in _CONNECTS:
            if _is_internet(args[1]) and not allowed.address(_plain(args[1][0]), args[1][1]):
                refused["connections"] += 1
                _note("%s:%s" % (_plain(args[1][0]), args[1][1]))
                raise OutOfReach(errno.EACCES, "this job may not talk to that address")
        elif event in _LOOKUPS:
            name = _plain(args[0])
            if name and not _is_address(name) and not allowed.name(name):
                refused["lookups"] += 1
                _note(name)
                raise OutOfReach(errno.EACCES, "this job may not look up that name")
        elif event in _PROGRAMS and not programs:
            refused["programs"] += 1
            raise PermissionError(errno.EPERM, "this job may start no program")

    return hook


def _note(host):
    if host not in wanted and len(wanted) < MOST:
        wanted.append(host)


def _is_internet(address):
    """Addresses of other families are no tuple, or begin with a number."""
    return isinstance(address, tuple) and len(address) > 1 and isinstance(address[0], (str, bytes, bytearray))


def _plain(host):
    """A host as text: lower case, without a final dot or a scope."""
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    return str(host or "").lower().rstrip(".").partition("%")[0]


def _is_address(text):
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(text):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
