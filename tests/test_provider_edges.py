"""Clients that close their half, send ahead or probe; faults that are changed under way; bad input."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from provider_tools import BODY, FIN, PATIENCE, Client, nothing_left, request, trusting, until, without_ids  # noqa: F401
from test_provider_protocol import Serving, ask, serving

from hermes_diag.cli.serving import SPARE
from hermes_diag.core.errors import UsageError
from hermes_diag.provider import Provider
from hermes_diag.provider.upstream import Upstream

# --- a client that has closed its half -----------------------------------------------------------


@pytest.mark.parametrize("spec", ["healthy", "slow-events=0.01", "stall-before-headers=0.2", "fin-mid-stream=3"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_closes_its_half_gets_its_answer(spec: str, tls: bool) -> None:
    """What it asked for before its FIN is answered, pipelined requests too; then the connection ends."""
    with Provider([spec], tls=tls) as provider, Client(provider, trusting(provider) if tls else None) as client:
        client.socket.sendall(request() * 2)
        socket.socket.shutdown(client.socket, socket.SHUT_WR)
        raw = b""
        while data := client.socket.recv(65536):
            raw += data
        heads, ends = raw.count(b"HTTP/1.1 200"), raw.count(b"event: response.completed")
        assert (heads, ends) == ((1, 0) if spec.startswith("fin") else (2, 2))
        until(lambda: not provider.open_connections, "the end")
        assert provider.closed_connections[0].closed_first == "client" or spec.startswith("fin")


@pytest.mark.parametrize("spec", ["first-event-then-silence", "stall-before-headers=3600", "comments-only=0.05"])
def test_a_client_that_leaves_a_silence_is_not_waited_for(spec: str) -> None:
    """Nothing will come, or not soon: its FIN is the end."""
    with Provider([spec]) as provider:
        with Client(provider) as client:
            client.socket.sendall(request())
            until(lambda: provider.tally()["bytes_in"], "the request")
        until(lambda: not provider.open_connections, "the end")
        assert provider.closed_connections[0].closed_first == "client"


def test_a_tls_close_notify_is_answered() -> None:
    """A client that closes TLS politely and waits for the same does not wait in vain."""
    with Provider(tls=True) as provider, Client(provider, trusting(provider)) as client:
        assert client.ask().whole
        client.socket = client.socket.unwrap()  # SSLEOFError, or a timeout, without our close_notify


def test_what_is_sent_ahead_is_not_piled_up() -> None:
    """While its request is silent, a client that goes on sending is read no further; that it left is seen."""
    with Provider(["first-event-then-silence"]) as provider:
        with Client(provider, timeout=1) as client:
            client.socket.sendall(request())
            with pytest.raises(TimeoutError):
                client.socket.sendall(request() * 100_000)  # some 15 MB
            assert provider.tally()["bytes_in"] < 2**20
        until(lambda: not provider.open_connections, "the end")


def test_a_thousand_requests_ahead_are_all_answered() -> None:
    """Reading is paused and goes on as often as it takes."""
    count = 1000
    with Provider() as provider, Client(provider) as client:
        small = request(body={"model": "gpt-5"})
        heard = b""
        client.socket.setblocking(False)
        left = small * count
        while heard.count(b"HTTP/1.1 200") < count:
            with contextlib.suppress(BlockingIOError):
                left = left[client.socket.send(left) :] if left else left
            with contextlib.suppress(BlockingIOError):
                heard += client.socket.recv(1 << 20)
        assert provider.tally()["requests"] >= count - 1


# --- faults that are changed, and what is counted ------------------------------------------------


def test_connections_are_counted_from_one_when_faults_are_set() -> None:
    """connection=1 is the next one to come, however many there were before."""
    with Provider() as provider:
        assert [ask(provider, request()).status for _ in range(3)] == [200] * 3
        provider.set_faults(["http-500:connection=2"])
        assert [ask(provider, request()).status for _ in range(3)] == [200, 500, 200]
        with Client(provider) as old:  # the fourth
            old.ask()
            provider.set_faults(["http-500:connection=1"])
            assert ask(provider, request()).status == 500
            assert old.ask().status == 200


def test_other_faults_take_the_timers_of_the_old_ones_away() -> None:
    """An idle connection is no longer closed by a fault that was taken back, and is by a new one."""
    with Provider(["idle-close=0.3"]) as provider, Client(provider) as client:
        client.ask()
        provider.set_faults([])
        assert client.end(silence=0.6) == "silent"
        provider.set_faults(["idle-close=0.05"])
        assert client.end() == FIN


def test_a_probe_does_not_use_up_the_request_of_another_path() -> None:
    """Each path that a fault names has a count of its own."""
    specs = ["http-404:path=/v1/models", "http-500:request=1", "http-429:request=2"]
    with Provider(specs) as provider, Client(provider) as client:
        probe = request("/v1/models", b"", "GET")
        assert [client.ask(probe).status for _ in range(3)] == [404] * 3
        assert [client.ask().status for _ in range(3)] == [500, 429, 200]


def test_what_is_refused_uses_up_no_reply(tmp_path: Path) -> None:
    """The first request that gets a reply gets the first: not one without a key, nor one with a fault before it."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"output": [{"text": word}]} for word in ("one", "two")]))
    with Provider(["http-500:request=1"], reply=str(script), require_key=True, models=("gpt-*",)) as provider:
        key = {"authorization": "bEARER x"}
        refused = [request(), request(body={**BODY, "model": "nope"}, **key), request(**key)]
        assert [ask(provider, one).status for one in refused] == [401, 404, 500]
        texts = [ask(provider, request(**key)).events[-1]["response"]["output"][0]["content"][0]["text"] for _ in "12"]
    assert texts == ["one", "two"]


@pytest.mark.parametrize(("spec", "more"), [("content-length-long", 20), ("content-length-short", -20)])
def test_a_wrong_length_is_wrong_for_what_is_sent(spec: str, more: int) -> None:
    """gzip and a wrong content-length: it is the length of the gzipped body that is off."""
    with Provider([spec, "gzip"]) as provider, Client(provider) as client:
        client.socket.sendall(request(connection="close"))
        raw = b""
        while data := client.socket.recv(1 << 20):
            raw += data
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in head
    assert int(re.search(rb"content-length: (\d+)", head)[1]) == len(body) + more


def test_the_connection_limit_takes_no_port_from_a_client() -> None:
    """What filled the backlog is gone with the limit; a client with the port that it had is served."""
    tried = 0
    with Provider() as provider:
        for _ in range(20):
            with Client(provider) as only:
                provider.set_faults(["connection-limit=1"])
                assert only.ask().whole
                fillers = [
                    row.laddr.port
                    for row in psutil.Process().net_connections("tcp4")
                    if row.raddr == provider.address and row.laddr != only.socket.getsockname()
                ]
                provider.set_faults([])
            assert ask(provider, request()).whole  # and the filler, which came before, is accepted
            tried += sum(served_from(provider, port) for port in fillers)
    assert tried


def served_from(provider: Provider, port: int) -> bool:
    """A request from that port is answered; False when another process has the port just now."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(10)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        sock.connect(provider.address)
        sock.sendall(request())
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        return True


# --- the control path ----------------------------------------------------------------------------


def control(one: Serving, path: str, method: str = "GET", **document: Any) -> Any:
    url = re.search(r"control (\S+)", one.wait_for("control "))[1]
    data = json.dumps(document).encode() if document else None
    with urllib.request.urlopen(urllib.request.Request(f"{url}/{path}", data, method=method), timeout=10) as answer:
        return json.load(answer)


@pytest.mark.parametrize(
    "spec",
    ["connection-limit=0", "tls-reset-handshake", "tls-expired", "idle-vanish=1ms", "idle-close=0.001", "gzip"],
)
def test_the_control_path_works_under_every_fault(spec: str) -> None:
    """It has a port of its own, without TLS, and what uses it is neither counted nor logged."""
    with serving("--tls", "--fault", spec) as one:
        assert control(one, "faults") == {"faults": [spec]}
        assert control(one, "connections")["tally"]["connections"] == 0
        assert control(one, "faults", "PUT", faults=["http-500"]) == {"faults": ["http-500"]}
        ca = re.search(r"SSL_CERT_FILE=(\S+)", one.wait_for("SSL_CERT_FILE"))[1]
        with Client(one, ssl.create_default_context(cafile=ca)) as client:
            assert client.ask().status == 500
        with pytest.raises(urllib.error.HTTPError, match="404"):
            control(one, "../v1/responses")
        code, out, _ = one.end()
    assert code == 130
    assert out.count("opened") == 1


# --- passing on ----------------------------------------------------------------------------------


def test_a_long_stream_is_not_cut_while_it_speaks(tmp_path: Path) -> None:
    """The patience with the real provider is with its silence, not with the whole conversation."""
    with Provider(["slow-events=0.25:request=1", "stall-before-first-event=60:request=2"]) as real:
        upstream = Upstream(real.base_url, tmp_path / "a.sse", patience=3)
        upstream.open()
        with Provider(upstream=upstream) as provider:
            whole, silent = ask(provider, request()), ask(provider, request())
        upstream.close()
    assert whole.types[-1] == "response.completed"  # 4 s
    assert (silent.status, silent.end) == (200, FIN)
    assert (tmp_path / "a.sse").read_bytes() == whole.body


def test_headers_go_through_and_host_names_the_port(tmp_path: Path) -> None:
    """Retry-After and the like come back; what is of one connection does not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "{}:{}".format(*listener.getsockname())
        upstream = Upstream(f"http://{address}/v1", tmp_path / "a.sse")
        with Provider(upstream=upstream) as provider, Client(provider) as client:
            client.socket.sendall(request(accept_encoding="br", x_mine="1"))
            peer, _ = listener.accept()
            with peer:
                asked = b""
                while not asked.endswith(json.dumps(BODY).encode()):
                    asked += peer.recv(65536)
                peer.sendall(
                    b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nX-Request-Id: abc\r\nKeep-Alive: timeout=5\r\n"
                    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                )
                heard = client.listen()
    assert f"host: {address}\r\n".encode() in asked.lower()
    assert b"x-mine: 1" in asked.lower()
    assert b"accept-encoding" not in asked.lower()
    assert (heard.status, heard.body) == (429, b"{}")
    assert (heard.headers["retry-after"], heard.headers["x-request-id"]) == ("7", "abc")
    assert "keep-alive" not in heard.headers


def test_recorded_streams_are_replies_one_after_the_other(tmp_path: Path) -> None:
    """Two streams at the same time are written one after the other, and replayed so."""
    path = tmp_path / "two.sse"
    with Provider(["slow-events=0.01"], reply="echo") as real:
        upstream = Upstream(real.base_url, path)
        upstream.open()
        with Provider(upstream=upstream) as provider, Client(provider) as first, Client(provider) as second:
            first.socket.sendall(request(body={**BODY, "input": "one one"}))
            second.socket.sendall(request(body={**BODY, "input": "two two"}))
            bodies = [client.listen().body for client in (first, second)]
        upstream.close()
    with Provider(reply=str(path)) as provider:
        replayed = [ask(provider, request()).body for _ in range(2)]
    assert sorted(replayed) == sorted(bodies)


CHAT = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}], "stream": True}


def recorded(path: Path, script: str, *bodies: dict[str, Any]) -> list[Any]:
    """What `serve --record` has heard, passed on from a provider that follows a script."""
    with Provider(reply=script) as real:
        upstream = Upstream(real.base_url, path)
        upstream.open()
        with Provider(upstream=upstream) as provider:
            heard = [ask(provider, to_api(body)) for body in bodies]
        upstream.close()
    return heard


def to_api(body: dict[str, Any]) -> bytes:
    return request("/v1/chat/completions" if "messages" in body else "/v1/responses", body)


def test_a_record_of_both_apis_is_replayed_to_each_its_own(tmp_path: Path) -> None:
    """Whatever the order in which they are asked; streams of an API follow each other, the last stays."""
    path = tmp_path / "both.sse"
    turns = [{**BODY, "input": "one"}, CHAT, {**BODY, "input": "two"}, {**BODY, "input": "three"}]
    first, chat, second, third = recorded(path, "echo", *turns)
    with Provider(reply=str(path)) as provider:
        asked = [CHAT, BODY, CHAT, BODY, BODY, BODY]
        replayed = [ask(provider, to_api(body)).body for body in asked]
    assert replayed == [one.body for one in (chat, first, chat, second, third, third)]


def test_an_api_that_the_record_does_not_hold_is_refused(tmp_path: Path) -> None:
    """Clearly, streamed or not, and no reply is used up."""
    for number, (held, other) in enumerate([(BODY, CHAT), (CHAT, BODY)]):
        path = tmp_path / f"{number}.sse"
        (heard,) = recorded(path, "echo", held)
        with Provider(reply=str(path)) as provider:
            for body in (other, {**other, "stream": False}):
                refused = ask(provider, to_api(body))
                assert refused.status == 400
                assert "holds no stream of /v1/" in json.loads(refused.body)["error"]["message"]
            assert ask(provider, to_api(held)).body == heard.body


def test_a_recorded_chat_stream_answers_what_is_not_streamed(tmp_path: Path) -> None:
    """Texts and calls are put together as the provider that was recorded does it without a stream."""
    script, path = tmp_path / "script.json", tmp_path / "chat.sse"
    calls = [{"call": "look", "arguments": {"at": "it"}}, {"call": "go", "arguments": {"far": True}}]
    script.write_text(json.dumps({"output": [{"text": "Let me see."}, *calls]}))
    recorded(path, str(script), {**CHAT, "stream_options": {"include_usage": True}})
    unstreamed = to_api({**CHAT, "stream": False})
    with Provider(reply=str(script)) as real, Provider(reply=str(path)) as replay:
        expected, found = (json.loads(without_ids(ask(one, unstreamed).body)) for one in (real, replay))
    assert expected["choices"][0]["message"].pop("annotations") == []  # no stream tells them
    assert found == expected
    assert [call["function"]["name"] for call in found["choices"][0]["message"]["tool_calls"]] == ["look", "go"]


def test_a_stream_written_by_hand_breaks_nothing(tmp_path: Path) -> None:
    """Chunks that hold what no provider sends."""
    path = tmp_path / "odd.sse"
    odd = [
        1,
        {"index": 10**9, "delta": 3},
        {"index": [], "delta": {"tool_calls": [4, {"index": 10**9}], "content": "a"}},
    ]
    path.write_text("".join(f"data: {json.dumps(one)}\n\n" for one in ({"choices": odd}, {"choices": 5}, [], 7)))
    with Provider(reply=str(path)) as provider:
        heard = ask(provider, to_api({**CHAT, "stream": False}))
    assert json.loads(heard.body)["choices"][0]["message"]["content"] == "a"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:99999/v1", "http://[::1", "ftp://a", "http://", "http://u:s3cret@a/v1", "http://a:x/v1",
            "http://" + "a" * 64 + ".b/v1", "http://a b/v1", "http://a/v1?key=s3cret"],
)  # fmt: skip
def test_a_wrong_upstream_is_said_without_its_secrets(url: str, tmp_path: Path, cli: Any) -> None:
    """One line and a cure; and no file is made."""
    done = cli("serve", "--record", "x.sse", "--upstream", url)
    assert done.returncode == 2
    assert done.stderr.startswith("hermes-diag: --upstream ")
    assert "s3cret" not in done.stderr
    assert not (tmp_path / "x.sse").exists()


def test_a_start_that_fails_leaves_no_file(cli: Any, tmp_path: Path) -> None:
    """The record is made last, and never over a file that is there."""
    flags = ["--record", "x.sse", "--upstream", "http://127.0.0.1:1/v1"]
    assert cli("serve", *flags, "--fault", "nope").returncode == 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for flag in ("--port", "--control-port"):
            done = cli("serve", *flags, flag, taken.getsockname()[1])
            assert (done.returncode, "is taken" in done.stderr) == (3, True)
    assert not (tmp_path / "x.sse").exists()
    (tmp_path / "x.sse").write_text("mine")
    done = cli("serve", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert (tmp_path / "x.sse").read_text() == "mine"


def test_a_reader_that_leaves_ends_it() -> None:
    """`serve | head -1`: it does not stay until it has something more to say."""
    server = subprocess.Popen([sys.executable, "-m", "hermes_diag", "serve"], stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline().startswith(b"serving ")
        server.stdout.close()
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()


def test_the_tally_is_the_last_word() -> None:
    """What is being answered at the end is broken off, counted, and said before the tally."""
    with serving("--json", "--fault", "first-event-then-silence") as one, Client(one) as client:
        client.socket.sendall(request())
        one.wait_for("first byte")
        _, out, _ = one.end()
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events[-3:]] == ["closed", "broken off", "tally"]
    assert events[-1]["requests"] == 1


def test_nothing_is_left_of_one_that_was_killed() -> None:
    """SIGKILL: neither its port nor the file of its CA is there any more."""
    with serving("--tls") as one:
        ca, address = Path(one.wait_for("SSL_CERT_FILE").strip().partition("=")[2]), one.address
        assert b"BEGIN CERTIFICATE" in ca.read_bytes()
        one.end(signal.SIGKILL)
    assert not ca.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_client_that_does_not_trust_the_certificate_is_told_of() -> None:
    """The likeliest mistake with --tls; and one that does not speak TLS."""
    with serving("--tls") as one:
        with socket.create_connection(one.address, PATIENCE) as plain, pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(plain, server_hostname="127.0.0.1")
        one.wait_for("TLS refused: alert unknown ca, told by the client$")
        with socket.create_connection(one.address, PATIENCE) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            one.wait_for("TLS refused: http request$")


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "--reply", ""], "cannot read ''"),
        (["serve", "--reply", "deep.json"], "is no reply script"),
        (["serve", "--reply", "negative.json"], ">= 0"),
        (["serve", "--host", "::1%lo"], "write ::1"),
        (["serve", "--fault", "http-500:every=-1"], "counting starts at 1"),
        (["serve", "--fault", "http-500:seed=3"], "a seed without a probability"),
        (["scenarios", "closed-client", "--fault", "gzip"], "No such option: --fault"),
        *(
            (["scenarios", "list", *option], "takes only --json")
            for option in (
                ["--output", "x.md"],
                ["--save", "x"],
                ["--set", "start=spawn"],
                ["--python", "x"],
                ["--payload", "x"],
            )
        ),
        (["scenarios", "list", "closed-client"], "takes no name"),
        (["scenarios", "list", "--force"], "--force needs --save"),
        *(([command, "--force"], "--force needs --save") for command in ("repro", "check", "scenarios")),
        (["nope"], "No such command 'nope'"),
        (["serve", "--fault", "healthy", "--fault", "http-500"], "healthy answers every request first"),
        (["repro", "--fault", "idle-close=soon"], "a time like 500ms or 2s"),
        (["repro", "--turns", "abc"], "it is to be a whole number"),
        (["report", "cut.jsonl"], "is cut off within its first line"),
        (["scenarios", "closed-client", "--set", "seed=3"], "has no effect here"),
        (["scenarios", ","], "no scenario ','"),
        (["scenarios", ""], "no scenario ''"),
        (["scenarios", "cut-stream", "nope"], "no scenario 'nope'"),
        (["report", "renamed.jsonl"], "no scenario 'gone'"),
        (["report", "sideless.jsonl"], "has no good client"),
    ],
)
def test_bad_input_is_one_line_and_a_cure(cli: Any, tmp_path: Path, arguments: list[str], says: str) -> None:
    """Exit code 2 and never an internal error."""
    (tmp_path / "deep.json").write_text('{"output": [{"call": "f", "arguments": ' + '{"a":' * 20_000)
    (tmp_path / "cut.jsonl").write_text('{"record":"capture","schema":2,"plan":{"cel')
    (tmp_path / "negative.json").write_text('{"output": [], "usage": {"input_tokens": -1}}')
    for name, scenario in (("renamed", "gone/bad"), ("sideless", "closed-client/bad")):
        cell = {"strategy": "buggy", "end": "close", "workload": "steady", "sessions": 1, "turns": 1}
        cell |= {"scope": "session", "retries": 0, "timeout": 1, "pool_timeout": 1, "idle_close": 0, "seed": 0}
        payload = {"kind": "built-in", "source": "a", "size": 1, "api": "responses"}
        plan = {"cells": [{**cell, "scenario": scenario}], "payload": payload}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"record": "capture", "schema": 2, "plan": plan}) + "\n")
    done = cli(*arguments)
    assert says in done.stderr
    assert (done.returncode, done.stdout) == (2, "")
    assert "internal error" not in done.stderr


def test_the_api_says_when_it_is_not_running() -> None:
    """Before the block a clear error; after it what was seen can still be read."""
    provider = Provider()
    for query in ("base_url", "address", "requests", "open_connections"):
        with pytest.raises(RuntimeError, match="with Provider"):
            getattr(provider, query)
    with provider:
        address = provider.address
        ask(provider, request())
    assert (provider.address, len(provider.requests), provider.tally()["requests"]) == (address, 1, 1)
    assert (provider.open_connections, len(provider.closed_connections)) == (0, 1)
    for order in (provider.settle, lambda: provider.set_faults([])):
        with pytest.raises(RuntimeError, match="is over"):
            order()
    with pytest.raises(RuntimeError, match="make another"):
        provider.__enter__()
    for wrong, says in (("http-500", "the text 'http-500'"), ([5], "not 5"), ([None], "not None"), (5, "faults is 5")):
        with pytest.raises(UsageError, match=says):
            Provider(faults=wrong)


def test_providers_that_start_at_once_are_of_one_authority() -> None:
    """In a process that has made none yet: a client that trusts one of them trusts all."""
    script = """
import ssl, socket, threading
from hermes_diag.provider import Provider
gate = threading.Barrier(8)
def one():
    gate.wait()
    with Provider(tls=True) as provider, socket.create_connection(provider.address) as plain:
        context = ssl.create_default_context(cafile=str(provider.ca_file))
        context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        trusted.append(provider.ca_file)
trusted = []
threads = [threading.Thread(target=one) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(trusted))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "8\n", done.stderr[-1000:]


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the limits of another process can only be set on Linux")
@pytest.mark.parametrize("proxy", [False, True])
def test_clients_that_take_all_descriptors_do_not_lock_out_the_control_path(proxy: bool) -> None:
    """300 idle connections with 128 descriptors: the control path answers, and the last client once there is room."""
    with serving("--json", *(["--as-proxy"] if proxy else [])) as one, contextlib.ExitStack() as clients:
        greeting = json.loads(one.wait_for("serving"))
        _, hard = resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, (128, hard))
        at = urllib.parse.urlsplit(greeting["environment"]["HTTPS_PROXY"]) if proxy else None
        for _ in range(300):
            clients.enter_context(socket.create_connection((at.hostname, at.port) if at else one.address, PATIENCE))
        last = clients.enter_context(socket.create_connection(one.address, PATIENCE))
        last.sendall(request())
        url = greeting["control_url"] + "/connections"
        asked = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        until(lambda: psutil.Process(one.process.pid).num_fds() >= 128 - SPARE, "all descriptors to be taken")
        for _ in range(30):
            with asked.open(url, timeout=PATIENCE) as answer:
                assert json.load(answer)["tally"]["requests"] == 0
        resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        assert last.recv(65536).startswith(b"HTTP/1.1 200 ")
        one.end()
