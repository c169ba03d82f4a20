"""The real endpoint in the place of our provider: its URL, the plan of a replay against it, and what a cell sees of it.

Its cells run one after the other, each in an interpreter of its own. Nothing is seen of the endpoint's side, and it
cannot be told to close or to hold anything. URLs are only ever shown as host and path: the rest may hold a secret.
"""

from __future__ import annotations

import ipaddress
import json
import queue
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from hermes_diag.core import matrix, units
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.leaves import leaves
from hermes_diag.core.plan import FRESH, MEASURE, Cell, Plan
from hermes_diag.core.sockets import SocketRow, bracketed
from hermes_diag.run.credentials import Credentials
from hermes_diag.run.payload import Payload
from hermes_diag.watch import snapshot
from hermes_diag.watch.snapshot import Snapshot

if TYPE_CHECKING:
    from hermes_diag.core.evidence import Connection, Served

#: Unless options say otherwise; enough for the second turn of a session to fail.
SESSIONS, TURNS = 2, 3
#: Seconds for connect, read and write: a real model takes longer than our provider.
TIMEOUT = 60.0
#: Seconds for a name to be looked up.
LOOKUP = 15.0
#: What the SDK appends to a base URL; a dump's `url` ends with it.
PATHS = {"responses": "/responses", "chat": "/chat/completions"}

_EXAMPLE = "write it as https://HOST[:PORT]/PATH, for example https://chatgpt.com/backend-api/codex"
_PATH = re.compile(r"[A-Za-z0-9/._~-]*")


@dataclass(frozen=True)
class Endpoint:
    """A base URL in its parts. host: a name in lower case, or an address without brackets. addresses: what the host was
    resolved to (see `resolve`)."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...] = ()

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def netloc(self) -> str:
        host = bracketed(self.host)
        return host if self.port == _port(self.scheme) else f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether it is this machine, as far as can be told without looking a name up."""
        return self.host == "localhost" or is_loopback(self.host)

    def shown(self, api: str) -> str:
        """Host and path of a request for that API."""
        return self.netloc + self.path + PATHS[api]


def parse(url: str) -> Endpoint:
    """The endpoint of a URL. Errors do not quote the URL: it may hold a secret.

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
    found = Endpoint(parts.scheme, host, port or _port(parts.scheme), path)
    if found.scheme == "http" and not found.loopback:
        raise UsageError("http sends the credentials readable to everyone on the way", "use https")
    return found


def _check(parts: SplitResult) -> None:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("URL is no http or https URL with a host", _EXAMPLE)
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


def plan(
    payloads: Sequence[Payload],
    endpoint: Endpoint,
    strategies: tuple[str, ...],
    ends: tuple[str, ...],
    workloads: tuple[str, ...],
    sizes: matrix.Sizes,
) -> Plan:
    """The cells of a live replay, the fresh process of each payload first. Raises UsageError."""
    possible = [name for name, leaf in leaves("workloads").items() if leaf.constants.get("ENDPOINT")]
    for workload in workloads:
        if workload not in possible:
            raise UsageError(
                f"--workload {workload} needs a provider that holds streams open, which a real endpoint is not",
                f"use {' or '.join(possible)}",
            )
    sizes = replace(sizes, sessions=sizes.sessions or SESSIONS, turns=sizes.turns or TURNS, idle_close=None)
    infos = [payload.info for payload in payloads]
    made = matrix.make(
        infos[0], strategies, ends or ("close",), workloads or ("steady",), sizes, further=tuple(infos[1:])
    )
    apis = {info.source: info.api for info in infos}
    cells = [
        replace(
            cell,
            endpoint=endpoint.shown(apis[cell.payload or infos[0].source]),
            idle_close=None,
            timeout=sizes.timeout or TIMEOUT,
            pool_timeout=matrix.POOL_TIMEOUT,
        )
        for cell in made.cells
        if cell.workload != MEASURE
    ]
    cells.sort(key=lambda cell: cell.workload != FRESH)
    return replace(made, cells=tuple(cells))


def requests(cell: Cell) -> int:
    """How many requests a cell may send at most."""
    return cell.sessions * cell.turns * (cell.retries + 1)


def fit(plan_: Plan, most: int) -> int:
    """How many requests the plan may send. Raises UsageError when that is more than `most`."""
    wanted = sum(map(requests, plan_.cells))
    if wanted > most:
        raise UsageError(
            f"this plan may send {units.count(wanted, 'request')}, --max-requests allows {most}",
            f"ask for fewer --sessions, --turns, --retries or payloads, or give --max-requests {wanted}",
        )
    return wanted


def resolve(endpoint: Endpoint) -> Endpoint:
    """The endpoint with the addresses of its host. Raises CannotMeasure when the name cannot be resolved."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        except OSError as exc:
            answers.put(exc)
        else:
            answers.put([str(address[4][0]) for address in found])

    # A resolver may take minutes, and it cannot be interrupted; a thread can be left behind.
    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=LOOKUP)
    except queue.Empty:
        raise CannotMeasure(f"{endpoint.host}: no answer from the resolver within {LOOKUP:.0f} s") from None
    if isinstance(answer, OSError):
        raise CannotMeasure(
            f"the name {endpoint.host} cannot be resolved: {answer.strerror or type(answer).__name__}",
            "check its spelling and the network",
        )
    addresses = tuple(dict.fromkeys(answer))
    if endpoint.loopback and not is_address(endpoint.host):
        addresses = tuple(filter(is_loopback, addresses))
    if not addresses:
        raise CannotMeasure(f"{endpoint.host} is not resolved to this machine", "name the address")
    return replace(endpoint, addresses=addresses)


def wire(payload: Payload, credentials: Credentials | None) -> bytes:
    """What the worker is sent: the body, its headers and the token. Headers of a dump come first, bar its
    own authorization."""
    document = json.loads(payload.wire)
    if credentials is None:
        return payload.wire
    own = {name: value for name, value in document["headers"].items() if name.lower() != "authorization"}
    given = {name.lower() for name in own}
    added = {name: value for name, value in credentials.headers.items() if name.lower() not in given}
    return json.dumps({**document, "headers": {**added, **own}, "key": credentials.token}).encode()


class RemoteProvider:
    """What a CellRun asks of a provider, of the endpoint. requests: how many this cell may send."""

    served: tuple[Served, ...] = ()
    seen: tuple[Connection, ...] = ()
    closed: Mapping[tuple[str, int], None] = {}
    posts: int | None = None
    begun = 0.0

    def __init__(self, endpoint: Endpoint, requests: int) -> None:
        addresses, port = endpoint.addresses, endpoint.port
        self.base_url = endpoint.base_url
        self.address = (addresses[0], port)
        self.job = {"reach": f"{endpoint.host}|{port}|{','.join(addresses)}", "requests": str(requests)}
        self._remotes = [(address, port) for address in addresses]
        self._ours: dict[tuple[str, int], int | None] = {}  # inodes by local addresses

    def look(self, backend: ModuleType, pid: int, tries: int) -> Snapshot:
        """Sockets of the job to the endpoint, also those whose descriptor it has closed.

        Other processes may talk to the same addresses; a socket is the job's if it was seen to belong to it once, and
        since then at each look to nobody else: the kernel gives the port of one that is gone to others.
        """
        seen = snapshot.take(backend, pid, self._remotes, tries)
        self._ours = {
            row.local: row.inode or self._ours.get(row.local)
            for row in seen.rows
            if row.pid == pid or self._was_ours(row)
        }
        return replace(seen, rows=[row for row in seen.rows if row.local in self._ours])

    def _was_ours(self, row: SocketRow) -> bool:
        """Whether it is a socket that the job has closed; that of a new owner has another inode."""
        return row.local in self._ours and row.inode in (None, 0, self._ours[row.local])

    async def start(self) -> None:
        """It runs already."""

    async def stop(self) -> None:
        """It stays as it is."""

    async def hold(self) -> None:
        """It holds nothing for us."""

    async def settle(self) -> None:
        """Whether it is at rest cannot be known."""

    async def close_idle(self) -> None:
        """It closes when it likes."""

    async def release(self) -> None:
        """It holds nothing for us."""
