"""`hermes-diag live`: the real one when asked for, nothing else ever; and a token that shows up nowhere."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from conftest import Cli
from live_endpoint import ADDRESS, NAME, Endpoint, Handler

from hermes_diag.core import matrix
from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.run import credentials, endpoint

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc, and wants 127.0.0.2")
FIXED = ("--strategy", "fixed")
KEY = "planted-5ecre7-key"


def jwt(**claims: object) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJub25lIn0.{part}.cGxhbnRlZC1zZWNyZXQ"


ACCOUNT = "acct-5ecre7"
#: No other process on this machine has this one, whatever tests run beside this one.
TOKEN = jwt(
    exp=int(time.time()) + 4 * 3600,
    jti=uuid4().hex,
    **{"https://api.openai.com/auth": {"chatgpt_account_id": ACCOUNT}},
)
SECRETS = (TOKEN, TOKEN.split(".")[1], TOKEN.split(".")[2], ACCOUNT, KEY)
PARTS = SECRETS[:2]


def logins(folder: Path) -> dict[str, str]:
    """A Hermes home and a Codex home with the token; the environment that names them."""
    (folder / "hermes").mkdir()
    (folder / "codex").mkdir()
    pool = [
        {"priority": 5, "access_token": "another"},
        {"priority": 1, "access_token": TOKEN, "base_url": f"https://{NAME}/v1", "label": "5ecre7@example.test"},
    ]
    (folder / "hermes" / "auth.json").write_text(json.dumps({"credential_pool": {"openai-codex": pool}}))
    (folder / "codex" / "auth.json").write_text(json.dumps({"tokens": {"access_token": TOKEN}}))
    return {"HERMES_HOME": str(folder / "hermes"), "CODEX_HOME": str(folder / "codex")}


def words(run: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {cell["name"]: (cell["word"], cell["ok"]) for cell in run["cells"]}


def holders(secrets: tuple[str, ...]) -> set[int]:
    """Processes of this machine in whose arguments or environment one of the secrets stands."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("cmdline", "environ"):
            try:
                text = Path(f"/proc/{pid}/{name}").read_bytes()
            except OSError:  # it has ended
                continue
            if any(secret.encode() in text for secret in secrets):
                found.add(int(pid))
    return found


def headers_of_codex(endpoint: Endpoint) -> None:
    """Every request had the token and what goes with it, and nothing of ours."""
    for headers in endpoint.requests:
        assert headers["authorization"] == f"Bearer {TOKEN}"
        assert (headers["originator"], headers["chatgpt-account-id"]) == ("codex_cli_rs", ACCOUNT)
        assert headers["user-agent"].startswith("codex_cli_rs/")
        assert headers["session_id"]
        assert not [name for name in headers if name.startswith("x-hermes-diag")]


@LINUX
def test_a_token_is_used_and_found_nowhere(cli: Cli, tmp_path: Path) -> None:
    """The bug and the fix show on a TLS endpoint; the token is in no output, file, argument or environment."""
    environment = logins(tmp_path)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.rglob("auth.json")}
    held: set[int] = set()

    def look(number: int, handler: Handler) -> bool:
        held.update(holders(PARTS))  # while a worker waits for us
        return False

    saved = tmp_path / "run.jsonl"
    with Endpoint(tmp_path / "ca", behave=look) as endpoint:
        arguments = (endpoint.url, "--live", "--yes", "--auth", "hermes", "--save", saved)
        done = cli("live", *arguments, "--json", **environment, **endpoint.environment)
    assert done.returncode == 0, done.stderr
    assert words(json.loads(done.stdout)) == {
        "fresh": ("ok", 1),
        "buggy/close/steady": ("fails", 2),
        "fixed/close/steady": ("ok", 6),
    }
    assert len(endpoint.requests) == 1 + 2 + 6
    headers_of_codex(endpoint)
    assert held == set()
    again = cli("report", saved, "-v")
    written = [path for path in {*tmp_path.rglob("*")} - {*before} if path.is_file()]
    files = [path.read_bytes().decode("utf-8", "replace") for path in written]
    # The capture, and what the endpoint needs; Python may have compiled its sitecustomize.py.
    assert len([path for path in written if path.suffix != ".pyc"]) == 3
    shown_nowhere(done.stdout, done.stderr, again.stdout, again.stderr, *files)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    assert f"up to 13 requests, one after another, POST to {NAME}:{endpoint.port}/v1/responses\n" in done.stderr
    assert re.search(r"which expires in (3 h \d+ min|4 h)", done.stderr)
    assert "is meant for" not in done.stderr
    assert f"{NAME}:{endpoint.port}/v1/responses, 9 requests attempted" in again.stdout


def test_a_token_of_the_codex_cli(cli: Cli, tmp_path: Path) -> None:
    """It is meant for chatgpt.com, and who sends it elsewhere is told so."""
    environment = logins(tmp_path)
    with Endpoint(tmp_path / "ca") as endpoint:
        arguments = (endpoint.url, "--live", "--yes", "--auth", "codex", "--turns", 1, *FIXED)
        done = cli("live", *arguments, "-v", **environment, **endpoint.environment)
    assert done.returncode == 0, done.stderr
    assert len(endpoint.requests) == 1 + 2
    headers_of_codex(endpoint)
    shown_nowhere(done.stdout, done.stderr)
    assert f"that token is meant for chatgpt.com, and {NAME} will get to see it" in done.stderr


def shown_nowhere(*texts: str) -> None:
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text]
        assert "5ecre7" not in text


@LINUX
def test_a_key_of_the_environment_goes_no_further(cli: Cli, tmp_path: Path) -> None:
    """Only the process that the user gave it to has it in its environment; no worker inherits it or a copy."""
    held: list[set[int]] = []
    key = KEY + uuid4().hex

    def look(number: int, handler: Handler) -> bool:
        held.append(holders((key,)))
        return False

    with Endpoint(tmp_path, behave=look) as endpoint:
        arguments = (endpoint.url, "--live", "--yes", "--auth", "env:MY_KEY", *FIXED)
        done = cli("live", *arguments, MY_KEY=key, COPY=f"Bearer {key}", **endpoint.environment)
    assert done.returncode == 0, done.stderr
    assert "with the key in $MY_KEY\n" in done.stderr
    assert {headers["authorization"] for headers in endpoint.requests} == {f"Bearer {key}"}
    assert len(held) == 7
    assert all(len(one) == 1 for one in held)  # the command itself
    shown_nowhere(done.stdout, done.stderr)


def test_without_live_nothing_leaves(cli: Cli, tmp_path: Path) -> None:
    """A name is not even looked up; loopback needs no --live, and no credentials."""
    with Endpoint(tmp_path) as endpoint:
        for url in (endpoint.url, "https://192.0.2.1/v1", "https://[2001:db8::1]/v1", "https://localhost.example/v1"):
            done = cli("live", url, "--auth", "env:MY_KEY", MY_KEY=KEY, **endpoint.environment)
            assert (done.returncode, done.stdout) == (2, "")
            assert "without --live nothing leaves this machine" in done.stderr
        assert endpoint.connections == 0
    with Endpoint(tmp_path, tls=False, host="127.0.0.1") as endpoint:
        done = cli("live", endpoint.url, "--json", *FIXED)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(endpoint.requests) == 7
        assert {headers["authorization"] for headers in endpoint.requests} == {"Bearer hermes-diag-local"}


@pytest.mark.parametrize("elsewhere", ["http://127.0.0.2:{port}/", "http://192.0.2.1/", "http://elsewhere.example/"])
def test_a_redirect_leads_nowhere(cli: Cli, tmp_path: Path, elsewhere: str) -> None:
    """Neither to another address of this machine, nor off it, nor is a name looked up."""
    with Endpoint(tmp_path / "b", tls=False) as other:
        target = elsewhere.format(port=other.port)

        def redirect(number: int, handler: Handler) -> bool:
            if number > 1:  # the fresh process is answered
                handler.reply(307, location=target + "v1/responses")
            return number > 1

        with Endpoint(tmp_path / "a", tls=False, host="127.0.0.1", behave=redirect) as endpoint:
            arguments = (endpoint.url, "--auth", "env:MY_KEY", "--json", *FIXED)
            done = cli("live", *arguments, MY_KEY=KEY)
        assert other.connections == 0
    assert done.returncode == 3, done.stderr
    # What was refused counts against the cap of 6 too.
    verdict = json.loads(done.stdout)["verdict"]
    assert "led elsewhere, which was refused x3, as many requests as allowed had been sent x3" in verdict
    assert len(endpoint.requests) == 1 + 3
    shown_nowhere(done.stdout, done.stderr)


def test_a_live_redirect_takes_no_token_along(cli: Cli, tmp_path: Path) -> None:
    """With --live too only the host that was named is reached; what it redirects to is not."""
    with Endpoint(tmp_path / "other", tls=False, host="127.0.0.1") as other:

        def redirect(number: int, handler: Handler) -> bool:
            if number > 1:
                handler.reply(308, location=f"http://127.0.0.1:{other.port}/v1/responses")
            return number > 1

        with Endpoint(tmp_path / "named", behave=redirect) as endpoint:
            arguments = (endpoint.url, "--live", "--yes", "--auth", "env:MY_KEY", *FIXED)
            done = cli("live", *arguments, MY_KEY=KEY, **endpoint.environment)
        assert (other.connections, len(endpoint.requests)) == (0, 4)
    assert done.returncode == 3
    shown_nowhere(done.stdout, done.stderr)


def test_no_proxy_is_used(cli: Cli, tmp_path: Path) -> None:
    """A proxy of the environment would get to see the requests: said, and left out."""
    with Endpoint(tmp_path / "proxy", tls=False, host="127.0.0.1") as proxy, Endpoint(tmp_path / "named") as endpoint:
        url = f"http://127.0.0.1:{proxy.port}"
        proxies = {"HTTPS_PROXY": url, "HTTP_PROXY": url, "ALL_PROXY": url, "https_proxy": url}
        arguments = (endpoint.url, "--live", "--yes", "--auth", "env:MY_KEY", *FIXED)
        done = cli("live", *arguments, MY_KEY=KEY, **proxies, **endpoint.environment)
        assert proxy.connections == 0
    assert done.returncode == 0, done.stderr
    assert "HTTPS_PROXY, HTTP_PROXY, https_proxy set, but not used" in done.stderr


@pytest.mark.parametrize("status", [301, 307])
def test_the_cap_holds_for_redirects_and_retries(cli: Cli, tmp_path: Path, status: int) -> None:
    """An endpoint that redirects to itself for ever, or fails every attempt, gets no more than was planned."""

    def behave(number: int, handler: Handler) -> bool:
        if number == 1:
            return False  # the fresh process is answered
        if status == 307:
            handler.reply(307, location="/v1/responses")
        else:
            handler.reply(500)
        return True

    with Endpoint(tmp_path, tls=False, host="127.0.0.1", behave=behave) as endpoint:
        arguments = (endpoint.url, "--retries", 1, *FIXED, "--json")
        done = cli("live", *arguments)
    assert done.returncode == 3, done.stderr
    assert len(endpoint.requests) == 13
    assert "could not measure fixed/close/steady" in json.loads(done.stdout)["verdict"]
    too_many = cli("live", *arguments, "--max-requests", 12)
    assert (too_many.returncode, json.loads(too_many.stdout)["exit_code"]) == (2, 2)
    assert "may send 13 requests, --max-requests allows 12" in too_many.stderr


def test_on_other_interpreters(cli: Cli, tmp_path: Path) -> None:
    """The reach and the cap of a worker hold on its oldest Python, and on httpx2."""
    named = [os.environ.get(f"HERMES_DIAG_{name}", "") for name in ("OPENAI3_PYTHON", "WORKER_PYTHONS")]
    pythons = [python for names in named for python in names.split(os.pathsep) if python]
    if not pythons:
        pytest.skip("HERMES_DIAG_WORKER_PYTHONS names no interpreters (.ci/run makes some)")

    def redirect(number: int, handler: Handler) -> bool:
        if number > 1:
            handler.reply(307, location="/v1/responses" if number == 2 else "http://127.0.0.3:9/")
        return number > 1

    for python in pythons:
        with Endpoint(tmp_path, tls=False, host="127.0.0.1", behave=redirect) as endpoint:
            arguments = (endpoint.url, "--sessions", 1, "--turns", 3, "--json", *FIXED)
            done = cli("live", *arguments, "--python", python)
        verdict = json.loads(done.stdout)["verdict"]
        assert "as many requests as allowed had been sent x2, led elsewhere, which was refused x1" in verdict
        assert (done.returncode, len(endpoint.requests)) == (3, 1 + 2)


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_an_endpoint_that_refuses(cli: Cli, tmp_path: Path, status: int) -> None:
    """The fresh process is refused: that is said, nothing further is sent, and it is no verdict."""

    def refuse(number: int, handler: Handler) -> bool:
        handler.reply(status, json.dumps({"error": {"message": f"bad key {KEY}"}}).encode())
        return True

    with Endpoint(tmp_path, behave=refuse) as endpoint:
        arguments = (endpoint.url, "--live", "--yes", "--auth", "env:MY_KEY")
        done = cli("live", *arguments, MY_KEY=KEY, **endpoint.environment)
    assert done.returncode == 3
    assert f"the endpoint failed 1: HTTP {status} x1" in " ".join(done.stdout.split())
    assert "not begun: the fresh process was not answered" in " ".join(done.stdout.split())
    assert len(endpoint.requests) == 1
    shown_nowhere(done.stdout, done.stderr)


def test_a_refusal_in_the_loop_is_no_verdict_on_the_client(cli: Cli, tmp_path: Path) -> None:
    """A rate limit in the middle says nothing of the strategy under test; what else was measured stands."""

    def limit(number: int, handler: Handler) -> bool:
        if number == 6:
            handler.reply(429)
        return number == 6

    with Endpoint(tmp_path, tls=False, host="127.0.0.1", behave=limit) as endpoint:
        done = cli("live", endpoint.url, "--json")
    run = json.loads(done.stdout)
    assert done.returncode == 3
    assert words(run)["buggy/close/steady"] == ("fails", 2)
    assert words(run)["fixed/close/steady"] == ("no result", 5)
    assert "of 6 attempts the endpoint failed 1: HTTP 429 x1" in run["verdict"]


def replay(cli: Cli, url: str, *more: object, **environment: str) -> str:
    """What is said of an endpoint from which nothing can be had: no verdict, and not the key."""
    arguments = (url, "--live", "--yes", "--auth", "env:MY_KEY", *FIXED, *more)
    done = cli("live", *arguments, MY_KEY=KEY, **environment)
    assert done.returncode == 3, done.stdout
    shown_nowhere(done.stdout, done.stderr)
    return " ".join((done.stdout + done.stderr).split())


def test_an_endpoint_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    """A name that nobody knows, a port where nobody listens."""
    with Endpoint(tmp_path) as endpoint, socket.socket() as taken:
        unknown = replay(cli, "https://unknown.test/v1", **endpoint.environment)
        assert "the name unknown.test cannot be resolved" in unknown
        taken.bind((ADDRESS, 0))  # bound and not listening: whoever connects is refused
        nobody = f"https://{NAME}:{taken.getsockname()[1]}/v1"
        assert "cannot connect x1" in replay(cli, nobody, **endpoint.environment)


@pytest.mark.parametrize("certificate", [NAME, "other.test"], ids=["unknown authority", "another name"])
def test_an_endpoint_that_is_not_trusted(cli: Cli, tmp_path: Path, certificate: str) -> None:
    """A certificate of nobody we know, or of another name: nothing is sent."""
    with Endpoint(tmp_path, certificate=certificate) as endpoint:
        if certificate == NAME:
            del endpoint.environment["SSL_CERT_FILE"]
        assert "certificate not trusted x1" in replay(cli, endpoint.url, **endpoint.environment)
        assert not endpoint.requests


def test_an_endpoint_that_is_slow(cli: Cli, tmp_path: Path) -> None:
    """It is waited for as long as --timeout says."""
    leave = threading.Event()

    def wait(number: int, handler: Handler) -> bool:
        return leave.wait(60)

    with Endpoint(tmp_path, behave=wait) as endpoint:
        assert "read timeout x1" in replay(cli, endpoint.url, "--timeout", 1, **endpoint.environment)
        leave.set()


def test_ctrl_c_prints_what_was_learnt(tmp_path: Path) -> None:
    """Interrupted in the loop: the fresh process's result is shown, exit code 130."""
    second, leave = threading.Event(), threading.Event()

    def hold(number: int, handler: Handler) -> bool:
        if number == 1:
            return False
        second.set()
        return leave.wait(60)

    with Endpoint(tmp_path, tls=False, host="127.0.0.1", behave=hold) as endpoint:
        command = [sys.executable, "-m", "hermes_diag", "live", endpoint.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert second.wait(60)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        leave.set()
    assert process.returncode == 130
    assert "fresh process (control)  ok" in out
    assert "interrupted" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("answer", "requests", "code"), [("y\n", 7, 0), ("n\n", 0, 2), ("\n", 0, 2), ("\x04", 0, 2)])
def test_asked_on_a_terminal(tmp_path: Path, answer: str, requests: int, code: int) -> None:
    """Only a yes sends."""
    with Endpoint(tmp_path) as endpoint:
        parent, child = pty.openpty()
        command = [sys.executable, "-m", "hermes_diag", "live", endpoint.url, "--live"]
        with subprocess.Popen(
            [*command, "--auth", "env:MY_KEY", *FIXED],
            stdin=child,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **endpoint.environment, "MY_KEY": KEY},
        ) as process:
            os.close(child)
            assert process.stderr is not None
            asked = b""
            while b"[y/N]" not in asked:
                asked += os.read(process.stderr.fileno(), 4096)
            assert not endpoint.connections
            os.write(parent, answer.encode())
            process.communicate(timeout=90)
        os.close(parent)
    assert (process.returncode, len(endpoint.requests)) == (code, requests)


def test_sockets_of_others_are_not_counted(cli: Cli, tmp_path: Path) -> None:
    """Another process that talks to the same address is none of ours; what ours leaves behind is seen."""
    with (
        Endpoint(tmp_path, tls=False, host="127.0.0.1") as endpoint,
        socket.create_connection(("127.0.0.1", endpoint.port)),
    ):
        arguments = (endpoint.url, "--sessions", 1, "--turns", 8, "--json", *FIXED)
        clean = json.loads(cli("live", *arguments).stdout)
        leaking = json.loads(cli("live", *arguments, "--end", "abandon").stdout)
    states = [
        [sample["states"].get("ESTABLISHED", 0) for sample in run["cells"][1]["samples"]] for run in (clean, leaking)
    ]
    assert states == [[0] * 9, list(range(9))]
    assert words(leaking)["fixed/abandon/steady"] == ("leaks", 8)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--live"], "Missing argument"),
        (["http://127.0.0.1:9/", "--yes"], "--yes has no effect without --live"),
        ([f"https://u:{KEY}@h.test"], "holds a user or a password"),
        ([f"https://h.test/?key={KEY}"], "holds a query"),
        ([f"https://h.test/#{KEY}"], "holds a query"),
        ([KEY], "no http or https URL"),
        ([f"ftp://{KEY}/"], "no http or https URL"),
        ([f"https://[{KEY}/"], "the URL is none"),
        ([f"https://h.test:{KEY}/"], "the URL is none"),
        (["https://h.test:0x5/"], "the URL is none"),
        ([f"https://h.test/\u00fc{KEY}"], "unusual characters"),
        (["https://h\u00f6st.test/"], "xn-- form"),
        (["http://h.test/", "--live"], "use https"),
        (["https://h.test/", "--live"], "needs credentials"),
        (["https://h.test/", "--live", "--auth", "env:X"], "no terminal to ask on"),
        (["https://h.test/", "--live", "--yes", "--auth", f"env:{KEY}"], "is not set"),
        (["https://h.test/", "--live", "--yes", "--auth", KEY], "--auth names no token"),
        (["http://127.0.0.1:9/", "--workload", "overlapping"], "holds streams open"),
        (["http://127.0.0.1:9/", "--fault", "rst-mid-stream"], "No such option"),
        (["http://127.0.0.1:9/", "--set", "idle-close=1"], "has no effect here"),
        (["http://127.0.0.1:9/", "--max-requests", "0"], "--max-requests"),
        (["http://127.0.0.1:9/", "--auth", "other"], "--auth names no token"),
    ],
)
def test_wrong_usage(cli: Cli, arguments: list[str], says: str) -> None:
    """Exit 2, a line that says what, and nothing quoted that may be a secret."""
    done = cli("live", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert KEY not in done.stderr


def test_an_endpoint_in_its_parts() -> None:
    """What the SDK appends itself may be there; the default port is not shown."""
    where = endpoint.parse("https://ChatGPT.com:443/backend-api/codex/responses/")
    assert (where.base_url, where.loopback) == ("https://chatgpt.com/backend-api/codex", False)
    assert where.shown("chat") == "chatgpt.com/backend-api/codex/chat/completions"
    assert endpoint.parse("http://[::1]:8080").base_url == "http://[::1]:8080"
    assert [endpoint.parse(f"https://{host}").loopback for host in ("127.9.9.9", "localhost", "127.1.test")] == [
        True,
        True,
        False,
    ]


def write(path: Path, document: object) -> dict[str, str]:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return {"HERMES_HOME": str(path.parent), "CODEX_HOME": str(path.parent)}


def test_where_tokens_are(tmp_path: Path) -> None:
    """The pool wins over what older releases keep, the lowest priority wins in it; profiles have their own."""
    auth = tmp_path / "auth.json"
    old = {"openai-codex": {"tokens": {"access_token": "old"}}}
    environ = write(auth, {"providers": old})
    assert credentials.of_codex("hermes", None, environ).token == "old"
    pool = [{"access_token": "b", "priority": 2}, {"access_token": "a", "priority": 1}, {"priority": 0}, "x"]
    environ = write(auth, {"providers": old, "credential_pool": {"openai-codex": pool}})
    found = credentials.of_codex("hermes", None, environ)
    assert (found.token, found.meant_for, found.expiry) == ("a", "chatgpt.com", "does not say when it expires")
    assert "'a'" not in repr(found)
    (tmp_path / "profiles" / "work").mkdir(parents=True)
    write(tmp_path / "profiles" / "work" / "auth.json", {"providers": old})
    assert credentials.of_codex("hermes", "work", environ).token == "old"


@pytest.mark.parametrize("exp", [1, 1.5, 0])
def test_an_expired_token_is_not_sent(tmp_path: Path, exp: float) -> None:
    """Neither refreshed nor tried."""
    environ = write(tmp_path / "auth.json", {"tokens": {"access_token": jwt(exp=exp)}})
    with pytest.raises(CannotMeasure, match=r"expired \d+ d"):
        credentials.of_codex("codex", None, environ)


@pytest.mark.parametrize("exp", [True, "soon", None, -1, 1e300, 10**400, float("inf"), float("nan")])
def test_an_odd_expiry(tmp_path: Path, exp: object) -> None:
    """Said to be unknown."""
    environ = write(tmp_path / "auth.json", {"tokens": {"access_token": jwt(exp=exp)}})
    assert credentials.of_codex("codex", None, environ).expiry == "does not say when it expires"


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[]",
        "[" * 9999,
        {},
        {"tokens": "x"},
        {"tokens": {"access_token": 5}},
        {"tokens": {"access_token": "a\nb"}},
    ],
)
def test_no_token(tmp_path: Path, document: object) -> None:
    """Whatever is in the file: a UsageError that quotes nothing of it."""
    environ = write(tmp_path / "auth.json", document)
    with pytest.raises(UsageError) as caught:
        credentials.of_codex("codex", None, environ)
    assert "a\nb" not in caught.value.message
    (tmp_path / "auth.json").unlink()
    with pytest.raises(UsageError, match="there is no"):
        credentials.of_codex("codex", None, environ)


ASK = """
import socket, sys, asyncio
from hermes_diag.worker import fence

class Http:
    class HTTPTransport:
        handle_request = None
    class AsyncHTTPTransport:
        handle_async_request = None

fence.install({settings}, Http)

def refused(call):
    try:
        call()
    except fence.OutOfReach:
        return True
    except OSError as exc:
        return type(exc).__name__
    return False

def connect(address, family=socket.AF_INET, kind=socket.SOCK_STREAM, how="connect"):
    with socket.socket(family, kind) as one:
        one.settimeout(1)
        getattr(one, how)(address)

six = socket.AF_INET6
udp = socket.SOCK_DGRAM
print(
    refused(lambda: connect(("192.0.2.1", 80))),
    refused(lambda: connect(("192.0.2.1", 80), how="connect_ex")),
    refused(lambda: connect(("192.0.2.1", 80), kind=udp)),
    refused(lambda: socket.socket(socket.AF_INET, udp).sendto(b"x", ("192.0.2.1", 80))),
    refused(lambda: connect(("2001:db8::1", 80), six)),
    refused(lambda: connect(("::ffff:192.0.2.1", 80), six)),
    refused(lambda: socket.getaddrinfo("example.test", 80)),
    refused(lambda: socket.gethostbyname("example.test")),
    refused(lambda: asyncio.run(asyncio.open_connection("192.0.2.1", 80))),
    refused(lambda: asyncio.run(asyncio.open_connection("example.test", 80))),
    refused(lambda: connect(("127.0.0.1", {port}))),
    refused(lambda: connect(("::ffff:127.0.0.1", {port}), six)),
    refused(lambda: socket.create_connection(("localhost", {port}), 1).close()),
    refused(lambda: connect(("127.0.0.1", {closed}))),
)
"""


@pytest.mark.parametrize("endpoint", [False, True], ids=["provider", "endpoint"])
def test_what_a_worker_may_reach(endpoint: bool) -> None:
    """Loopback, or of an endpoint exactly that; nothing else, by whatever call, and before a packet leaves."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        settings = {"reach": f"endpoint.test|{port}|127.0.0.1"} if endpoint else {}
        script = ASK.replace("{settings}", repr(settings)).replace("{port}", str(port))
        script = script.replace("{closed}", str(closed.getsockname()[1]))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    provider = ["True"] * 10 + ["False"] * 3 + ["ConnectionRefusedError"]
    # An endpoint on loopback opens neither the rest of loopback nor another name for it.
    only_endpoint = ["True"] * 10 + ["False", "True", "True", "True"]
    assert done.stdout.split() == (only_endpoint if endpoint else provider)


def test_the_help_names_the_defaults(cli: Cli) -> None:
    """They are written out there, since to import them would make the help slow."""
    text = " ".join(cli("live", "--help", COLUMNS="300").stdout.split())
    for option, default in (("Chat sessions.", endpoint.SESSIONS), ("Turns per session.", endpoint.TURNS)):
        assert re.search(rf"{re.escape(option)} \[default: \({default}\)", text)
    assert f"[default: ({endpoint.TIMEOUT:g}s; {matrix.POOL_TIMEOUT:g}s for a free connection)]" in text
