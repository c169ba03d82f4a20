"""A call in a thread of its own, while the caller goes on."""

import threading


class Beside:
    """`over` is set when the call has returned."""

    def __init__(self, call, name):
        self.over = threading.Event()
        self._failed = None
        self._thread = threading.Thread(target=self._run, args=(call,), name=name, daemon=True)
        self._thread.start()

    def _run(self, call):
        try:
            call()
        except Exception as exc:  # the user's code broke, or ours did: of a turn that fails the host is told elsewhere
            self._failed = exc
        finally:
            self.over.set()

    def end(self):
        """Wait for its end. Raises what it raised."""
        self._thread.join()
        if self._failed is not None:
            raise self._failed
