"""What the other tests do not come to: words of a completion, very long logs, looks beside each other, and words for
exceptions that are none of ours."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from conftest import GOLDEN

from hermes_diag import cli
from hermes_diag.cli import report
from hermes_diag.cli.options import complete
from hermes_diag.core.errors import COULD_NOT_MEASURE, INTERRUPTED
from hermes_diag.hermes.logs import tally
from hermes_diag.reporters import formats
from hermes_diag.run import comparison

COMPLETIONS = [
    function for name, function in vars(complete).items() if inspect.isfunction(function) and not name.startswith("_")
]


@pytest.mark.parametrize("function", COMPLETIONS, ids=lambda function: function.__name__)
def test_words_of_a_completion(function: Callable[[str], list[tuple[str, str]]]) -> None:
    """There are some, and they begin with what was typed."""
    words = [word for word, _ in function("")]
    assert words
    assert set(words) == {word for word in words if word}
    begun = words[0][:2]
    assert [word for word, _ in function(begun)] == [word for word in words if word.lower().startswith(begun.lower())]
    assert function("no-such-word-") == []


def test_times_of_a_very_long_log() -> None:
    """The parts become wider, and no count is lost."""
    times = tally.Times()
    for number in range(3 * tally.BUCKETS):
        times.at(number * 3600.0)[tally.TURNS] += 1
        times.at(number * 3600.0 + 0.5)[tally.CALLS] += 2
    found = times.buckets()
    assert len(found) <= tally.BUCKETS
    assert times.width >= 2
    assert sum(one.counts["turns"] for one in found) == 3 * tally.BUCKETS
    assert sum(one.counts["calls"] for one in found) == 6 * tally.BUCKETS
    assert [one.begin for one in found] == sorted(one.begin for one in found)


def test_looks_beside_each_other() -> None:
    """How many sockets in which state, descriptors and threads, of each."""
    look, _ = report.read(GOLDEN / "captures" / "look.jsonl.gz")
    both = comparison.of(["before", "after"], [look, look])
    shown = formats.load("terminal").render(both, 100, True)
    assert "fds" in shown
    assert "threads" in shown
    assert both.exit_code == 0


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (OSError(28, "No space left on device", "/x/\x1b[2J"), COULD_NOT_MEASURE, "the system refused: No space left"),
        (RuntimeError("can't start new thread"), COULD_NOT_MEASURE, "no thread could be started"),
        (MemoryError(), COULD_NOT_MEASURE, "out of memory"),
        (KeyError("secret-value"), COULD_NOT_MEASURE, "internal error: KeyError at test_corners.py:"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted"),
        (EOFError(), COULD_NOT_MEASURE, "a compiled file of Python is cut off"),
        (BrokenPipeError(), COULD_NOT_MEASURE, ""),
    ],
)
def test_words_for_any_exception(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException, code: int, said: str
) -> None:
    """A line and a cure, the exit code that no verdict has, and nothing of what the exception itself says."""

    def run(arguments: object) -> int:
        raise raised

    monkeypatch.setattr(cli, "run", run)
    monkeypatch.setattr(cli, "_repair_standard_streams", lambda: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    shown = capsys.readouterr()
    assert ended.value.code == code
    assert said in shown.err
    assert "secret-value" not in shown.err + shown.out
    assert "\x1b" not in shown.err


def test_a_debugger_gets_the_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """With HERMES_DIAG_DEBUG it is raised."""

    def run(arguments: object) -> int:
        raise KeyError

    monkeypatch.setenv("HERMES_DIAG_DEBUG", "1")
    monkeypatch.setattr(cli, "run", run)
    with pytest.raises(KeyError):
        cli.main()
