"""Environments of releases and checkouts: made by the real venv, pip and git, from wheels on disk, offline."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import wheels
from conftest import Cli

from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.core.text import release
from hermes_diag.run.environments import base, cache, checkout, reasons, releases, sources, wanted
from hermes_diag.run.environments.installer import Failed, Installer

ENSURE = "from hermes_diag.cli.options import target; target.say = print; print(target.interpreter('0.0.1', None))"
Starter = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """Two releases of hermes-agent: 0.0.1, and one that needs a Python that nobody has."""
    wheels.wheel(tmp_path / "wheels", "hermes-agent", "0.0.1", {"run_agent.py": ""})
    wheels.wheel(tmp_path / "wheels", "hermes-agent", "0.0.3", {"run_agent.py": ""}, "Requires-Python: >=9.1")
    return wheels.variables(tmp_path / "wheels", tmp_path / "cache")


@pytest.fixture
def ensure(offline: dict[str, str]) -> Starter:
    """Starts another hermes-diag that needs the environment."""
    return lambda: subprocess.Popen([sys.executable, "-c", ENSURE], stdout=subprocess.PIPE, text=True, env=offline)


@pytest.fixture
def checkout_of_hermes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository that is a small Hermes Agent without dependencies, of release 7.8."""
    for name in [one for one in os.environ if one.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "source"
    (place / "docs").mkdir(parents=True)
    (place / "agent").mkdir()
    (place / "pyproject.toml").write_text(
        '[project]\nname = "hermes-agent"\nversion = "7.8"\ndependencies = []\nrequires-python = ">=3.9"\n'
        '[tool.setuptools]\npy-modules = ["run_agent"]\n'
        '[tool.setuptools.packages.find]\ninclude = ["agent", "agent.*"]\n'
    )
    (place / "run_agent.py").write_text("from agent import WORD\n")
    (place / "agent" / "__init__.py").write_text("WORD = 'first'\n")
    (place / "docs" / "large.py").write_text("x = 1\n")
    git(place, "init", "-q")
    git(place, "add", ".")
    git(place, "commit", "-q", "-m", "first")
    return place


def git(place: Path, *arguments: str) -> str:
    own = ("-c", "user.name=x", "-c", "user.email=x@x.invalid", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", place, *own, *arguments], check=True, capture_output=True, text=True).stdout


def said(python: Path, code: str) -> str:
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_two_at_once_make_one(ensure: Starter, tmp_path: Path) -> None:
    """One makes it and the other waits; the third finds it. What a killed run left is no environment."""
    half = tmp_path / "cache" / "hermes-diag" / "environments" / f"hermes-agent-0.0.1-{base.of(sys.executable).tag}"
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").symlink_to(sys.executable)
    with ensure() as one, ensure() as other:
        texts = [process.communicate(timeout=100)[0] for process in (one, other)]
    assert one.returncode == other.returncode == 0
    assert sum("venv and pip" in text for text in texts) == 1
    with ensure() as third:
        lines = third.communicate(timeout=100)[0].splitlines()
    assert lines == [str(half / "bin" / "python")]  # nothing was made
    module = said(Path(lines[0]), "import run_agent; print(run_agent.__file__)")
    assert str(half) in module
    os.unlink(module)  # damaged: made anew, and it is said why
    with ensure() as fourth:
        text = fourth.communicate(timeout=100)[0]
    assert f"the environment in {half} is damaged: it is made anew" in text
    assert Path(module).exists()


def test_releases_that_are_not_to_be_had(cli: Cli, offline: dict[str, str], tmp_path: Path) -> None:
    """Exit 3 in two lines, with which there are. Nothing half-made is left."""
    done = cli("hermes", "0.0.2", **offline)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-2:] == [
        "hermes-diag: hermes-agent 0.0.2 is not to be had",
        "  there are 0.0.3, 0.0.1; a newer hermes-agent is to be checked out, and given as PATH",
    ]
    assert not list((tmp_path / "cache" / "hermes-diag" / "environments").iterdir())


def test_an_interrupt_leaves_nothing(offline: dict[str, str], tmp_path: Path) -> None:
    """Ctrl-C in the middle: exit 130, the installer is gone, and no half-made environment is there.

    The base interpreter is a script that says what it is, and then, asked for a virtualenv, never ends.
    """
    slow = tmp_path / "slow"
    slow.write_text(
        f'#!/bin/sh\ncase "$*" in *venv*) echo x > "$TMPDIR/half"; echo $$ > {tmp_path}/pid; sleep 100 & wait;; esac\n'
        f"""case "$*" in *print*) echo '["{slow}", "3.12.0", "x"]';; esac\n"""
    )
    slow.chmod(0o755)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    own = {**offline, "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "hermes_diag", "hermes", "0.0.1", "--base-python", str(slow)]
    with subprocess.Popen(command, env=own, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert list(temporary.glob("*/half"))
        process.send_signal(signal.SIGINT)
        assert "interrupted" in process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert not list(temporary.iterdir())
    group = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10  # a process that was killed takes a moment to end
    while any(with_group(one.pid) == group for one in alive()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not list((tmp_path / "cache" / "hermes-diag" / "environments").iterdir())


def alive() -> Iterator[psutil.Process]:
    """Every process but those that have ended and were not waited for."""
    return (one for one in psutil.process_iter(["status"]) if one.info["status"] != psutil.STATUS_ZOMBIE)


def with_group(pid: int) -> int:
    """The process group of a process; 0 when it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is the disk, not the version: the cure says so."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    installer = Installer(lambda text: None)
    installer.uv = None

    def full(*arguments: object) -> str:
        raise Failed("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device")

    monkeypatch.setattr(installer, "run", full)
    with pytest.raises(CannotMeasure, match="no space is left on the device") as refused:
        releases.ensure((("hermes-agent", "0.0.1"),), base.of(sys.executable), installer)
    assert "XDG_CACHE_HOME" in refused.value.whole


def test_it_is_said_that_it_takes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every few seconds a line, wherever it goes."""
    lines: list[str] = []
    monkeypatch.setattr("hermes_diag.run.environments.installer.SAY_EVERY", 0.3)
    installer = Installer(lines.append)
    installer.uv = None
    installer.run(["sleep", "1.5"], "a thing")
    assert len(lines) >= 2
    assert lines[-1].startswith("a thing: venv and pip at work, ")
    assert lines[-1].endswith(" s so far")


def test_a_cache_that_cannot_be_written(cli: Cli, offline: dict[str, str], tmp_path: Path) -> None:
    """Exit 3 and the cure."""
    (tmp_path / "file").write_text("")
    done = cli("hermes", "0.0.1", **{**offline, "XDG_CACHE_HOME": str(tmp_path / "file")})
    assert done.returncode == 3
    assert "set XDG_CACHE_HOME" in done.stderr


def listing(place: Path) -> Iterator[tuple[str, int, int]]:
    for path in sorted(place.rglob("*")):
        yield str(path), path.lstat().st_mtime_ns, path.lstat().st_size


def test_a_checkout(checkout_of_hermes: Path, tmp_path: Path) -> None:
    """What it is now is run, from a copy; an edit makes another one, and an old commit is still to be had. The user's
    folder stays as it is."""
    place, own, installer = checkout_of_hermes, base.of(sys.executable), Installer(lambda text: None)
    first = git(place, "rev-parse", "HEAD").strip()[:7]
    before = list(listing(place))
    made = checkout.ensure(place, "", own, installer)
    word, version = (
        "from run_agent import WORD; print(WORD)",
        "from importlib.metadata import version as v; print(v('hermes-agent'))",
    )
    assert made.named == f"7.8 at {first}"
    assert said(made.python, word) == "first"
    assert release(said(made.python, version)) == made.named
    assert not (made.python.parent.parent / checkout.SOURCE / "docs").exists()
    assert list(listing(place)) == before
    assert checkout.ensure(place, "", own, installer) == made

    for name in ("new.py", "agent/newer.py", "docs/newest.py", "notes.txt"):
        (place / name).write_text("")
    lines: list[str] = []
    checkout.ensure(place, "", own, Installer(lines.append))
    assert lines == ["2 files that git does not know were left out: agent/newer.py, new.py"]
    (place / "agent" / "__init__.py").write_text("WORD = 'second'\n")
    edited = checkout.ensure(place, "", own, installer)
    assert edited.named == f"7.8 at {first}, edited"
    assert said(edited.python, word) == "second"
    assert said(made.python, word) == "first"
    git(place, "commit", "-q", "-a", "-m", "second")
    assert checkout.ensure(place, first, own, installer) == made
    bare = tmp_path / "bare"
    git(tmp_path, "clone", "-q", "--bare", str(place), str(bare))
    assert said(checkout.ensure(bare, "", own, installer).python, word) == "second"
    # Without git: its files.
    git(tmp_path, "clone", "-q", str(place), "plain")
    (tmp_path / "plain" / ".git").rename(tmp_path / "gone")
    plain = checkout.ensure(tmp_path / "plain", "", own, installer)
    assert (plain.named, said(plain.python, word)) == ("7.8", "second")


def test_what_is_no_checkout(checkout_of_hermes: Path, tmp_path: Path) -> None:
    """One line each: no project, another project, one for another Python, no such revision, an endless pipe."""
    place, own, installer = checkout_of_hermes, base.of(sys.executable), Installer(lambda text: None)
    with pytest.raises(UsageError, match=r"has no pyproject\.toml"):
        checkout.ensure(tmp_path, "", own, installer)
    with pytest.raises(UsageError, match="has no revision 'nowhere'"):
        checkout.ensure(place, "nowhere", own, installer)
    with pytest.raises(UsageError, match="is no revision"):
        checkout.ensure(place, "--output=x", own, installer)
    text = (place / "pyproject.toml").read_text()
    (place / "pyproject.toml").write_text(text.replace(">=3.9", ">=9.1"))
    with pytest.raises(CannotMeasure, match=r"needs Python >=9\.1, and .* is 3"):
        checkout.ensure(place, "", own, installer)
    (place / "pyproject.toml").write_text(text.replace("dependencies = []", "dependencies = ['--index-url=x']"))
    with pytest.raises(UsageError, match="cannot be read"):
        checkout.ensure(place, "", own, installer)
    (place / "pyproject.toml").write_text(text)
    (place / "run_agent.py").unlink()
    os.mkfifo(place / "run_agent.py")
    with pytest.raises(UsageError, match=r"has no run_agent\.py"):
        checkout.ensure(place, "", own, installer)


def test_old_ones_are_removed(tmp_path: Path) -> None:
    """The last ones stay, and all that a run is using or making."""
    for number in range(8):
        (tmp_path / str(number)).mkdir()
        stamp = tmp_path / str(number) / cache.STAMP
        stamp.touch()
        if number < 6:
            os.utime(stamp, (number, number))
    cache.prune(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "4", "5", "6", "7"]
    with open(tmp_path / "6" / cache.STAMP) as used, open(tmp_path / "7.lock", "w") as made:
        fcntl.flock(used, fcntl.LOCK_SH)
        fcntl.flock(made, fcntl.LOCK_EX)
        cache.prune(tmp_path, kept=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["6", "7", "7.lock"]


@pytest.mark.parametrize(
    "word",
    ["", "-r x", "0.19.0;x", "0.19.0 ", "latest", "1" * 50, "../x", "==0.19", "0.19.0\nx", "a\0b", "x" * 10_000,
     "a/" * 2_000, "openai==", "requests==1.0", "openai==2.24.0,openai==3.0", "/etc/passwd", "\x1b[31m"],
)  # fmt: skip
def test_what_means_nothing(word: str) -> None:
    """Nothing that pip, git or a terminal could read as something else; and it is one short line."""
    with pytest.raises(UsageError) as refused:
        wanted.parse(word)
    assert len(str(refused.value)) < 400
    assert str(refused.value).isprintable()


def test_links_in_a_circle(tmp_path: Path) -> None:
    """They lead nowhere."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(UsageError):
        wanted.parse(str(tmp_path / "a"))


def test_what_words_mean(tmp_path: Path) -> None:
    """Releases, pins, a checkout with or without a revision, an interpreter, a virtualenv."""
    assert wanted.parse("0.19.0").pins == wanted.parse("hermes==0.19").pins == (("hermes-agent", "0.19.0"),)
    assert [releases.padded(one) for one in ("3", "1.2rc1", "1.2.3.4")] == ["3.0.0", "1.2.0rc1", "1.2.3.4"]
    with pytest.raises(UsageError, match="there is nothing at"):
        wanted.parse(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError) as refused:
        wanted.hermes("nonsense")
    assert "openai" not in refused.value.hint
    pinned = wanted.parse("openai==3.3.0, httpx==0.28.1")
    assert (pinned.name, pinned.pins) == ("openai 3.3.0 + httpx 0.28.1", (("openai", "3.3.0"), ("httpx", "0.28.1")))
    assert wanted.parse(f"{tmp_path}@main") == wanted.Wanted(f"{tmp_path}@main", place=tmp_path, revision="main")
    assert wanted.parse(str(tmp_path)).is_hermes
    assert wanted.parse(sys.executable).python == sys.executable
    virtualenv = Path(sys.executable).parent.parent
    assert wanted.parse(str(virtualenv)).python == str(virtualenv / "bin" / "python")


def test_a_reason_names_no_address() -> None:
    """An index of the user's may hold a password."""
    text = "WARNING: retrying\nERROR: 401 for https://me:secret@index.invalid/simple/x\nERROR: no\n"
    assert reasons.reason(text) == "ERROR: 401 for <address>"
    assert reasons.reason("") == "it gave no reason"
    pool = "ERROR: HTTPSConnectionPool(host='index.corp', port=443): Max retries exceeded with url: /simple/x/"
    assert "index.corp" not in reasons.reason(pool)
    uv = "error: Failed to fetch\n  cause: Request failed (http://me:pw@index.corp/simple)\n"
    assert "corp" not in reasons.reason(uv)


def test_an_index_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not the version is wrong, as pip says at last."""
    variables = {
        "XDG_CACHE_HOME": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1",
        "PIP_CONFIG_FILE": os.devnull, "PIP_TRUSTED_HOST": "127.0.0.1",
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    installer = Installer(lambda text: None)
    installer.uv = None
    with pytest.raises(CannotMeasure, match="the package index does not answer"):
        releases.ensure((("hermes-agent", "0.0.1"),), base.of(sys.executable), installer)


def test_what_installers_say() -> None:
    """Which releases there are, newest first, and which Python is needed: pip's words and uv's."""
    pip = (
        "ERROR: Ignored the following versions that require a different python version: "
        "0.1 Requires-Python >=3.11; 0.2 Requires-Python <3.14,>=3.11\n"
        "ERROR: Could not find a version ... (from versions: 0.9.0, 0.10.0, 0.11.0rc1)"
    )
    assert reasons.available(pip) == ["0.10.0", "0.9.0"]
    assert reasons.needs_python(pip, "0.2") == "<3.14,>=3.11"
    assert reasons.needs_python(pip, "0.3") == ""
    assert reasons.available("x (0.2)\nAvailable versions: 0.2, 0.1\n") == ["0.2", "0.1"]
    wheel = "ERROR: Package 'x' requires a different Python: 3.11.2 not in '>=9.1'"
    assert reasons.needs_python(wheel, "1") == ">=9.1"
    uv = "  cause: Because the current Python version (3.9.18) does not satisfy Python>=3.11,<3.14 and x==1 depends on"
    assert reasons.needs_python(uv, "1") == ">=3.11,<3.14"
    assert reasons.listed([str(number) for number in range(9)]).endswith("7 and older ones")


def test_releases_there_are(offline: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As the user's configuration of pip knows them."""
    for name, value in offline.items():
        monkeypatch.setenv(name, value)
    installer = Installer(lambda text: None)
    assert releases.released("hermes-agent", base.of(sys.executable), installer) == ["0.0.3", "0.0.1"]
    assert releases.released("nobody-has-this", base.of(sys.executable), installer) == []


def test_git_starts_no_program_of_the_repository(checkout_of_hermes: Path, tmp_path: Path) -> None:
    """A repository's own settings could name one."""
    place = checkout_of_hermes
    for name in ("core.fsmonitor", "diff.external"):
        git(place, "config", name, f"touch {tmp_path}/ran; false")
    (place / "run_agent.py").write_text("\n")
    assert sources.open_source(place, "").edited
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("given", ["", "relative"])
def test_the_cache_is_the_users(given: str) -> None:
    """XDG_CACHE_HOME counts when it is absolute, as its standard says."""
    assert cache.folder({"XDG_CACHE_HOME": given}) == Path.home() / ".cache" / "hermes-diag"
    assert cache.folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/hermes-diag")
