"""An endpoint as users name it: checked, and only ever shown as host and path. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from hermes_diag.core.errors import UsageError

#: What the SDK appends to a base URL; a dump's `url` ends with it.
PATHS = {"responses": "/responses", "chat": "/chat/completions"}

_EXAMPLE = "write it as https://HOST[:PORT]/PATH, for example https://chatgpt.com/backend-api/codex"
_PATH = re.compile(r"[A-Za-z0-9/._~-]*")


@dataclass(frozen=True)
class Destination:
    """A base URL in its parts. host: a name in lower case, or an address without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _port(self.scheme) else f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether it is this machine, as far as can be told without looking a name up."""
        return self.host == "localhost" or is_loopback(self.host)

    def shown(self, api: str) -> str:
        """Host and path of a request for that API."""
        return self.netloc + self.path + PATHS[api]


def parse(url: str) -> Destination:
    """The destination of a URL. What is wrong with it is said without quoting it: it may hold a secret.

    Raises UsageError.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise UsageError("the URL is none", _EXAMPLE) from None
    _check(parts)
    host = (parts.hostname or "").rstrip(".")
    path = parts.path.rstrip("/")
    for appended in PATHS.values():
        path = path.removesuffix(appended)
    found = Destination(parts.scheme, host, port or _port(parts.scheme), path)
    if found.scheme == "http" and not found.loopback:
        raise UsageError("http sends the credentials readable to everyone on the way", "use https")
    return found


def _check(parts: SplitResult) -> None:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("it is no http or https URL with a host", _EXAMPLE)
    if "@" in parts.netloc:
        raise UsageError("the URL holds a user or a password", "leave it out; name a token with --auth")
    if parts.query or parts.fragment:
        raise UsageError("the URL holds a query or a fragment", "leave out everything from ? or # on")
    if not is_address(parts.hostname) and not re.fullmatch(r"[a-z0-9_.-]+", parts.hostname):
        raise UsageError("the host of the URL is no name", "write a name of other letters in its xn-- form")
    if not _PATH.fullmatch(parts.path):
        raise UsageError("the path of the URL holds unusual characters", _EXAMPLE)


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether it is a loopback address; of a name nothing is known."""
    return is_address(host) and ipaddress.ip_address(host).is_loopback


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
