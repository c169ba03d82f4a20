"""``hermes-diag`` and ``python -m hermes_diag``: where the program begins and ends.

Python would print a traceback for a signal that comes while it imports, or at its own end. From the first line of ours
until signals are taken (core/interrupts.py) one ends the program with the words and the exit code of an interruption;
after the last word of ours one ends it with the exit code that it has anyway. Once nothing can take long any more they
are blocked: Python gives them back their own effect at its very end, and one would be the end that is told.
"""

import _signal  # type: ignore[import-not-found]  # built-ins: nothing is imported before signals are dealt with
import atexit
import posix
import sys

SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
INTERRUPTED = 130  # as in core/errors.py
#: Of reporters/envelope.py, which is not imported yet.
DOCUMENT = (
    '{"schema":1,"command":"","subject":"","status":"could not tell","verdict":"interrupted","exit_code":130,'
    '"interrupted":true,"stack":null,"findings":[],"rows":[],"error":{"message":"interrupted","cure":""}}\n'
)


def main() -> None:
    """Entry point of the command."""
    _take_signals(_before_the_first_word)
    # Registered first, so that it runs last, when no thread is waited for any more. Python also remembers an interrupt
    # that came within exec(), as dataclasses use it, and would kill this process by SIGINT although it was taken.
    atexit.register(_signal.pthread_sigmask, _signal.SIG_BLOCK, SIGNALS)
    from hermes_diag import cli

    code: object = INTERRUPTED
    try:
        cli.main()
    except KeyboardInterrupt:  # between the last line that takes it and the next one
        pass
    except SystemExit as exc:
        code = exc.code
    finally:
        _take_signals(lambda number, frame: posix._exit(code if isinstance(code, int) else 0))
    sys.exit(code)  # type: ignore[arg-type]  # as it was given


def _before_the_first_word(number: int, frame: object) -> None:
    words = sys.argv[1:]
    words = words[: words.index("--")] if "--" in words else words
    said = {2: "hermes-diag: interrupted\n"}
    if words[:1] != ["trace"] and ("--json" in words or "--format=json" in words or "--format json" in " ".join(words)):
        said[1] = DOCUMENT
    for stream, text in said.items():
        try:  # noqa: SIM105 - contextlib may be half imported
            posix.write(stream, text.encode())
        except OSError:  # it is closed, or full
            pass
    posix._exit(INTERRUPTED)


def _take_signals(handler: object) -> None:
    for number in SIGNALS:
        if _signal.getsignal(number) != _signal.SIG_IGN:  # `nohup`, a shell's background job
            _signal.signal(number, handler)


if __name__ == "__main__":
    main()
