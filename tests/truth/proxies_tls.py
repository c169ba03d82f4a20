"""Factories whose clients choose proxies and certificates."""

import os
import socket
import ssl
import sys
from urllib.request import getproxies

from openai import DEFAULT_CONNECTION_LIMITS as LIMITS
from openai import DEFAULT_TIMEOUT, AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

http = sys.modules[DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]  # httpx, or httpx2 with openai 3
KEEPALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)]


def client(kwargs, **options):
    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(**options)))


def _mounts(transport):
    """As openai.DefaultHttpxClient would: a transport for each proxy of the environment."""
    found = getproxies()
    mounts = {scheme + "://": transport(found[scheme]) for scheme in ("http", "https", "all") if scheme in found}
    for host in found.get("no", "").split(","):
        if host and mounts:
            mounts["all://" + host] = None
    return mounts


def keepalive_with_limits_and_mounts(kwargs):
    """healthy: a transport for keepalive that takes limits and proxies along."""

    def transport(proxy=None):
        return http.HTTPTransport(socket_options=KEEPALIVE, limits=LIMITS, proxy=proxy)

    return client(kwargs, transport=transport(), mounts=_mounts(transport))


def keepalive_of_thirty_seconds_expected(kwargs):
    """healthy: the same, and 30 s are what is expected. [expect keepalive=30]"""
    return keepalive_with_limits_and_mounts(kwargs)


def keepalive_expected_and_not_there(kwargs):
    """faulty keepalive-on-wire: the SDK's own client has no keepalive, and its user expects some. [expect keepalive=on]"""
    return OpenAI(**kwargs)


def another_keepalive_than_expected(kwargs):
    """faulty keepalive-on-wire: 30 s on the socket, 60 s expected. [expect keepalive=60]"""
    return keepalive_with_limits_and_mounts(kwargs)


def keepalive_on_a_mount_nobody_takes(kwargs):
    """faulty keepalive-on-wire: the options stand on a transport that no request takes."""
    return client(kwargs, mounts={"ftp://": http.HTTPTransport(limits=LIMITS, socket_options=KEEPALIVE)})


def keepalive_beside_a_mount_for_another_host(kwargs):
    """healthy: options on the transport that requests take; a mount for another host has the SDK's limits, too."""

    def transport(proxy=None):
        return http.HTTPTransport(socket_options=KEEPALIVE, limits=LIMITS, proxy=proxy)

    mounts = {**_mounts(transport), "all://elsewhere.example": http.HTTPTransport(limits=LIMITS)}
    return client(kwargs, transport=transport(), mounts=mounts)


def environment_ignored_on_purpose(kwargs):
    """choice proxy-honoured: trust_env is off. [also ca-file-honoured]"""
    return client(kwargs, trust_env=False)


def environment_ignored_as_expected(kwargs):
    """healthy: trust_env is off, and no proxy is what is expected. [expect proxy=none] [also ca-file-honoured]"""
    return client(kwargs, trust_env=False)


def no_proxy_although_expected(kwargs):
    """faulty proxy-honoured: trust_env is off, and the environment's proxy is expected. [expect proxy=environment] [also ca-file-honoured]"""
    return client(kwargs, trust_env=False)


def proxy_handed_over(kwargs):
    """choice no-proxy-honoured: the environment's proxy is given as proxy=, which NO_PROXY does not reach."""
    return client(kwargs, proxy=os.environ.get("HTTPS_PROXY"))


def proxy_handed_over_async(kwargs):
    """choice no-proxy-honoured: the same, asynchronous."""
    return AsyncOpenAI(**dict(kwargs, http_client=DefaultAsyncHttpxClient(proxy=os.environ.get("HTTPS_PROXY"))))


def proxies_and_limits_lost(kwargs):
    """faulty proxy-honoured, default-limits: the transport lacks the SDK's limits as well."""
    return client(kwargs, transport=http.HTTPTransport(retries=2))


def connect_retries_with_mounts(kwargs):
    """healthy: a transport that tries a failed connect again, with limits and proxies."""

    def transport(proxy=None):
        return http.HTTPTransport(retries=2, limits=LIMITS, proxy=proxy)

    return client(kwargs, transport=transport(), mounts=_mounts(transport))


def a_mount_with_limits_of_httpx(kwargs):
    """faulty default-limits: a mount for http:// has httpx's 100 and 20."""
    return client(kwargs, mounts={"http://": http.HTTPTransport()})


def proxy_in_another_network(kwargs):
    """untellable: it wants 10.1.2.3, which a trial does not reach."""
    return client(kwargs, proxy="http://10.1.2.3:3128")


def base_url_in_another_network(kwargs):
    """healthy: its base_url leads elsewhere; the trial leads it back."""
    return OpenAI(**dict(kwargs, base_url="https://192.0.2.1/v1"))


def verify_switched_off(kwargs):
    """faulty ca-file-honoured: certificates are not verified."""
    return client(kwargs, verify=False)


def a_context_that_checks_nothing(kwargs):
    """faulty ca-file-honoured: an SSLContext with CERT_NONE."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return client(kwargs, verify=context)


def a_context_with_the_systems_authorities(kwargs):
    """healthy: ssl.create_default_context(), which heeds SSL_CERT_FILE."""
    return client(kwargs, verify=ssl.create_default_context())


def authorities_pinned(kwargs):
    """choice ca-file-honoured: certifi's authorities and no others. [needs certifi]"""
    import certifi

    return client(kwargs, verify=ssl.create_default_context(cafile=certifi.where()))


def modern_tls_only(kwargs):
    """healthy: TLS 1.3 at least."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return client(kwargs, verify=context)


def everything_by_hand(kwargs):
    """healthy: httpx's own client, given all that the SDK's has."""

    def transport(proxy=None):
        return http.HTTPTransport(limits=LIMITS, proxy=proxy)

    made = http.Client(transport=transport(), mounts=_mounts(transport), timeout=DEFAULT_TIMEOUT, follow_redirects=True)
    return OpenAI(**dict(kwargs, http_client=made))
