"""The `aborted` workload: each stream falls silent, and a watchdog in another thread gives it up.

`abort=close` closes the client from the watchdog's thread, as Hermes did: the reader still sits in the
kernel, on a socket whose descriptor is gone. `abort=shutdown` shuts the socket down first, which wakes
the reader; the reader then closes what it had opened.
"""

import threading
import time

from .contract import TURN_HEADER, TurnDone

#: Seconds within which a reader that was woken has left. Not a sleep: the wait ends when it has.
PATIENCE = 0.3
#: Numbers of poll, ppoll and recvfrom on x86-64 and on the newer architectures.
_WAITS = ("7", "271", "45", "73", "207")


def run(driver):
    driver.barrier("start")
    for turn in range(1, driver.job.turns + 1):
        for session in driver.order():
            _turn(driver, session, turn)
        driver.barrier("idle")


def _turn(driver, session, turn):
    driver.turns += 1
    sdk = driver.sdk
    client = driver.build(session, dict(session.client_kwargs), driver.subject.role)
    reading, held = threading.Event(), {}
    reader = threading.Thread(
        target=_read, args=(driver, client, session.serial, turn, reading, held), name="reader", daemon=True
    )
    begun = time.perf_counter()
    reader.start()
    reading.wait()
    _wait_until_blocked(reader)
    if driver.job.settings.get("abort") == "shutdown":
        sdk.shut_down(held["stream"])
        reader.join(PATIENCE * 10)
    else:
        driver.subject.release(client)
        reader.join(PATIENCE)
    ms = (time.perf_counter() - begun) * 1000
    driver.channel.send(TurnDone(session.serial, turn, 1, "interrupted", held.get("events", 0), ms, None, 0))


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


def _read(driver, client, session, turn, reading, held):
    sdk, job = driver.sdk, driver.job
    headers = {TURN_HEADER: "%d/%d/1" % (session, turn)}
    try:
        timeout = (job.timeout, job.pool_timeout)
        stream = held["stream"] = sdk.open_stream(client, job.api, driver.body, headers, timeout)
        for _ in stream:
            held["events"] = held.get("events", 0) + 1
            reading.set()
    except Exception:  # the abort, however it surfaces
        pass
    finally:
        reading.set()
        if job.settings.get("abort") == "shutdown":
            driver.subject.release(client)
