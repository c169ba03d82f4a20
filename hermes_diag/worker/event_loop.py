"""Where coroutines run: one event loop in a thread of its own, started when it is first needed."""

import asyncio
import gc
import inspect
import threading

_lock = threading.Lock()
_loop = _thread = None


def loop():
    """The event loop, running."""
    global _loop, _thread
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_live, args=(_loop,), name="event-loop", daemon=True)
            _thread.start()
    return _loop


def stop():
    """End the loop and its thread, if there is one: it is closed then."""
    global _loop, _thread
    with _lock:
        ending, thread, _loop, _thread = _loop, _thread, None, None
    if ending is not None:
        ending.call_soon_threadsafe(ending.stop)
        thread.join()


def started():
    """Whether the loop runs."""
    return _loop is not None


def run(awaitable):
    """Await it in the loop; its result, or its exception, here."""
    return asyncio.run_coroutine_threadsafe(_await(awaitable), loop()).result()


def settled(value):
    """The value, awaited if it is awaitable: for code that may be written either way."""
    return run(value) if inspect.isawaitable(value) else value


def call(function, *args):
    """Call a plain function in the loop's thread."""

    async def calling():
        return function(*args)

    return run(calling())


def collect():
    """Collect garbage, also in the loop if there is one: the finaliser of an async client needs its running loop."""
    gc.collect()
    if started():
        call(gc.collect)
        run(_breathe())


async def _breathe():
    """Let the tasks that a finaliser has made come to their end."""
    for _ in range(20):
        await asyncio.sleep(0.005)
        if len(asyncio.all_tasks()) == 1:
            return


def _live(own):
    own.run_forever()
    # As asyncio.run() does at its end.
    for task in asyncio.all_tasks(own):
        task.cancel()
    own.run_until_complete(_ended(asyncio.all_tasks(own)))
    own.run_until_complete(own.shutdown_asyncgens())
    own.close()


async def _ended(tasks):
    if tasks:
        await asyncio.wait(tasks)


async def _await(awaitable):
    return await awaitable
