"""A turn of the replay loop whose stream falls silent, and which a watchdog in another thread gives up.

`abort=close` closes the client from the watchdog's thread, as Hermes did: the reader still waits in the kernel, on a
socket whose descriptor is gone. `abort=shutdown` shuts the socket down first, which wakes the reader; the reader then
closes what it had opened.
"""

import threading
import time

from .contract import TurnDone
from .driver import HOLD

#: Seconds within which a reader that was woken has left. Not a sleep: the wait ends when it has.
PATIENCE = 0.3
#: Numbers of poll, ppoll and recvfrom on x86-64 and on the newer architectures.
_WAITS = ("7", "271", "45", "73", "207")


def aborted_turn(driver, session, turn, hold=None):
    """One such turn, as TurnDone. hold: see driver.py; the provider then holds the stream, whatever its fault."""
    client = driver.request_client(session)
    begun = time.perf_counter()
    shutdown = driver.job.settings.get("abort") == "shutdown"
    reader = Reader(driver, client, "%d/%d/1" % (session.serial, turn), shutdown, HOLD if hold else None)
    reader.start()
    reader.reading.wait()
    _wait_until_blocked(reader)
    if hold is not None:
        hold.set()
        hold.wait()
    if shutdown:
        driver.sdk.shut_down(reader.stream)
        reader.join(PATIENCE * 10)
    else:
        driver.subject.release(client)
        reader.join(PATIENCE)
    ms = (time.perf_counter() - begun) * 1000
    return TurnDone(session.serial, turn, 1, "interrupted", reader.events, ms, None, 0)


class Reader(threading.Thread):
    """Reads the stream. `reading` is set when an event was read, or all is over. closes: it gives its client back."""

    def __init__(self, driver, client, name, closes, fault):
        super().__init__(name="reader", daemon=True)
        self._driver, self._client, self._name, self._closes, self._fault = driver, client, name, closes, fault
        self.reading = threading.Event()
        self.stream = None
        self.events = 0

    def run(self):
        try:
            self.stream = self._driver.open_stream(self._client, self._name, self._fault)
            for _ in self.stream:
                self.events += 1
                self.reading.set()
        except Exception:  # the abort, however it surfaces  # nosec B110
            pass
        finally:
            self.reading.set()
            if self._closes:
                self._driver.subject.release(self._client)


def _wait_until_blocked(thread):
    """Return once a thread waits for a socket in the kernel: a stream is silent only then."""
    deadline = time.monotonic() + 10 * PATIENCE
    while time.monotonic() < deadline:
        try:
            with open("/proc/self/task/%d/syscall" % thread.native_id) as file:
                if file.read().split(" ")[0] in _WAITS:
                    return
        except OSError:  # no such file: not Linux, or not allowed
            time.sleep(PATIENCE)
            return
        time.sleep(0.001)
