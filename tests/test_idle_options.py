"""An option that would have no effect is refused, with what to do: nobody is to think that it was heeded."""

from __future__ import annotations

from pathlib import Path

import here
import pytest
from conftest import GOLDEN

from hermes_diag.core.errors import UsageError
from hermes_diag.leakguard.limits import Limits, from_text

RUN = str(GOLDEN / "close-wait-grows.fires.jsonl")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "--force"], "--force needs --save"),
        (["sockets", "1", "--force"], "--force needs --save"),
        (["trace", "--force", "--", "true"], "--force needs --save"),
        (["repro", "--turns", "2", "--turns", "3"], "--turns is given twice"),
        (["replay", "x:y", "--cwd", "a", "--cwd", "b"], "--cwd is given twice"),
        (["check", "--save", "a", "--save", "b"], "--save is given twice"),
        (["sockets", "1", "--watch", "--interval", "1s", "--interval=2s"], "--interval is given twice"),
        (["serve", "--port", "1", "--port", "2"], "--port is given twice"),
        (["trace", "--save", "a", "--save", "b", "--", "true", "--save", "c"], "--save is given twice"),
        (["check", "--allow", "nodelay:2999-01-01:a", "--allow", "nodelay:2999-01-02:b"], "nodelay is allowed twice"),
        (["replay", "x.py:y", "--env", "A=1", "--env", "A=2"], "--env A is given twice"),
        (["trace", "--where", "--keep"], "--where only prints a folder"),
        (["trace", "--where", "--json"], "--where only prints a folder"),
        (["trace", "--where", "--", "true"], "--where only prints a folder"),
        (["report", RUN, "--check", "-v"], "-v has no effect with --check"),
        (["report", RUN, "-v", "--format", "html"], "-v has no effect with --format html"),
        (["report", RUN, "-v", "--format", "junit"], "-v has no effect with --format junit"),
        (["report", RUN, "-v", "--json"], "-v has no effect with --json"),
        (["scenarios", "-v"], "No such option: -v"),
        (["export", "--gateway", "--textfile", "x", "--listen", "127.0.0.1:0"], "--textfile serves nothing"),
        (["export", "--gateway", "--allow-remote"], "--allow-remote needs --listen"),
        (["serve", "--plan", "list", "--tls"], "--plan list serves nothing"),
        (["matrix", "python3", "--base-python", "python3"], "--base-python has no effect on a Python"),
        (["hermes", "python3", "--base-python", "python3"], "--base-python has no effect on a Python"),
        (["matrix", "0.19.0", "--spec", "fixed"], "--spec has no effect on a Hermes Agent"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """Before anything is done; on two lines, the second of which is the cure."""
    monkeypatch.chdir(tmp_path)
    assert here.run(monkeypatch, arguments) == 2
    err = capfd.readouterr().err
    assert says in err
    assert len(err.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", RUN, "-v", "--json", "--output", "x.txt"],
        ["report", RUN, "-v", "--format", "html", "--output", "x.md"],
        ["report", RUN, "-v", "-v"],
        ["report", RUN, "--output", "x.txt", "--output", "y.txt"],
        ["faults", "idle-close", "idle-close", "--json"],
        ["serve", "--plan", "list", "--json"],
        ["trace", "--where"],
    ],
    ids=" ".join,
)
def test_heeded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """What has an effect, and what may be given twice."""
    monkeypatch.chdir(tmp_path)
    assert here.run(monkeypatch, arguments) in (0, 1)
    assert capfd.readouterr().out


def test_a_second_limit_of_one_name() -> None:
    with pytest.raises(UsageError, match="fds is given twice"):
        from_text(Limits(), "fds=1 leaked=2 fds=3", "pytest.ini, limit_sockets_default")
