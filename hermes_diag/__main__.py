"""``hermes-diag`` and ``python -m hermes_diag``: where the program begins and ends.

Before it has imported what takes a signal, and after its last word, a signal ends it as the system does: Python would
print a traceback, of its imports or of its own end.
"""

import _signal  # type: ignore[import-not-found]  # a built-in: nothing is imported before signals are dealt with
import sys

INTERRUPTED = 130  # as in core/errors.py


def main() -> None:
    """Entry point of the command."""
    _leave_signals_to_the_system()
    from hermes_diag import cli

    try:
        cli.main()
    except KeyboardInterrupt:  # between the last line that takes it and the next one
        sys.exit(_interrupted())
    except SystemExit as exc:
        sys.exit(_interrupted() if exc.code == INTERRUPTED else exc.code)
    finally:
        _leave_signals_to_the_system()


def _interrupted() -> int:
    """The exit code. Python remembers an interrupt that came within exec(), as dataclasses use it, and would kill this
    process at its end, by SIGINT, although it was taken; one that is blocked cannot."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGINT})
    return INTERRUPTED


def _leave_signals_to_the_system() -> None:
    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
        if _signal.getsignal(number) != _signal.SIG_IGN:  # `nohup`, a shell's background job
            _signal.signal(number, _signal.SIG_DFL)


if __name__ == "__main__":
    main()
