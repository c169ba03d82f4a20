"""serve, its protocol checks, replies, the control path and the Python API, as a user meets them."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from provider_tools import BODY, PATIENCE, Client, close_with_reset, nothing_left, request, trusting, until  # noqa: F401

from hermes_diag.core.errors import CannotMeasure, UsageError
from hermes_diag.provider import Provider

STRICT = {"models": ("gpt-*",)}


def ask(provider: Provider, data: bytes) -> Any:
    with Client(provider) as client:
        return client.ask(data)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (request("/v1/nothing"), 404, "unknown_url"),
        (request(method="GET"), 405, None),
        (request("/v1/models", b"{}"), 405, None),
        (request(body=b"{"), 400, None),
        (request(body=b"[]"), 400, None),
        (request(body=b"\xff\xfe"), 400, None),
        (request(body=b"[" * 100_000), 400, None),
        (request(body={"input": "hi"}), 400, None),
        (request(body={"model": "nope", "input": "hi"}), 404, "model_not_found"),
        (request("/v1/chat/completions", {"model": "gpt-5"}), 400, "missing_required_parameter"),
    ],
)
def test_requests_are_refused_as_the_real_provider_does(data: bytes, status: int, code: str | None) -> None:
    """Status and error body; and the connection stays good for a valid request."""
    with Provider(**STRICT) as provider, Client(provider) as client:
        heard = client.ask(data)
        assert heard.status == status
        assert json.loads(heard.body)["error"]["code"] == code
        assert client.ask().status == 200


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/v1/responses", "GET", "POST"),
        ("/v1/chat/completions", "DELETE", "GET, POST"),
        ("/v1/models", "POST", "GET"),
        ("/_diag/faults", "POST", "GET, PUT, DELETE"),
        ("/_diag/connections", "PUT", "GET"),
    ],
)
def test_405_says_what_is_allowed(path: str, method: str, allowed: str) -> None:
    """As RFC 9110 demands, and no other answer does."""
    with Provider() as provider:
        heard = ask(provider, request(path, method=method))
        assert heard.status == 405
        assert f"\r\nallow: {allowed}\r\n".encode() in heard.raw
        assert "allow" not in ask(provider, request("/v1/nothing")).headers


def test_a_target_in_absolute_form_is_served() -> None:
    """As a client writes it that takes us for a proxy."""
    with Provider() as provider:
        assert ask(provider, request("http://anything/v1/responses")).whole
        assert ask(provider, request("http://anything/_diag/faults", b"", "GET")).status == 200
        assert ask(provider, request("http://anything/v1/nothing")).status == 404


def test_a_key_is_required_only_if_asked_for() -> None:
    """401 without a bearer key, which a stand-in must never answer unless told to."""
    models, key = request("/v1/models", b"", "GET"), {"authorization": "Bearer x"}
    with Provider(["slow-events=0:path=/v1/models"], require_key=True) as provider:
        assert ask(provider, models).status == 401
        assert ask(provider, request("/v1/models", b"", "GET", **key)).status == 200
        assert ask(provider, request("/_diag/faults", b"", "GET")).status == 200
    with Provider(require_key=True) as provider:
        assert ask(provider, models).status == 401
        assert ask(provider, request()).status == 401
        assert ask(provider, request(authorization="Bearer x")).status == 200
    with Provider() as provider:
        assert ask(provider, request()).status == 200


def test_a_body_over_the_limit_is_413_and_is_heard() -> None:
    """The client reads the answer although it is still sending, by length and by chunks."""
    with Provider(body_limit=1000) as provider:
        assert ask(provider, request(body=b"x" * 2_000_000)).status == 413
        chunked = b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        assert ask(provider, chunked + b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n").status == 413
        assert ask(provider, request()).status == 200


def test_script_echo_and_transcript(tmp_path: Path) -> None:
    """--reply in all its forms; several replies are given one after the other, the last one stays."""
    script, transcript = tmp_path / "script.json", tmp_path / "stream.sse"
    script.write_text(json.dumps([{"output": [{"text": "one"}]}, {"output": [{"call": "f", "arguments": {"a": 1}}]}]))
    with Provider(reply=str(script)) as provider, Client(provider) as client:
        seen = [client.ask().events[-1]["response"]["output"][0] for _ in range(3)]
    assert seen[0]["content"][0]["text"] == "one"
    assert [one.get("name") for one in seen[1:]] == ["f", "f"]
    with Provider(reply="echo") as provider, Client(provider) as client:
        turns = [{"role": "user", "content": [{"type": "input_text", "text": "say it again"}]}]
        heard = client.ask(request(body={**BODY, "input": turns}))
        assert heard.events[-1]["response"]["output"][0]["content"][0]["text"] == "say it again"
        transcript.write_bytes(heard.body + b"event: cut off")
    with Provider(reply=str(transcript)) as provider, Client(provider) as client:
        assert client.ask().body == heard.body


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "neither a JSON script"),
        ("{", "no reply script"),
        ("[]", "holds no reply"),
        ('{"output": [{}]}', "output[0] has nothing"),
        ('{"output": [{"text": "a", "refusal": "b"}]}', "output[0] has text, refusal"),
        ('{"output": [{"text": "a", "arguments": {}}]}', "arguments without a call"),
        ('{"output": [{"text": 1}]}', "Expected `str | null`"),
        ('{"output": [], "color": 1}', "unknown field"),
    ],
)
def test_a_wrong_script_says_what(tmp_path: Path, content: str, says: str) -> None:
    """Each mistake is named."""
    path = tmp_path / "reply.json"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        Provider(reply=str(path))
    assert says in caught.value.message


def test_the_control_path_changes_faults_and_tells_what_was_seen() -> None:
    """GET, PUT, DELETE of /_diag/faults; /_diag/connections; wrong documents; never subject to faults."""
    with Provider(["http-500"]) as provider, Client(provider) as client:

        def faults(method: str, body: Any = b"") -> tuple[int, Any]:
            heard = client.ask(request("/_diag/faults", body, method))
            return heard.status, json.loads(heard.body)

        assert faults("GET") == (200, {"faults": ["http-500"]})
        assert client.ask().status == 500
        assert faults("PUT", {"faults": ["http-429:every=2"]}) == (200, {"faults": ["http-429:every=2"]})
        assert [client.ask().status for _ in range(2)] == [200, 429]
        assert faults("PUT", {"faults": ["nope"]})[0] == 400
        assert faults("PUT", b"{")[0] == 400
        assert faults("GET") == (200, {"faults": ["http-429:every=2"]})
        assert faults("DELETE") == (200, {"faults": []})
        assert faults("POST")[0] == 405
        assert client.ask(request("/_diag/else", b"", "GET")).status == 404
        seen = json.loads(client.ask(request("/_diag/connections", b"", "GET")).body)
        assert seen["open"][0]["requests"] > 5
        assert seen["tally"]["fault http-500"] == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.org", ""])
def test_it_refuses_to_bind_anything_but_loopback(host: str) -> None:
    """Whatever other address: a usage error, and nothing listens."""
    with pytest.raises(UsageError):
        Provider(host=host)


def test_a_port_that_is_taken_is_said() -> None:
    """Not a traceback, and what to do."""
    with Provider() as provider, pytest.raises(CannotMeasure, match="is taken"):
        Provider(port=provider.address[1]).__enter__()


def test_a_tls_client_on_a_plain_port_and_the_other_way_round() -> None:
    """Neither side hangs."""
    with Provider() as provider, pytest.raises(ssl.SSLError):
        Client(provider, ssl.create_default_context())
    with Provider(tls=True) as provider, Client(provider) as client:
        assert client.ask(silence=5).status == 0


def test_tls_close_is_a_close_notify_unless_it_is_not() -> None:
    """The clean close is told apart from the truncated one by a client that looks."""
    for spec, end in (("tls-close-notify", "fin"), ("tls-bare-fin", "bare fin")):
        with Provider([spec], tls=True) as provider, Client(provider, trusting(provider)) as client:
            assert client.ask().end == end


def test_the_api_tells_what_it_saw() -> None:
    """requests, closed_connections, open_connections, tally, set_faults, settle."""
    with Provider(faults=["rst-mid-stream:request=2"]) as provider:
        with Client(provider) as client:
            client.ask()
            assert provider.open_connections == 1
            client.ask()
        provider.settle()
        until(lambda: not provider.open_connections, "the end")
        assert [one.finished for one in provider.requests] == [True, False]
        assert [(one.closed_first, one.how) for one in provider.closed_connections] == [("provider", "reset")]
        provider.set_faults([])
        assert ask(provider, request()).status == 200
        with pytest.raises(UsageError):
            provider.set_faults(["nope"])


@pytest.mark.parametrize("tls", [False, True])
def test_abandoned_connections_leave_nothing(tls: bool) -> None:
    """Opened and left in every way, in any state: no descriptor, no task, no record beyond the bound."""
    ways = ["close", "reset", "half a head", "half a body", "unread"]
    with Provider(["comments-only:every=2"], keep=10, tls=tls) as provider:
        for number in range(400):
            sock = socket.create_connection(provider.address)
            data = {"half a head": request()[:20], "half a body": request()[:-3], "unread": request()}
            sock.sendall(data.get(ways[number % 5], b""))
            close_with_reset(sock) if number % 5 == 1 else sock.close()
        # The last ones may still wait to be accepted when there is none.
        until(lambda: provider.tally()["connections"] == 400 and not provider.open_connections, "every one to go")
        assert len(provider.closed_connections) == 10
        assert ask(provider, request()).status == 200 if not tls else True


def test_many_streams_at_once_all_finish() -> None:
    """200 slow streams side by side (1,000 in scripts/soak_provider.py)."""
    with Provider(["slow-events=0.01"]) as provider:
        sockets = [socket.create_connection(provider.address) for _ in range(200)]
        for sock in sockets:
            sock.sendall(request())
        for sock in sockets:
            data = b""
            while not data.endswith(b"0\r\n\r\n"):
                data += sock.recv(65536)
            sock.close()
        assert all(one.finished for one in provider.requests)
        assert len(provider.requests) == 200


# --- the commands --------------------------------------------------------------------------------


class Serving:
    """`hermes-diag serve` in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hermes_diag", "serve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        self.lines += iter(self.process.stdout.readline, "")

    def wait_for(self, pattern: str) -> str:
        until(lambda: any(re.search(pattern, line) for line in list(self.lines)), pattern)
        return next(line for line in self.lines if re.search(pattern, line))

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(re.search(r"127\.0\.0\.1:(\d+)", self.wait_for("127")).group(1))

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, "".join(self.lines), errors


@contextmanager
def serving(*arguments: str) -> Iterator[Serving]:
    one = Serving(*arguments)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
            one.end(signal.SIGKILL)


def test_serve_prints_what_to_copy_the_log_and_the_tally() -> None:
    """Ctrl-C ends it with 130 and the tally; no traceback, no secret."""
    with serving("--fault", "idle-close=0.05") as one:
        with Client(one) as client:
            assert client.ask(request(authorization="Bearer s3cret", body={**BODY, "input": "s3cret"})).status == 200
            assert client.end(silence=5) == "fin"
        one.wait_for("closed first by the provider")
        code, out, err = one.end()
    assert (code, err) == (130, "")
    for part in ("export OPENAI_BASE_URL=http://127.0.0.1:", "export OPENAI_API_KEY=", "provider: openai-codex"):
        assert part in out
    assert "credential_pool" in out
    assert re.search(r"connections +1\n", out)
    assert "s3cret" not in out


def test_serve_json_is_one_object_a_line() -> None:
    """Greeting, events, tally: each line is JSON; SIGTERM ends it with 0 and nothing is left behind."""
    with serving("--json", "--tls") as one:
        ca = json.loads(one.wait_for("serving"))["environment"]["SSL_CERT_FILE"]
        context = ssl.create_default_context(cafile=ca)
        with Client(one, context) as client:
            assert client.ask().status == 200
        one.wait_for('"closed"')
        code, out, err = one.end(signal.SIGTERM)
    assert (code, err) == (0, "")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events == ["serving", "opened", "request", "first byte", "answered", "closed", "tally"]
    assert not Path(ca).exists()


def test_serve_says_how_a_connection_vanished() -> None:
    """With the filter, or without one where that is not allowed."""
    with serving("--fault", "idle-vanish=0.05") as one:
        with Client(one) as client:
            assert client.ask().status == 200
            one.wait_for("vanished( \\(no filter allowed.*)?$")
        one.end()


@pytest.mark.parametrize(
    ("patterns", "models"),
    [
        ([], ["gpt-5"]),
        (["claude*"], ["claude"]),
        (["g?t-[!1-4]", "o3"], ["gpt-5", "o3"]),
        (["l[a-c]ma-[3-9]*", "x?"], ["lama-3"]),
    ],
)
def test_the_model_that_serve_names_is_one_that_it_takes(patterns: list[str], models: list[str]) -> None:
    """In what is printed for Hermes, and in the list of models."""
    flags = [flag for pattern in patterns for flag in ("--model", pattern)]
    with serving(*flags) as one:
        named = re.search(r"default: (\S+)", one.wait_for("default:"))[1]
        with Client(one) as client:
            assert client.ask(request(body={**BODY, "model": named})).status == 200
            assert client.ask(request(body={**BODY, "model": "nope"})).status == 404
            listed = [model["id"] for model in json.loads(client.ask(request("/v1/models", b"", "GET")).body)["data"]]
        one.end()
    assert listed == models
    assert named == models[0]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["serve", "--fault", "nope"], 2, "no fault 'nope'"),
        (["serve", "--host", "0.0.0.0"], 2, "refusing to bind 0.0.0.0"),
        (["serve", "--reply", "/no/such/file"], 2, "cannot read"),
        (["serve", "--record", "x"], 2, "need each other"),
        (["serve", "--port", "70000"], 2, "65535"),
        (["faults", "nope"], 2, "no fault 'nope'"),
        (["repro", "--fault", "nope"], 2, "no fault 'nope'"),
        (["repro", "--fault", "tls-expired"], 2, "needs TLS"),
        (["scenarios", "nope"], 2, "no scenario 'nope'"),
    ],
)
def test_bad_input_is_one_line_and_a_cure(cli: Any, arguments: list[str], code: int, says: str) -> None:
    """Exit code 2, never a traceback."""
    done = cli(*arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_the_lists_read_well_at_any_width(cli: Any, width: str) -> None:
    """Every fault and every scenario is named, without colour in a pipe."""
    done = cli("faults", COLUMNS=width)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= int(width)
    assert "idle-vanish" in done.stdout
    listed = json.loads(cli("faults", "--json").stdout)["faults"]
    assert len(listed) > 40
    assert done.stdout.count("#") == sum(fault["reference"].count("#") for fault in listed)
    assert "half-open-reused" in cli("scenarios", "list", COLUMNS=width).stdout


def test_record_and_replay(tmp_path: Path) -> None:
    """A stream passed on from another provider is written, and replayed byte for byte."""
    path = tmp_path / "recorded.sse"
    with Provider(reply="echo") as real:
        with serving("--record", str(path), "--upstream", real.base_url) as one:
            with Client(one) as client:
                heard = client.ask(request(authorization="Bearer s3cret"))
                assert heard.whole
                assert heard.types[-1] == "response.completed"
            one.end()
        assert real.tally()["requests"] == 1
    assert path.read_bytes() == heard.body
    assert path.stat().st_mode & 0o077 == 0
    with Provider(reply=str(path)) as provider:
        assert ask(provider, request()).body == heard.body


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
def test_a_recording_that_finds_no_room(tmp_path: Path) -> None:
    """Who asks hears it whole; that the file is not whole is said, and is the exit code."""
    path = tmp_path / "recorded.sse"
    with Provider() as real, serving("--record", str(path), "--upstream", real.base_url) as one:
        with Client(one) as client:
            one.wait_for("serving")
            resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (10, 10))
            assert [client.ask(request()).whole for _ in range(2)] == [True, True]
        code, _, errors = one.end(signal.SIGTERM)
    assert (code, errors) == (3, f"could not be saved to {path}: File too large\n")


def test_memory_stays_where_it_is() -> None:
    """2,000 connections after a warm-up: no growth to speak of (50,000 in scripts/soak_provider.py)."""
    with Provider(keep=100) as provider:

        def load(count: int) -> int:
            for _ in range(count):
                with Client(provider) as client:
                    client.socket.sendall(request())
            until(lambda: provider.open_connections == 0, "the end")
            return psutil.Process().memory_info().rss

        load(500)
        before = load(500)
        assert load(2000) - before < 8 * 2**20
