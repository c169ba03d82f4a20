"""The provider for tests of other projects, with `with` and with `async with`: it runs in a thread of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack

from hermes_diag.core import scratch
from hermes_diag.core.evidence import Connection, Happened, Served
from hermes_diag.provider import server
from hermes_diag.provider.answers import script
from hermes_diag.provider.plans import plan as plans
from hermes_diag.provider.thread import ProviderThread
from hermes_diag.provider.transport.tls import authority

if TYPE_CHECKING:
    from hermes_diag.provider.upstream import Upstream

T = TypeVar("T")
#: Seconds within which the thread must answer.
PATIENCE = 30.0


class Options(TypedDict, total=False):
    """Further keywords of `Provider`; what each means is said at server.Provider and at service.Service."""

    host: str
    port: int
    proxy: bool
    idle_close: float | None
    models: tuple[str, ...] | None
    require_key: bool
    websocket: bool
    http2: bool
    body_limit: int
    keep: int | None
    observer: Callable[[Happened], None] | None
    upstream: Upstream | None


class _Threaded:
    """What `Provider` and `AsyncProvider` have in common: all but how a block begins and ends, and `settle`."""

    def __init__(
        self,
        faults: Sequence[str] = (),
        tls: bool = False,
        reply: str | None = None,
        plan: str | Path | None = None,
        **options: Unpack[Options],
    ) -> None:
        further: dict[str, Any] = {**options}
        if reply is not None:
            further["reply"] = script.load(reply)
        if plan is not None:
            further["plan"] = plans.load(plan)
        self._core = server.Provider(faults=faults, tls=tls, **further)
        self._stack = contextlib.ExitStack()
        self._thread: ProviderThread | None = None  # while it runs
        self._base_url = ""
        self._address = "", 0
        self._proxy_url = ""
        self.ca_file: Path | None = None

    def _begin(self) -> None:
        if self._base_url:
            raise RuntimeError("this provider has run: make another one")
        with self._stack as stack:
            self._thread = stack.enter_context(ProviderThread())
            stack.callback(self._ended)
            self._run(self._core.start())
            stack.callback(lambda: self._run(self._core.stop()))
            self._base_url, self._address = self._core.base_url, self._core.address
            if self._core.proxy is not None:
                self._proxy_url = self._core.proxy.url
            if self._core.tls:
                self.ca_file = stack.enter_context(ca_file())
            self._ask(self._core.begin_plan)
            self._stack = stack.pop_all()

    @property
    def base_url(self) -> str:
        """http://127.0.0.1:PORT/v1"""
        self._has_begun()
        return self._base_url

    @property
    def address(self) -> tuple[str, int]:
        """(127.0.0.1, port)"""
        self._has_begun()
        return self._address

    @property
    def proxy_url(self) -> str:
        """http://127.0.0.1:PORT, as HTTPS_PROXY takes it; "" without a proxy."""
        self._has_begun()
        return self._proxy_url

    @property
    def phase(self) -> str:
        """The name of the phase in which the plan is; "" without a plan, or when `set_faults` has ended it."""
        schedule = self._core.schedule
        return self._ask(lambda: schedule.phase.name if schedule is not None and schedule.label else "")

    @property
    def requests(self) -> tuple[Served, ...]:
        """Every request that has been answered or broken off, in the order in which they ended."""
        return self._ask(lambda: tuple(self._core.served))

    @property
    def closed_connections(self) -> tuple[Connection, ...]:
        """Every connection that is closed: who closed first, and how."""
        return self._ask(lambda: tuple(self._core.seen))

    @property
    def open_connections(self) -> int:
        """Connections that are open on this side."""
        return self._ask(lambda: len(self._core.open))

    @property
    def open_tunnels(self) -> int:
        """Connections of clients that are open at the proxy."""
        return self._ask(lambda: len(self._core.proxy.open) if self._core.proxy is not None else 0)

    @property
    def vanished(self) -> bool:
        """Whether a connection was dropped silently."""
        return self._core.vanish_is_real is not None

    @property
    def vanish_is_real(self) -> bool:
        """Whether the kernel drops its packets; if not, it accepts and never answers."""
        return self._core.vanish_is_real is True

    def tally(self) -> dict[str, int]:
        """Counts since the start."""
        return self._ask(self._core.tally)

    def set_faults(self, faults: Iterable[str]) -> None:
        """These faults from now on; a plan ends. Raises UsageError; RuntimeError when it does not run."""
        self._must_run()
        self._ask(lambda: self._core.set_faults(faults))

    def next_phase(self) -> None:
        """Go to the next phase of the plan now. Raises ValueError when there is none; RuntimeError as set_faults."""
        self._must_run()
        schedule = self._core.schedule
        if schedule is None:
            raise ValueError("there is no plan")
        self._ask(schedule.next)

    def _has_begun(self) -> None:
        if not self._base_url:
            raise RuntimeError("this provider does not run yet: write `with Provider(...) as provider:`")

    def _must_run(self) -> ProviderThread:
        self._has_begun()
        if self._thread is None:
            raise RuntimeError("this provider does not run any more: its `with` block is over")
        return self._thread

    def _ask(self, call: Callable[[], T]) -> T:
        self._has_begun()
        if self._thread is None:
            return call()

        async def asked() -> T:
            return call()

        return self._run(asked())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._thread is not None
        return self._thread.run(work, PATIENCE)

    def _ended(self) -> None:
        self._thread = None


class Provider(_Threaded):
    """A provider on 127.0.0.1, from `with` to the end of the block.

    faults: specs as `hermes-diag faults` lists them. tls: with a certificate whose authority is in the
    file `ca_file`. reply: "echo", or a file as `serve --reply` takes it. plan: instead of faults a file or a named day,
    as `serve --plan` takes it. proxy: with a proxy in front of it, at `proxy_url`. Other keywords as in `Options`.
    Raises UsageError for a fault it does not know, CannotMeasure or OSError when there is no port.
    What it saw can still be read after the block; before it there is nothing to ask for: RuntimeError.
    """

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def settle(self) -> None:
        """Return once nothing is being answered. Raises TimeoutError; RuntimeError when it does not run."""
        self._must_run()
        self._run(self._core.settle())


class AsyncProvider(_Threaded):
    """The same for `async with`, with the same names; `settle` is awaited, everything else answers at once.

    It does not run in the caller's event loop but in a thread of its own, too: a test that keeps its loop busy
    does not make the provider late, and a client that blocks the loop is answered.
    """

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._stack.close()

    async def settle(self) -> None:
        """Return once nothing is being answered. Raises TimeoutError; RuntimeError when it does not run."""
        await self._must_run().do(self._core.settle())


@contextlib.contextmanager
def ca_file() -> Iterator[Path]:
    """The certificate that clients must trust, as a file that only we can read. On Linux it is in memory, so
    that even a process that is killed leaves nothing behind."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("hermes-diag-ca"), "wb") as file:
            file.write(authority().pem())
            file.flush()
            yield Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
        return
    with scratch.folder() as folder:
        path = Path(folder) / "ca.pem"
        path.write_bytes(authority().pem())
        yield path
