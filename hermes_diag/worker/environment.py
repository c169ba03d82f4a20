"""Conditions under which a job runs, set up in its own process before its first client is built.

ca       file of the authority to trust (SSL_CERT_FILE), unless `untrusted`
proxy    URL that HTTPS_PROXY shall name
direct   hosts that NO_PROXY shall name
dead     port that never answers: the provider's name then has two addresses, and this is the first
hurried  a connect to the dead address lasts this part of its timeout; `awaited` has the seconds that it asked for
nofile   file descriptors that are left
gc       the garbage collector runs at another place of each request
"""

import gc
import os
import resource
import socket

#: A name that no resolver knows (RFC 6761): only our own answer can lead anywhere.
NAME = "provider.invalid"
#: Allocations by which the collector is moved on with each turn; fewer than one request makes in the pool.
STEP = 5
#: Connect timeouts, in seconds as they were asked for, that have passed at the dead address.
awaited = []


def apply(settings, base_url):
    """Set up what the settings ask for; returns the base URL to use."""
    if "ca" in settings and "untrusted" not in settings:
        os.environ["SSL_CERT_FILE"] = settings["ca"]
    if "proxy" in settings:
        os.environ["HTTPS_PROXY"] = settings["proxy"]
    if "direct" in settings:
        os.environ["NO_PROXY"] = settings["direct"]
    if "dead" in settings:
        port = int(base_url.split(":")[2].split("/")[0])
        _resolve(int(settings["dead"]), port)
        if "hurried" in settings:
            _hurry(int(settings["dead"]), settings["hurried"])
        base_url = base_url.replace("127.0.0.1", NAME)
    return base_url


def limit_descriptors(settings):
    """Leave so many descriptors. Called after the first client is built: loading its CA bundle needs some."""
    if "nofile" in settings:
        lowest = os.dup(0)
        os.close(lowest)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + int(settings["nofile"]), hard))


def collect_later(turn):
    """Have the garbage collector run once, STEP * turn allocations from now.

    Otherwise it runs by chance. Moved on a little with each turn, it has run at every line of a request within a
    hundred turns, so that the result does not depend on luck.
    """
    gc.enable()
    gc.set_threshold(gc.get_count()[0] + STEP * turn, 1000, 1000)


def _resolve(dead, good):
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if host not in (NAME, NAME.encode()):
            return real(host, *args, **kwargs)
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, ("127.0.0.1", port)) for port in (dead, good)]

    socket.getaddrinfo = getaddrinfo


def _hurry(dead, part):
    def connect(sock, address):
        asked = sock.gettimeout()
        if not asked or address[1] != dead:
            return super(socket.socket, sock).connect(address)
        sock.settimeout(asked * part)
        try:
            return super(socket.socket, sock).connect(address)
        except TimeoutError:
            awaited.append(asked)
            raise
        finally:
            sock.settimeout(asked)

    socket.socket.connect = connect
