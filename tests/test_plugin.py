"""The pytest plugin, as pytest runs it: each test runs a file of its own in a process of its own."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import GOLDEN, ROOT
from leaks.run import plain

from hermes_diag.leakguard.limits import Limits

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a process holds is read from /proc")

Run = Callable[..., "subprocess.CompletedProcess[str]"]

START = """
import os, socket, threading, pytest
KEPT = []
LISTENER = socket.create_server(("127.0.0.1", 0))
def leak():
    KEPT.append(socket.create_connection(LISTENER.getsockname()))
"""
#: Our environment, but for what makes pytest write more or less: in CI it cuts no line of its summary.
HOME = {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")}
QUIET = ["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs pytest on a file with this source, and this text as its pytest.ini."""

    def run(source: str, *arguments: str, ini: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_it.py").write_text(START + textwrap.dedent(source))
        (tmp_path / "pytest.ini").write_text("[pytest]\n" + ini)
        return subprocess.run(
            [sys.executable, "-m", "pytest", *QUIET, *arguments],
            cwd=tmp_path,
            env={**HOME, "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


def outcome(done: subprocess.CompletedProcess[str]) -> str:
    """The last line without its decoration and time: `1 failed, 2 passed`."""
    return re.sub(r" in [\d.]+s.*|[=\n]", "", done.stdout.splitlines()[-1]).strip()


def test_a_test_counts_once(run: Run) -> None:
    """One that leaves a socket behind has failed and not also passed; one that does not has passed."""
    done = run(
        """
        @pytest.mark.limit_sockets(settle=0)
        def test_leaks(): leak()
        @pytest.mark.limit_sockets
        def test_does_not(): pass
        def test_is_not_marked(): leak()
        """,
        "--junitxml=j.xml",
        "-v",
    )
    assert outcome(done) == "1 failed, 2 passed", done.stdout
    assert done.returncode == 1
    assert "test_it.py::test_leaks FAILED" in done.stdout
    assert "FAILED test_it.py::test_leaks - Failed: left behind: 1 socket open (allowed: leaked=0)" in done.stdout


#: What may be left, and the start of the complaint about what this leaves: 2 CLOSE_WAIT, 1 open, 1 file, 1 thread.
LIMITS: list[tuple[dict[str, object], str]] = [
    ({"close_wait": 2, "leaked": 1, "fds": 1, "threads": 1}, ""),
    ({"close_wait": 1, "leaked": 1, "fds": 1, "threads": 1}, "2 sockets in CLOSE_WAIT (allowed: close_wait=1)"),
    ({"close_wait": 2, "leaked": 0, "fds": 1, "threads": 1}, "1 socket open (allowed: leaked=0)"),
    ({"close_wait": 2, "leaked": 1, "fds": 0, "threads": 1}, "1 more open descriptor (allowed: fds=0)"),
    ({"close_wait": 2, "leaked": 1, "fds": 1, "threads": 0}, "1 more running thread (allowed: threads=0)"),
    ({"close_wait": None, "leaked": None, "fds": None, "threads": None}, ""),
    ({"close_wait": 2, "leaked": None, "fds": None}, "1 more running thread (allowed: threads=0)"),
    ({"remote": "192.0.2.0/24", "fds": 1, "threads": 1}, ""),
    (
        {"remote": ["127.0.0.0/8"], "fds": 1, "threads": 1, "leaked": 1},
        "2 sockets in CLOSE_WAIT (allowed: close_wait=0)",
    ),
    ({"remote": "localhost", "fds": 1, "threads": 1, "close_wait": 2}, "1 socket open (allowed: leaked=0)"),
]


def test_each_limit_holds_exactly(run: Run) -> None:
    """What is allowed passes, one more fails and names that limit alone; None is not checked."""
    body = """
CLOSES = socket.create_server(("127.0.0.1", 0))
def leave():
    for _ in range(2):
        KEPT.append(socket.create_connection(CLOSES.getsockname()))
        CLOSES.accept()[0].close()
    leak()
    KEPT.extend([open(os.devnull), threading.Event()])
    threading.Thread(target=KEPT[-1].wait, daemon=True).start()
"""
    for number, (limits, _) in enumerate(LIMITS):
        body += f"@pytest.mark.limit_sockets(settle=0, **{limits!r})\ndef test_{number}(): leave()\n"
    done = run(body)
    found = dict(re.findall(r"^_+ test_(\d+) _+\nleft behind: (.*)$", done.stdout, re.MULTILINE))
    assert found == {str(number): text for number, (_, text) in enumerate(LIMITS) if text}, done.stdout


def test_a_reset_connection_has_a_remote(run: Run) -> None:
    """The kernel does not show it any more: it is where the socket was to be connected."""
    done = run(
        """
        import struct
        def reset():
            KEPT.append(socket.create_connection(LISTENER.getsockname()))
            peer = LISTENER.accept()[0]
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
        @pytest.mark.limit_sockets(settle=0, remote="127.0.0.1")
        def test_there(): reset()
        @pytest.mark.limit_sockets(settle=0, remote="192.0.2.1")
        def test_elsewhere(): reset()
        """
    )
    assert outcome(done) == "1 failed, 1 passed", done.stdout
    assert re.search(r"CLOSE to 127.0.0.1:\d+ \(reset by the other side", done.stdout)


def test_settle_waits_for_what_goes(run: Run) -> None:
    """A socket that another thread is about to close is none left behind; with no time to settle it is one."""
    source = """
        stay = threading.Event()
        def close_later(sock, seconds):
            stay.wait(seconds)
            sock.close()
        def start(seconds):
            sock = socket.create_connection(LISTENER.getsockname())
            threading.Thread(target=close_later, args=(sock, seconds), daemon=True).start()
        @pytest.mark.limit_sockets(settle="1m")
        def test_goes(): start(0.2)
        @pytest.mark.limit_sockets(settle=0.1)
        def test_stays(): start(600)
        """
    done = run(source, "--durations=1")
    assert outcome(done) == "1 failed, 1 passed", done.stdout
    assert "FAILED test_it.py::test_stays" in done.stdout
    assert "1 more running thread" in done.stdout


def test_settle_ends_when_the_clock_stands_still(run: Run) -> None:
    """Tests freeze time, for a module too."""
    done = run(
        """
        @pytest.fixture(scope="module", autouse=True)
        def frozen():
            with pytest.MonkeyPatch.context() as patch:
                now = __import__("time").monotonic()
                patch.setattr("time.monotonic", lambda: now)
                yield
        @pytest.mark.limit_sockets(settle=0.1)
        def test_leaks(): leak()
        """
    )
    assert outcome(done) == "1 failed", done.stdout


def test_wider_fixtures_are_not_the_tests_own(run: Run) -> None:
    """What a fixture of the module opens while the first test is set up outlives it by intent."""
    done = run(
        """
        @pytest.fixture(scope="module")
        def pool():
            with socket.create_connection(LISTENER.getsockname()) as sock, open(os.devnull):
                stop = threading.Event()
                thread = threading.Thread(target=stop.wait)
                thread.start()
                yield sock
                stop.set()
                thread.join()
        @pytest.fixture
        def own(pool):
            leak()
        @pytest.mark.limit_sockets
        def test_of_module(pool): pass
        @pytest.mark.limit_sockets(settle=0)
        def test_of_function(own): pass
        @pytest.mark.limit_sockets
        def test_last(pool): pass
        """
    )
    assert outcome(done) == "1 failed, 2 passed", done.stdout
    assert "FAILED test_it.py::test_of_function" in done.stdout


@pytest.mark.parametrize("fixtures", ["", "own", "nested"])
@pytest.mark.parametrize(("leaves", "expected"), [("leak()", "1 failed"), ("pass", "1 passed")])
def test_the_last_test_is_judged_like_any_other(run: Run, fixtures: str, leaves: str, expected: str) -> None:
    """Fixtures of wider scope go in its teardown, too: what they close then was left behind all the same; what its
    own close was not."""
    done = run(
        f"""
        @pytest.fixture(scope="session", autouse=True)
        def closes():
            yield
            for sock in KEPT: sock.close()
        @pytest.fixture
        def own():
            with socket.create_connection(LISTENER.getsockname()):
                yield
        @pytest.fixture
        def nested(own):
            with socket.create_connection(LISTENER.getsockname()):
                yield
        @pytest.mark.limit_sockets(settle=0)
        def test_last({fixtures}): {leaves}
        """
    )
    assert outcome(done) == expected, done.stdout


def test_a_test_that_fails_is_not_accused_as_well(run: Run) -> None:
    """Its traceback keeps what it had open; and a fixture that fails at its end speaks for itself."""
    done = run(
        """
        pytestmark = pytest.mark.limit_sockets(settle=0)
        def test_fails():
            sock = socket.create_connection(LISTENER.getsockname())
            assert sock is None
        def test_skips():
            leak()
            pytest.skip("no need")
        @pytest.fixture
        def broken():
            yield
            raise RuntimeError("broken")
        def test_broken(broken): leak()
        """
    )
    assert outcome(done) == "1 failed, 1 skipped, 1 error", done.stdout
    assert "left behind" not in done.stdout


@pytest.mark.parametrize(("strict", "fails"), [("True", "1 failed, 1 xfailed"), ("False", "1 xfailed, 1 xpassed")])
def test_a_known_leak_may_be_expected(run: Run, strict: str, fails: str) -> None:
    """xfail is about what is left behind, too, and strict finds out when it is no more."""
    done = run(
        f"""
        @pytest.mark.xfail(strict={strict})
        @pytest.mark.limit_sockets(settle=0)
        def test_known(): leak()
        @pytest.mark.xfail(strict={strict})
        @pytest.mark.limit_sockets
        def test_mended(): pass
        """
    )
    assert outcome(done) == fails, done.stdout


WRONG = {
    "close_wiat=0": "there is no argument 'close_wiat': did you mean close_wait?",
    "colour=1": "there is no argument 'colour': known: close_wait, leaked, fds, threads, remote, settle",
    "3": "3 has no name: give NAME=VALUE, for example leaked=1",
    "leaked=-1": "leaked=-1 is no count: give 0 or more, or None: not checked",
    "fds=True": "fds=True is no count: give 0 or more, or None: not checked",
    "threads='2'": "threads='2' is no count: give 0 or more, or None: not checked",
    "settle=float('nan')": "settle=nan is no time: give seconds from 0 to 600, or 500ms, 2s",
    "settle=None": "settle=None is no time: give seconds from 0 to 600, or 500ms, 2s",
    "remote=80": "remote=80 is no address: give 'HOST:PORT', a network, or a list of them",
    "remote='10.0.0.1:http'": "remote='10.0.0.1:http': 'http' is no port: a port is a number from 1 to 65535",
    "remote='api.test'": "remote=api.test: a name, and nothing is looked up: give its address or network",
}


def test_wrong_arguments_are_one_line(run: Run) -> None:
    """That names the test and the argument; the test does not run, others do."""
    tests = [f"@pytest.mark.limit_sockets({wrong})\ndef test_{n}(): print('has run')" for n, wrong in enumerate(WRONG)]
    done = run("\n".join([*tests, "def test_right(): pass"]))
    assert outcome(done) == f"1 passed, {len(WRONG)} errors", done.stdout
    for number, error in enumerate(WRONG.values()):
        assert f"\nlimit_sockets of test_it.py::test_{number}: {error}\n" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "has run" not in done.stdout


@pytest.mark.parametrize(
    ("ini", "arguments", "error"),
    [
        ("limit_sockets = some", [], "pytest.ini, limit_sockets: there is no 'some': one of marked, all, off"),
        ("", ["--limit-sockets=some"], "--limit-sockets: there is no 'some': one of marked, all, off"),
        ("limit_sockets_report = maybe", [], "pytest.ini, limit_sockets_report: 'maybe' is no answer: true or false"),
        ("limit_sockets_default = leaked", [], "pytest.ini, limit_sockets_default: 'leaked' is no NAME=VALUE: NAME is"),
        ("limit_sockets_default = leaked=x", [], "pytest.ini, limit_sockets_default: leaked='x' is no count: give 0"),
        ("limit_sockets_default = nap=1", [], "pytest.ini, limit_sockets_default: there is no argument 'nap': known:"),
    ],
)
def test_wrong_settings_name_their_source(run: Run, ini: str, arguments: list[str], error: str) -> None:
    """One line, and pytest's code for wrong usage."""
    done = run("def test_it(): pass", *arguments, ini=ini)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip().startswith(f"ERROR: {error}")
    assert len(done.stderr.strip().splitlines()) == 1


MARKED_AND_NOT = """
@pytest.mark.limit_sockets(leaked=0)
def test_marked(): leak()
def test_not_marked(): leak()
"""


@pytest.mark.parametrize(
    ("ini", "arguments", "expected"),
    [
        ("", [], "1 failed, 1 passed"),
        ("limit_sockets = all", [], "2 failed"),
        ("limit_sockets = all", ["--limit-sockets=off"], "2 passed"),
        ("limit_sockets = off", [], "2 passed"),
        ("limit_sockets = off", ["--limit-sockets=marked"], "1 failed, 1 passed"),
        ("limit_sockets = all\nlimit_sockets_default = leaked=1", [], "1 failed, 1 passed"),
        ("limit_sockets_default = leaked=none", ["--limit-sockets=all"], "1 failed, 1 passed"),
        ("limit_sockets_default = remote=192.0.2.1,192.0.2.2:80", ["--limit-sockets=all"], "2 passed"),
    ],
)
def test_a_flag_wins_over_the_ini_file(run: Run, ini: str, arguments: list[str], expected: str) -> None:
    """And what a marker says over both."""
    settle = "" if "limit_sockets_default" in ini else "\nlimit_sockets_default = settle=0"
    assert outcome(run(MARKED_AND_NOT, *arguments, ini=ini + settle)) == expected


WORST = """
@pytest.mark.parametrize("count", [0, 1, 3])
def test_many(count):
    for _ in range(count): leak()
"""


def test_a_failed_test_is_not_listed(run: Run) -> None:
    """Nor is one that was skipped: its own failure is what is reported, and its traceback keeps what it had open."""
    done = run(
        """
        def test_fails():
            leak()
            assert not KEPT
        def test_skips():
            leak()
            pytest.skip("no need")
        """,
        "--sockets",
    )
    assert "sockets left behind by 0 of 2 tests" in done.stdout


@pytest.mark.parametrize("arguments", [["--sockets"], ["--sockets", "-n", "2"], []], ids=["alone", "xdist", "ini"])
def test_the_section_lists_the_worst_tests(run: Run, arguments: list[str]) -> None:
    """By the ini file, too, and with workers; without a marker nothing fails."""
    done = run(
        WORST, *arguments, ini="limit_sockets_default = settle=0\n" + "limit_sockets_report = true\n" * (not arguments)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _, _, section = done.stdout.partition("sockets left behind by 2 of 3 tests")
    lines = [line for line in section.splitlines()[1:] if not line.startswith("=")]
    assert lines == [
        "   3  test_it.py::test_many[3]: ESTABLISHED 3",
        "        test_it.py:6 in leak",
        "   1  test_it.py::test_many[1]: ESTABLISHED 1",
        "        test_it.py:6 in leak",
    ]


def test_there_is_no_section_unless_wanted(run: Run) -> None:
    """Nor is anything watched."""
    assert "left behind" not in run(WORST).stdout


def test_many_of_a_kind_are_one(run: Run) -> None:
    """A hundred sockets of one line are one entry with their number."""
    done = run(
        """
        @pytest.mark.limit_sockets(settle=0)
        def test_many():
            for _ in range(100): leak()
        """
    )
    assert done.stdout.count("ESTABLISHED") == 1
    assert "100 x ESTABLISHED to 127.0.0.1:" in done.stdout


def test_sockets_by_the_thousand_are_forgotten_when_closed(run: Run) -> None:
    """The one that stays is still named by its line."""
    done = run(
        """
        @pytest.mark.limit_sockets(settle=0)
        def test_many():
            KEPT.append(socket.socket())
            for _ in range(10_000): socket.socket().close()
        """
    )
    assert "opened at test_it.py:10 in test_many" in done.stdout, done.stdout


def test_the_collector_does_not_speak_before_the_verdict(run: Run) -> None:
    """What the marker's own look allocates would set it off: its warning about the socket is not what the test fails
    with."""
    done = run(
        """
        from hermes_diag.leakguard import snapshot
        now = snapshot.now
        def allocating(*given):
            kept = [[] for _ in range(20_000)]  # the collector runs at each 700, if it is not told to rest
            return now(*given)
        @pytest.mark.limit_sockets(settle=0)
        def test_leaks():
            class Cycle: pass
            cycle = Cycle()
            cycle.me, cycle.sock = cycle, socket.create_connection(LISTENER.getsockname())
            snapshot.now = allocating
        """,
        "-W",
        "error",
    )
    assert outcome(done) == "1 failed", done.stdout
    assert "nothing refers to it any more" in done.stdout


def test_the_next_test_is_not_blamed(run: Run) -> None:
    """Garbage of a leak is collected where it is reported: with warnings as errors, later tests stay clean."""
    done = run(
        """
        @pytest.mark.limit_sockets(settle=0)
        def test_leaks():
            class Cycle: pass
            cycle = Cycle()
            cycle.me, cycle.sock = cycle, socket.create_connection(LISTENER.getsockname())
        def test_next():
            import gc
            gc.collect()
        """,
        "-W",
        "error",
    )
    assert outcome(done) == "1 failed, 1 passed", done.stdout
    assert "nothing refers to it any more" in done.stdout


def test_junit_has_it_once(run: Run, tmp_path: Path) -> None:
    """One test, one complaint with its text."""
    run("@pytest.mark.limit_sockets(settle=0)\ndef test_leaks(): leak()", "--junitxml=j.xml")
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()[0]
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["1", "0", "1"]
    assert "opened at test_it.py:6 in leak" in suite.findtext("testcase/error")


def test_classes_modules_and_unittest(run: Run) -> None:
    """The marker may stand on a class or in pytestmark; the nearest one holds."""
    done = run(
        """
        import unittest
        pytestmark = pytest.mark.limit_sockets(settle=0)
        @pytest.mark.limit_sockets(leaked=1, settle=0)
        class TestAllowed:
            def test_one(self): leak()
            @pytest.mark.limit_sockets(leaked=0, settle=0)
            def test_none(self): leak()
        class Case(unittest.TestCase):
            def tearDown(self): self.sock.close()
            def test_closed(self): self.sock = socket.create_connection(LISTENER.getsockname())
            def test_open(self): self.sock = socket.socket(); leak()
        """
    )
    failed = set(re.findall(r"^FAILED test_it.py::(\S+)", done.stdout, re.MULTILINE))
    assert failed == {"TestAllowed::test_none", "Case::test_open"}, done.stdout
    assert outcome(done) == "2 failed, 2 passed"


def test_subtests(run: Run) -> None:
    """Each is reported as without us; a test one of which failed has failed, and is not accused as well."""
    done = run(
        """
        import unittest
        pytestmark = pytest.mark.limit_sockets(settle=0)
        def test_clean(subtests):
            for number in range(2):
                with subtests.test(number=number): pass
        def test_leaks(subtests):
            with subtests.test(number=0): leak()
        def test_fails(subtests):
            with subtests.test(number=0):
                leak()
                raise ValueError
            with subtests.test(number=1): pass
        class Case(unittest.TestCase):
            def test_fails(self):
                with self.subTest(number=0): raise ValueError
        """,
        "-v",
    )
    assert outcome(done) == "4 failed, 2 passed, 4 subtests passed", done.stdout
    assert done.stdout.count("left behind") == 2  # of one, and in the summary
    assert "FAILED test_it.py::test_fails - contains 1 failed subtest" in done.stdout


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("", "1 passed, 1 error"),
        ("@pytest.mark.xfail(strict=True)", "1 failed"),
        ("@pytest.mark.xfail(strict=False)", "1 xpassed"),
    ],
)
def test_a_fixture_that_fails_at_its_end_hides_nothing(run: Run, mark: str, expected: str) -> None:
    """That the test has passed, or that an expected failure did not come, is counted beside it."""
    done = run(
        f"""
        @pytest.fixture
        def bad():
            yield
            raise RuntimeError
        {mark}
        @pytest.mark.limit_sockets
        def test_it(bad): pass
        """
    )
    assert outcome(done) == expected, done.stdout
    assert done.returncode == ("False" not in mark)


def test_who_runs_it_again_has_the_last_word(run: Run) -> None:
    """Plugins that run a test again give its reports an outcome of their own."""
    done = run(
        """
        @pytest.mark.limit_sockets(settle=0)
        def test_leaks_once():
            if not KEPT: leak()
        """,
        "-p",
        "again",
        PYTHONPATH=str(ROOT / "tests" / "plugins"),
    )
    assert (outcome(done), done.returncode) == ("1 passed, 1 rerun", 0), done.stdout


def test_a_loop_of_wider_scope_goes_on(run: Run) -> None:
    """What closes in it after the test is given turns; the threads of its executor are its own."""
    done = run(
        """
        import asyncio, httpx, pytest_asyncio
        pytestmark = [pytest.mark.limit_sockets, pytest.mark.asyncio(loop_scope="session")]
        @pytest_asyncio.fixture(loop_scope="session", scope="session")
        async def url():
            async def answer(reader, writer):
                await reader.readuntil(b"\\r\\n\\r\\n")
                writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 1\\r\\n\\r\\nx")
                await reader.read()
                writer.close()
            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            yield "http://localhost:%d/" % server.sockets[0].getsockname()[1]
            server.close()
        @pytest.mark.parametrize("number", range(2))
        async def test_clean(url, number):
            async with httpx.AsyncClient() as client:
                assert (await client.get(url)).text == "x"
        @pytest.mark.asyncio(loop_scope="module")
        async def test_another_loop():
            await asyncio.get_running_loop().getaddrinfo("localhost", 1)
        async def test_clean_again(url):
            await test_clean(url, 2)
        async def test_leaks(url):
            KEPT.append(client := httpx.AsyncClient())
            await client.get(url)
        """,
        "-p",
        "asyncio",
    )
    assert outcome(done) == "1 failed, 4 passed", done.stdout
    assert "test_it.py::test_leaks" in done.stdout


def test_what_multiprocessing_keeps(run: Run) -> None:
    """Its fork server and its resource tracker are started once, by whoever is the first to want them."""
    done = run(
        """
        import multiprocessing
        @pytest.mark.limit_sockets
        @pytest.mark.parametrize("number", range(2))
        def test_pool(number):
            with multiprocessing.get_context("forkserver").Pool(1) as pool:
                assert pool.map(len, ["x"]) == [1]
            pool.join()
        """
    )
    assert outcome(done) == "2 passed", done.stdout


def test_closed_sockets_that_are_kept_cost_nothing_more(run: Run) -> None:
    """Each is looked at once, and not again for each that comes after it."""
    done = run(
        """
        import sys
        @pytest.mark.limit_sockets
        def test_many():
            kept = []
            for _ in range(100):
                kept.append(socket.socket())
                kept[-1].close()
            openings = sys.modules["hermes_diag.leakguard.hook"]._watching
            openings.sockets()
            assert not openings._incomplete
        """
    )
    assert outcome(done) == "1 passed", done.stdout


def test_a_hook_calls_nothing_that_a_test_may_replace(run: Run) -> None:
    """blockbuster makes such functions raise within an event loop: that must not come out of socket.socket()."""
    done = run(
        """
        import os, posixpath
        def refuse(*args, **kwargs):
            raise RuntimeError("a blocking call")
        @pytest.mark.limit_sockets(settle=0)
        def test_it(monkeypatch):
            with monkeypatch.context() as patch:
                for name in ("stat", "lstat", "fstat", "readlink", "listdir", "scandir", "open", "getcwd"):
                    patch.setattr(os, name, refuse)
                for name in ("realpath", "abspath", "isfile", "exists"):
                    patch.setattr(posixpath, name, refuse)
                KEPT.append(socket.create_connection(LISTENER.getsockname()))
        """
    )
    assert outcome(done) == "1 failed", done.stdout
    assert "a blocking call" not in done.stdout
    assert "opened at test_it.py" in done.stdout


def test_a_test_may_run_pytest_itself(run: Run) -> None:
    """Guards stand inside each other: each judges its own test, and the outer one hears of later openings again."""
    done = run(
        """
        pytest_plugins = "pytester"
        @pytest.mark.limit_sockets(settle=0, fds=None)
        def test_outer(pytester):
            pytester.makepyfile('''
                import pytest, socket
                @pytest.mark.limit_sockets(settle=0)
                def test_inner(): test_inner.kept = socket.socket()
                @pytest.mark.limit_sockets
                def test_good(): pass
            ''')
            pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:asyncio").assert_outcomes(failed=1, passed=1)
            leak()
        """
    )
    assert outcome(done) == "1 failed", done.stdout
    assert "opened at test_it.py:6 in leak" in done.stdout


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="to hide /proc takes root and a mount namespace"
)
def test_who_cannot_look_does_not_say_clean(run: Run, tmp_path: Path) -> None:
    """Without /proc a marked test is an error with its cure, unless that is switched off."""
    run("@pytest.mark.limit_sockets\ndef test_it(): pass")
    for arguments, expected in (([], "1 error"), (["--limit-sockets=off"], "1 passed")):
        command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
        done = subprocess.run(
            [*command, sys.executable, "-m", "pytest", *QUIET, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        if "mount:" in done.stderr:
            pytest.skip("not allowed to mount here")
        assert outcome(done) == expected, done.stdout
        assert ("leave it visible" in done.stdout) == (not arguments)


def test_who_leaks_up_to_the_limit_is_found(run: Run) -> None:
    """The last descriptor is kept to look with; who comes next and finds none is told why it cannot be looked at."""
    done = run(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        pytestmark = pytest.mark.limit_sockets(settle=0)
        def test_leaks():
            with pytest.raises(OSError):
                while True: leak()
        def test_next(): pass
        """,
        "--tb=no",
        "-rA",
    )
    assert outcome(done).startswith("1 failed"), done.stdout
    assert re.search(r"FAILED test_it.py::test_leaks - Failed: left behind: \d\d sockets open", done.stdout)


def test_what_tests_put_in_the_place_of_things(run: Run) -> None:
    """Another socket.socket, for a module; or a file system that hides /proc, while a wider fixture is set up."""
    done = run(
        """
        pytestmark = pytest.mark.limit_sockets(settle=0)
        REAL = socket.socket
        @pytest.fixture(scope="module")
        def patched():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("socket.socket", lambda *args: REAL(*args))
                yield
        @pytest.fixture(scope="module")
        def wider(): pass
        @pytest.fixture
        def hidden(monkeypatch):
            monkeypatch.setattr("os.listdir", lambda path: open(path + "/nowhere"))
        def test_clean(patched):
            socket.socket().close()
        def test_leaks(patched):
            KEPT.append(socket.socket())
        def test_hidden(hidden, request):
            request.getfixturevalue("wider")
        """
    )
    assert outcome(done) == "1 failed, 1 passed, 1 error", done.stdout
    assert "opened at test_it.py:13 in <lambda>" in done.stdout
    assert "limit_sockets could not look: /proc/self/fd cannot be read: No such file or directory" in done.stdout


def test_the_provider_fixture(run: Run) -> None:
    """Points the environment at itself for one test, without proxies; faults may be set."""
    done = run(
        """
        import openai
        def test_it(provider):
            assert os.environ["OPENAI_BASE_URL"] == provider.base_url
            assert not [name for name in os.environ if name.lower().endswith("_proxy")]
            with openai.OpenAI(max_retries=0) as client:
                assert client.responses.create(model="gpt-5", input="hi").output_text
                provider.set_faults(["http-503"])
                with pytest.raises(openai.InternalServerError):
                    client.responses.create(model="gpt-5", input="hi")
            provider.settle()
            assert len(provider.requests) == 2
        def test_after():
            assert os.environ["OPENAI_BASE_URL"] == "http://before"
            assert os.environ["HTTPS_PROXY"] == "http://proxy"
        """,
        OPENAI_BASE_URL="http://before",
        HTTPS_PROXY="http://proxy",
        http_proxy="http://proxy",
    )
    assert outcome(done) == "2 passed", done.stdout


def test_nothing_heavy_is_imported_before_it_is_used(run: Run) -> None:
    """A run without a marked test pays for the plugin's one module only, and has no audit hook."""
    done = run(
        """
        import sys
        def test_it():
            assert {name for name in sys.modules if name.startswith("hermes_diag")} == {
                "hermes_diag", "hermes_diag.pytest_plugin"
            }
            assert threading.Thread.start.__module__ == "threading"
            assert threading.Thread.start is threading.Thread.__dict__["start"]
            assert not hasattr(threading.Thread.start, "__wrapped__")
        @pytest.mark.limit_sockets
        def test_marked(): pass
        def test_marked_imports_little():
            heavy = {"typer", "rich", "psutil", "h11", "msgspec", "trustme", "openai", "httpx", "asyncio"}
            assert not heavy & set(sys.modules)
        """,
        "-p",
        "no:anyio",
        "-p",
        "no:xdist",
        "-p",
        "no:hypothesispytest",
    )
    assert outcome(done) == "3 passed", done.stdout


def example(tmp_path: Path, name: str, factory: str) -> subprocess.CompletedProcess[str]:
    folder = shutil.copytree(ROOT / "tests" / "examples", tmp_path / "examples")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *QUIET, "--rootdir", str(folder), str(folder / f"test_{name}.py")],
        cwd=folder,
        env={**HOME, "LIFECYCLE_FACTORY": factory, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["limit_sockets", "gateway_loop", "promises"])
def test_the_guard_of_the_bug_report(tmp_path: Path, name: str) -> None:
    """tests/examples passes on the fixed factory; on the buggy one it fails with words a stranger understands."""
    good = example(tmp_path / "fixed", name, "fixed")
    assert outcome(good) == "1 passed", good.stdout
    done = example(tmp_path / "buggy", name, "buggy")
    assert done.returncode == 1
    # When a reader already waits in the kernel as its socket is closed is chance.
    text = re.sub(r"; meanwhile \d ESTABLISHED sockets? had no owner", "", plain(done.stdout))
    text = re.sub(r" in [\d.]+s|0x[0-9a-f]+", "", text)
    assert text == (GOLDEN / f"example_{name}.txt").read_text()


LOOP = """
import openai, httpx

def right(kwargs):
    return openai.OpenAI(**kwargs)

def shares(kwargs):
    kwargs.setdefault("http_client", httpx.Client())
    return openai.OpenAI(**kwargs)
"""


def test_the_loop_in_this_process(run: Run) -> None:
    """With in_process a closure, a client and an async client are driven here; verdicts are as in a worker."""
    done = run(
        LOOP
        + textwrap.dedent(
            """
            import asyncio
            SMALL = {"turns": 6, "workloads": ["steady", "overlapping"], "in_process": True}

            @pytest.mark.limit_sockets
            def test_closure(gateway_loop):
                gateway_loop(lambda kwargs: openai.OpenAI(**kwargs), **SMALL).check()

            def test_inside_a_running_loop(gateway_loop):
                async def inside():
                    gateway_loop(lambda kwargs: openai.AsyncOpenAI(**kwargs), **SMALL).check()
                asyncio.run(inside())

            def test_client(gateway_loop):
                client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9/v1")
                gateway_loop(client, **SMALL).check()

            def test_shares(gateway_loop):
                loop = gateway_loop(shares, **SMALL)
                assert loop.words == {"close/steady": "fails", "close/overlapping": "fails"}
                assert not loop.ok

            def test_breaks_down(gateway_loop):
                def broken(kwargs):
                    raise ValueError("sk-secret")
                with pytest.raises(AssertionError, match="the factory broke: ValueError") as caught:
                    gateway_loop(broken, **SMALL).check()
                assert "sk-secret" not in str(caught.value)
            """
        )
    )
    assert outcome(done) == "5 passed", done.stdout


def test_trio_keeps_its_idle_threads(run: Run) -> None:
    """They are kept for what comes next and end by themselves: nobody's leak. One that works is."""
    done = run(
        """
        import time, trio

        @pytest.mark.limit_sockets
        def test_idle():
            trio.run(trio.to_thread.run_sync, int)

        @pytest.mark.limit_sockets(settle=0)
        def test_at_work():
            async def main():
                with trio.move_on_after(0.2):
                    await trio.to_thread.run_sync(time.sleep, 3, abandon_on_cancel=True)
            trio.run(main)

        class Wrapped:  # as those do that look for blocking calls
            def __init__(self): self.lock = threading._allocate_lock()
            def acquire(self, *args, **kwargs): return self.lock.acquire(*args, **kwargs)
            def release(self): self.lock.release()

        @pytest.mark.limit_sockets
        def test_idle_in_a_wrapper(monkeypatch):
            from trio._core import _thread_cache
            monkeypatch.setattr(_thread_cache, "THREAD_CACHE", _thread_cache.ThreadCache())
            monkeypatch.setattr(_thread_cache, "Lock", Wrapped)
            trio.run(trio.to_thread.run_sync, int)
        """
    )
    assert outcome(done) == "1 failed, 2 passed", done.stdout
    assert "test_it.py::test_at_work" in done.stdout


def test_the_loop_that_pytest_asyncio_leaves(run: Run, tmp_path: Path) -> None:
    """Releases before 1.4 put an event loop in place and leave it open: nobody's leak. One that the test leaves is."""
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "like_pytest_asyncio.py").write_text(
        "import asyncio, pytest\n"
        "@pytest.fixture\n"
        "def like_pytest_asyncio():\n"
        "    yield\n"
        "    asyncio.set_event_loop(asyncio.new_event_loop())\n"
    )
    done = run(
        """
        import asyncio, gc
        pytestmark = pytest.mark.limit_sockets(settle=0)
        def test_first(like_pytest_asyncio): pass
        def test_next(like_pytest_asyncio): asyncio.get_event_loop_policy()._local._loop.close()
        def test_in_between(): pass
        def test_run():
            asyncio.run(asyncio.sleep(0))  # which lets go of the loop that was there
            gc.collect()  # of that nothing is to be closed while a later test opens another one
        def test_first_again(like_pytest_asyncio): pass
        def test_leaks(): KEPT.append(asyncio.new_event_loop())
        def test_leaks_in_its_place(): asyncio.set_event_loop(asyncio.new_event_loop())
        """,
        "-p",
        "like_pytest_asyncio",
        PYTHONPATH=str(installed),
    )
    assert outcome(done) == "2 failed, 5 passed", done.stdout
    assert done.stdout.count("2 sockets open (allowed: leaked=0), 1 more open descriptor (allowed: fds=0)") == 4
    assert "opened at test_it.py:18 in test_leaks_in_its_place" in done.stdout


@pytest.mark.parametrize("where", ["here", "worker"])
def test_an_interrupt_ends_the_loop(tmp_path: Path, where: str) -> None:
    """Ctrl-C in the middle of a long loop ends pytest soon, and its worker with it."""
    (tmp_path / "test_it.py").write_text(
        LOOP
        + textwrap.dedent(
            f"""
            def begins(kwargs):
                open("begun", "w").close()
                return right(kwargs)

            def test_long(gateway_loop):
                gateway_loop(begins, turns=5000, in_process={where == "here"})
            """
        )
    )
    command = [sys.executable, "-m", "pytest", "-o", "faulthandler_timeout=30", *QUIET]
    with subprocess.Popen(command, cwd=tmp_path, env=HOME, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        while not (tmp_path / "begun").exists():
            assert running.poll() is None
            time.sleep(0.05)
        time.sleep(1)  # somewhere in the loop
        running.send_signal(signal.SIGINT)
        try:
            text = running.communicate(timeout=60)[0].decode()
        except subprocess.TimeoutExpired:  # what it says then shows where its threads stand
            running.kill()
            text = running.communicate()[0].decode()
    assert running.returncode == 2, text
    assert "KeyboardInterrupt" in text


def test_an_interrupt_that_another_thread_was_given(tmp_path: Path) -> None:
    """The kernel gives a signal to any thread of a process: Ctrl-C ends the loop all the same."""
    (tmp_path / "test_it.py").write_text(
        LOOP
        + textwrap.dedent(
            """
            import signal, threading
            CALLS = []

            def interrupted(kwargs):
                CALLS.append(kwargs)
                if len(CALLS) == 20:
                    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
                return right(kwargs)

            def test_long(gateway_loop):
                assert threading.current_thread() is threading.main_thread()
                gateway_loop(interrupted, turns=5000, in_process=True)
            """
        )
    )
    command = [sys.executable, "-m", "pytest", *QUIET]
    done = subprocess.run(command, cwd=tmp_path, env=HOME, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stdout
    assert "KeyboardInterrupt" in done.stdout


def test_the_loop_in_a_worker(run: Run) -> None:
    """A factory of the test's own module goes by its name; what a worker cannot import is refused with a cure."""
    done = run(
        LOOP
        + textwrap.dedent(
            """
            def test_right(gateway_loop):
                loop = gateway_loop(right, workloads=["steady"], turns=4)
                loop.check()
                assert loop.words == {"close/steady": "ok"}

            def test_under_a_fault(gateway_loop):
                loop = gateway_loop("test_it.py:right", workloads=["steady"], turns=2, faults=["rst-mid-stream"])
                assert loop.words == {"close/steady/rst-mid-stream": "fails"}

            @pytest.mark.parametrize("wrong", [{"turns": 0}, {"workloads": ["stedy"]}, {"faults": ["nope"]}])
            def test_wrong_arguments(gateway_loop, wrong):
                from hermes_diag.core.errors import UsageError
                with pytest.raises(UsageError):
                    gateway_loop(right, **wrong)

            def test_closure(gateway_loop):
                from hermes_diag.core.errors import UsageError
                with pytest.raises(UsageError, match="cannot be imported by another process"):
                    gateway_loop(lambda kwargs: None)
            """
        )
    )
    assert outcome(done) == "6 passed", done.stdout


def test_the_docs_name_everything() -> None:
    """docs/pytest.md has each argument with its default, and each flag and setting."""
    docs = (ROOT / "docs" / "pytest.md").read_text()
    for field in dataclasses.fields(Limits):
        default = "all" if field.name == "remote" else field.default
        assert f"| `{field.name}` | {default} |" in docs
    for name in ("--limit-sockets", "--sockets", "limit_sockets", "limit_sockets_report", "limit_sockets_default"):
        assert f"`{name}" in docs


CHILDREN = """
import multiprocessing, subprocess, sys, time
HOLD = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(flush=True); input()"

def hold(pipe):
    server = socket.create_server(("127.0.0.1", 0))
    os.write(pipe, b"x")
    time.sleep(20)
    os._exit(0)  # not into the rest of pytest

def ready(child):
    KEPT.append(child)
    child.stdout.readline()

@pytest.fixture(scope="module", autouse=True)
def end():
    yield
    for child in KEPT:
        child.kill()
        child.wait()

class Fork:
    def __init__(self, pid):
        self.pid = pid
    def kill(self):
        os.kill(self.pid, 9)
    def wait(self):
        os.waitpid(self.pid, 0)

@pytest.mark.limit_sockets(settle=0, fds=None)
def test_children():
    ready(subprocess.Popen([sys.executable, "-c", HOLD], stdin=-1, stdout=-1))  # one
    ready(subprocess.Popen([sys.executable, "-c", HOLD], stdin=-1, stdout=-1))  # two
    ready(subprocess.Popen(["sh", "-c", '"$0" -c "$1"; true', sys.executable, HOLD], stdin=-1, stdout=-1))  # shell
    pipe, end = os.pipe()
    child = multiprocessing.get_context("fork").Process(target=hold, args=(end,))
    child.start()  # multiprocessing
    KEPT.append(Fork(child.pid))
    os.read(pipe, 1)
    pid = os.fork()  # by hand
    if pid == 0:
        hold(end)
    KEPT.append(Fork(pid))
    os.read(pipe, 1)
    pid = os.fork()  # which opens nothing
    if pid == 0:
        time.sleep(20)
        os._exit(0)
    KEPT.append(Fork(pid))
"""


def test_which_child_it_was(run: Run) -> None:
    """Of several with one command line, of multiprocessing's, of forks and of a shell's own child: the line."""
    done = run(CHILDREN)
    assert outcome(done) == "1 failed", done.stdout
    assert "left behind: 5 sockets open (allowed: leaked=0)" in done.stdout
    named = re.findall(r"by the child, which was started at .* in test_children\n.*# (.*)", done.stdout)
    assert sorted(named) == ["by hand", "multiprocessing", "one", "shell", "two"], done.stdout


TASKS = """
import asyncio, concurrent.futures, types
# To us it is a library: its code is said to be installed.
library = types.ModuleType("library")
exec(compile('''
import asyncio
async def connect(to, kept):
    kept.append(await asyncio.open_connection(*to))
async def deep(to, kept):
    await asyncio.gather(asyncio.create_task(connect(to, kept)))
''', "/nowhere/site-packages/library.py", "exec"), library.__dict__)

TO = LISTENER.getsockname()

async def mine(call):
    await asyncio.create_task(call(TO, KEPT))  # this one

async def other():
    await asyncio.sleep(0.2)

async def by_gather(call):
    await asyncio.gather(other(), mine(call), other())

async def by_wait_for(call):
    await asyncio.wait_for(call(TO, KEPT), 5)  # this one

async def by_wait(call):
    await asyncio.wait([asyncio.create_task(call(TO, KEPT)), asyncio.create_task(other())])  # this one

async def by_group(call):
    async with asyncio.TaskGroup() as group:  # this one
        group.create_task(call(TO, KEPT))

@pytest.mark.limit_sockets(settle=0)
@pytest.mark.parametrize("call", [library.connect, library.deep])
@pytest.mark.parametrize("how", [by_gather, by_wait_for, by_wait, by_group])
def test_it(how, call):
    asyncio.run(how(call))

async def not_yet():
    task = asyncio.create_task(library.connect(TO, KEPT))
    await asyncio.sleep(0.2)
    await task

async def not_yet_in_a_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(library.connect(TO, KEPT))
        await asyncio.sleep(0.2)

async def by_hand():
    sock = socket.socket()  # this one
    sock.setblocking(False)
    KEPT.append(sock)
    task = asyncio.create_task(asyncio.get_running_loop().sock_connect(sock, TO))
    await asyncio.sleep(0.2)
    await task

@pytest.mark.limit_sockets(settle=0)
@pytest.mark.parametrize("how", [not_yet, not_yet_in_a_group])
def test_nobody_waits(how):
    asyncio.run(how())  # this one

@pytest.mark.limit_sockets(settle=0)
def test_by_hand():
    asyncio.run(by_hand())

@pytest.mark.limit_sockets(settle=0)
def test_by_a_thread():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        sock = socket.socket()  # this one
        KEPT.append(sock)
        pool.submit(sock.connect, TO).result()
"""


def test_which_task_waited(run: Run) -> None:
    """Of many tasks it is the one that waits for the library's, in any of the ways to wait, also through another of
    those; when none does yet, no line is made up. A line of one's own is not lost to one that says less."""
    done = run(TASKS)
    assert outcome(done) == "12 failed", done.stdout
    assert len(re.findall(r"opened at test_it.py:\d+ in \w+\n.*# this one", done.stdout)) == 12, done.stdout


def test_a_marked_test_runs_as_it_does_without(run: Run) -> None:
    """What a signal's handler raises comes through; a thread that nobody refers to any more goes; another
    os.path.realpath leads no later test astray; and what a thread reads from is found after thousands of others."""
    done = run(
        """
        import signal, time, weakref
        pytestmark = pytest.mark.limit_sockets(settle=0)

        def test_a_handler_is_heard():
            def late(*_): raise TimeoutError
            signal.signal(signal.SIGALRM, late)
            heard = 0
            for _ in range(50):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.005)
                    end = time.monotonic() + 5
                    while time.monotonic() < end:
                        socket.socket().close()
                except TimeoutError:
                    heard += 1
            assert heard == 50

        @pytest.fixture(scope="module")
        def threads():
            class Polls(threading.Thread):
                def run(self): stop.wait()
            stop = threading.Event()
            found = [Polls(), stop]
            found[0].start()
            yield found

        def test_before(threads): pass

        def test_a_thread_goes(threads):
            polls, stop = threads.pop(0), threads.pop()
            stop.set()
            polls.join()
            there = weakref.ref(polls)
            del polls
            assert there() is None

        def test_elsewhere(monkeypatch):
            monkeypatch.setattr(os.path, "realpath", lambda path, **_: "/nowhere" + str(path))
            socket.socket().close()

        def test_leaks(): KEPT.append(socket.create_server(("127.0.0.1", 0)))  # this one

        def test_many():
            sock = socket.create_connection(LISTENER.getsockname())
            KEPT.append(threading.Thread(target=os.read, args=(sock.fileno(), 1), daemon=True))
            KEPT[-1].start()
            time.sleep(0.1)
            sock.close()
            for _ in range(5000):
                socket.create_server(("127.0.0.1", 0)).close()
        """,
        "-o",
        "limit_sockets_default=threads=none",
    )
    assert outcome(done) == "2 failed, 4 passed", done.stdout
    assert re.search(r"opened at test_it.py:\d+ in test_leaks\n.*# this one", done.stdout), done.stdout
    assert "no descriptor left: a thread still waits in it" in done.stdout


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Test -> FAILED or PASSED, of a run with -v."""
    return dict(re.findall(r"^test_it.py::(\w+(?:\[.*?\])?) (PASSED|FAILED|ERROR)", done.stdout, re.MULTILINE))


def as_named(done: subprocess.CompletedProcess[str]) -> None:
    """Tests whose names begin with test_leaks have failed, all others have passed."""
    found = verdicts(done)
    assert found, done.stdout
    assert found == {name: "FAILED" if name.startswith("test_leaks") else "PASSED" for name in found}, done.stdout


def test_each_line_is_found(run: Run) -> None:
    """Of sockets that were detached or are made around a descriptor; of files, pipes, SQLite and mmap; beside that of a
    library or a thread always the test's own. Of what raises no event it is said that no line was seen."""
    done = run(
        """
        import mmap, selectors, sqlite3, subprocess, sys, tempfile, types
        library = types.ModuleType("library")
        exec(compile("def deep(n, call):\\n    return deep(n - 1, call) if n else call()\\n", "deep.py", "exec"),
             library.__dict__)
        pytestmark = pytest.mark.limit_sockets(settle=0)

        def test_leaks_detached():
            KEPT.append(socket.socket().detach())  # this one
        def test_leaks_around():
            fd = socket.socket().detach()  # this one
            KEPT.append(socket.socket(fileno=fd))
        def test_leaks_dup():
            with socket.create_connection(LISTENER.getsockname()) as sock:  # this one
                KEPT.append(os.dup(sock.fileno()))
        def test_leaks_file(tmp_path):
            KEPT.append((tmp_path / "a.log").open("w"))  # this one
        def test_leaks_file_by_a_relative_path(tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)
            KEPT.append(os.open("b.log", os.O_CREAT | os.O_RDWR))  # this one
        def test_leaks_file_by_a_link(tmp_path):
            (tmp_path / "real").touch()
            (tmp_path / "link").symlink_to(tmp_path / "real")
            KEPT.append(open(tmp_path / "link"))  # this one
        def test_leaks_file_without_a_name():
            KEPT.append(tempfile.TemporaryFile())  # this one
        def test_leaks_sqlite(tmp_path):
            KEPT.append(sqlite3.connect(tmp_path / "a.db"))  # this one
        def test_leaks_mmap(tmp_path):
            with open(tmp_path / "m", "w+b") as file:
                file.truncate(4096)
                KEPT.append(mmap.mmap(file.fileno(), 4096))  # this one
        def test_leaks_pipes_of_a_child():
            child = subprocess.Popen([sys.executable, "-c", ""], stdout=-1)  # this one
            child.wait()
            KEPT.append(child)
        def test_leaks_far_below():
            KEPT.append(library.deep(9, socket.socket))  # this one
        def test_leaks_in_a_thread():
            def body():
                KEPT.append(library.deep(9, socket.socket))
            thread = threading.Thread(target=body)
            thread.start()  # this one
            thread.join()

        def test_leaks_pipe():
            KEPT.append(os.pipe())
        def test_leaks_selector():
            KEPT.append(selectors.DefaultSelector())
        """,
        "-v",
    )
    as_named(done)
    _, _, texts = done.stdout.partition("FAILURES")
    for name in verdicts(done):
        text = re.search(rf"_ {name} _+\n(.*?)(?=\n___|\n===)", texts, re.DOTALL)[1]
        if name in ("test_leaks_pipe", "test_leaks_selector"):
            assert "no opening line was seen" in text
        else:
            assert re.search(r"(opened|called|started).* at test_it.py:\d+ in \w+\n.*# this one", text) or re.search(
                r"from test_it.py:\d+ in \w+\n.*# this one", text
            ), text


def test_what_wider_scopes_do_is_theirs(run: Run) -> None:
    """A server of the class accepts; a pool of the session reconnects. A test that does so itself, or swaps one leaked
    socket for another, has leaked, though as many are open after it as before."""
    done = run(
        """
        import socketserver, time
        pytestmark = pytest.mark.limit_sockets(settle=0.2)

        class Pool:
            def __init__(self): self.sock = self.peer = None
            def get(self):
                if self.sock is None or self.sock.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b"":
                    if self.sock: self.sock.close()
                    self.sock = socket.create_connection(LISTENER.getsockname())
                    self.peer = LISTENER.accept()[0]
            def drop(self):
                self.peer.close()

        @pytest.fixture(scope="session")
        def pool():
            pool = Pool()
            pool.get()
            pool.drop()
            return pool

        @pytest.fixture(scope="session")
        def address():
            class Handler(socketserver.BaseRequestHandler):
                def handle(self): time.sleep(1)
            class Server(socketserver.ThreadingTCPServer):
                daemon_threads = True
            with Server(("127.0.0.1", 0), Handler) as server:
                threading.Thread(target=server.serve_forever, daemon=True).start()
                yield server.server_address
                server.shutdown()

        def test_reconnects(pool):
            pool.get()
            pool.drop()
        def test_reconnects_again(pool):
            pool.get()
            pool.drop()
        def test_leaks_beside_the_pool(pool):
            pool.sock.close()
            KEPT.append(socket.create_connection(LISTENER.getsockname()))
            LISTENER.accept()[0].close()
        def test_leaks_first():
            leak()
        def test_leaks_another_instead():
            KEPT.pop().close()
            leak()

        def test_served(address):
            with socket.create_connection(address): time.sleep(0.05)
        def test_leaks_its_own_end(address):
            KEPT.append(socket.create_connection(address))
        def test_leaks_what_it_accepts():
            with socket.create_connection(LISTENER.getsockname()):
                while LISTENER.accept()[0].getpeername()[1] == 0: pass
                KEPT.append(LISTENER)
                client = socket.create_connection(LISTENER.getsockname())
                KEPT.append(LISTENER.accept())
                client.close()
        """,
        "-v",
    )
    as_named(done)
    assert "left behind: 1 socket open (allowed: leaked=0)" in done.stdout


def test_a_leak_that_goes_on_is_named_once(run: Run) -> None:
    """A timer that starts itself again: the test that has left it, and no later one."""
    done = run(
        """
        import time
        pytestmark = pytest.mark.limit_sockets(settle=0.02)
        def again():
            socket.create_server(("127.0.0.1", 0)).detach()
            timer = threading.Timer(0.05, again)
            timer.daemon = True
            timer.start()
        def test_leaks(): again()
        @pytest.mark.parametrize("number", range(3))
        def test_next(number): time.sleep(0.12)
        def test_leaks_itself():
            time.sleep(0.12)
            leak()
        """,
        "-v",
    )
    as_named(done)
    assert "test_it.py::test_next[2] PASSED" in done.stdout
    assert outcome(done) == "2 failed, 3 passed"


def test_the_collector_runs_as_it_does_without(run: Run) -> None:
    """It is not switched off, so that its warnings come to the test they belong to; what only it has closed was left
    behind all the same; what a test collects by itself was not."""
    done = run(
        """
        import gc
        pytestmark = pytest.mark.limit_sockets(settle=0, threads=None)
        class Client:
            def __init__(self): self.me, self.sock = self, socket.create_connection(LISTENER.getsockname())
        def turn_until_collected():
            ref, kept = __import__("weakref").ref(Client().sock), []
            while ref() is not None: kept.append([])
        def test_enabled():
            assert gc.isenabled()
            assert gc.get_threshold()[0] > 0
        @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
        @pytest.mark.filterwarnings("ignore::ResourceWarning")
        def test_leaks_and_is_collected():
            turn_until_collected()
        @pytest.mark.filterwarnings("ignore::ResourceWarning")
        def test_collects_itself():
            Client()
            gc.collect()
        def test_closes():
            for _ in range(3): Client().sock.close()
            kept = []
            for _ in range(5000): kept.append([])
        """,
        "-v",
        "-W",
        "error",
    )
    as_named(done)
    assert "nothing refers to it any more" in done.stdout


def test_no_signal_is_lost_in_the_collector(run: Run) -> None:
    """What a handler raises while we are told of a collection comes out a moment later."""
    done = run(
        """
        import gc, signal, time
        @pytest.mark.limit_sockets
        @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
        def test_it():
            from hermes_diag.leakguard import collected
            raised, heard = [], 0
            def late(*_):
                raised.append(1)
                raise TimeoutError
            signal.signal(signal.SIGALRM, late)
            is_open = collected.is_open
            def slow(sock):
                if len(raised) == heard < 3: signal.raise_signal(signal.SIGALRM)
                return is_open(sock)
            collected.is_open = slow
            with socket.create_connection(LISTENER.getsockname()):
                end = time.monotonic() + 20
                while heard < 3 and time.monotonic() < end:
                    try:
                        kept = []
                        while len(kept) < 50_000 and heard < 3: kept.append([])
                    except TimeoutError:
                        heard += 1
            assert heard == len(raised) == 3
            collected.is_open = is_open
        """
    )
    assert outcome(done) == "1 passed", done.stdout


def test_hooks_survive_what_they_call(run: Run) -> None:
    """An object with a __getattr__ of its own, a fork where no file may be read: all comes to nothing."""
    done = run(
        """
        import asyncio, io
        def refuse(*args, **kwargs):
            raise RuntimeError("a blocking call")
        class Odd:
            def __getattr__(self, name): refuse()
            def __call__(self, task): pass
        @pytest.mark.limit_sockets
        def test_odd():
            async def main():
                async def inner(): socket.socket().close()
                task = asyncio.ensure_future(inner())
                task.add_done_callback(Odd())
                await task
            asyncio.run(main())
        @pytest.mark.limit_sockets(settle=0)
        def test_leaks_in_a_fork(monkeypatch):
            reader, writer = os.pipe()
            with monkeypatch.context() as patch:
                for name in ("open", "listdir", "readlink", "getpid"): patch.setattr(os, name, refuse)
                patch.setattr("builtins.open", refuse)
                pid = os.fork()
            if pid == 0:
                KEPT.append(socket.create_server(("127.0.0.1", 0)))
                os.write(writer, b"x")
                __import__("time").sleep(20)
                os._exit(0)
            os.read(reader, 1)
            KEPT.append(pid)
            os.close(reader)
            os.close(writer)
        @pytest.fixture(scope="module", autouse=True)
        def end():
            yield
            os.kill(KEPT[-1], 9)
            os.waitpid(KEPT[-1], 0)
        """,
        "-v",
    )
    as_named(done)
    assert re.search(r"started at test_it.py:\d+ in test_leaks_in_a_fork\n\s+pid = os.fork\(\)", done.stdout), (
        done.stdout
    )
    assert "a blocking call" not in done.stdout


def test_nobody_waits_when_nothing_can_change(run: Run) -> None:
    """No thread, no event loop and no child is there that could close it: the time to settle is not waited for."""
    done = run(
        """
        @pytest.mark.limit_sockets(settle=60)
        def test_leaks(): leak()
        """,
        "-v",
    )
    as_named(done)
    assert float(re.search(r"in ([\d.]+)s", done.stdout)[1]) < 30
