"""Plans: faults as a timeline, by the clock; a share of all requests, by chance with a seed; named days."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import httpx
import pytest
from conftest import ROOT, Cli
from provider_tools import FIN, PATIENCE, RESET, SILENCE, SILENT, Client, close_with_reset, nothing_left, request, until
from websocket_tools import RawClient

from hermes_diag.core.errors import UsageError
from hermes_diag.provider import AsyncProvider, Provider
from hermes_diag.provider.plans import plan

__all__ = ["nothing_left"]
DAYS = sorted(plan.days())

#: Three phases that none of these tests waits for longer than it must.
SHORT = """
# Healthy, an outage, recovery.
seed = 7
[[phase]]
name = "healthy"
seconds = 1
[[phase]]
name = "outage"
seconds = "1000ms"
faults = ["http-503"]
[[phase]]
name = "recovery"
"""
#: Of all requests 20 % 500, 15 % 429, 10 % no such model; nothing else.
BY_CHANCE = """
seed = 7
[[phase]]
name = "a bad day"
seconds = 600
percent = { http-500 = 20, http-429 = 15, "http-404" = 10 }
[[phase]]
name = "a worse one"
percent = { http-500 = 20, http-429 = 15, "http-404" = 10 }
"""


def written(folder: Path, text: str, name: str = "day.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def statuses(provider: Provider, count: int) -> list[int]:
    with Client(provider) as client:
        return [client.ask(request(body={"model": "gpt-5", "input": "hi"})).status for _ in range(count)]


def test_phases_follow_by_the_clock(tmp_path: Path) -> None:
    """Healthy, then nothing but 503, then healthy to the end; the tally keeps them apart."""
    begun = time.monotonic()
    with Provider(plan=written(tmp_path, SHORT)) as provider:
        seen: list[tuple[str, int, float]] = []
        while provider.phase != "recovery" or seen[-1][0] != "recovery":
            assert time.monotonic() < begun + PATIENCE
            before = provider.phase
            (status,) = statuses(provider, 1)
            if provider.phase == before:
                seen.append((before, status, time.monotonic() - begun))
            time.sleep(0.01)
    of = {name: {status for phase, status, _ in seen if phase == name} for name in ("healthy", "outage", "recovery")}
    assert of == {"healthy": {200}, "outage": {503}, "recovery": {200}}
    assert all(at >= 1 for phase, _, at in seen if phase == "outage")
    assert all(at >= 2 for phase, _, at in seen if phase == "recovery")
    tally = provider.tally()
    assert tally["phase 2 (outage), requests"] == tally["phase 2 (outage), fault http-503"] == tally["fault http-503"]
    assert tally["requests"] == sum(count for name, count in tally.items() if re.fullmatch(r"phase .*, requests", name))
    assert "phase 1 (healthy), fault http-503" not in tally


def test_without_a_plan_there_is_no_phase() -> None:
    """Neither in the tally nor on the control path."""
    with Provider() as provider:
        statuses(provider, 2)
        assert provider.phase == ""
        assert not [name for name in provider.tally() if name.startswith("phase")]
        assert httpx.get(provider.base_url[:-3] + "/_diag/plan", trust_env=False).json() == {"plan": None}


def test_a_loop_begins_again_and_draws_anew(tmp_path: Path) -> None:
    """Round after round, each with chance of its own from the same seed."""
    looping = 'loop = true\n[[phase]]\nname = "a"\nseconds = 0.1\n[[phase]]\nname = "b"\nseconds = "100ms"\n'
    with Provider(plan=written(tmp_path, looping)) as provider:
        url = provider.base_url[:-3] + "/_diag/plan"
        rounds = set()
        until(lambda: rounds.add(httpx.get(url, trust_env=False).json()["round"]) or len(rounds) > 2, "three rounds")
    read = plan.load(written(tmp_path, BY_CHANCE.replace("seed = 7", "seed = 7\nloop = true") + "seconds = 600\n"))
    drawn = [[read.shares(number).drawn(request) for request in range(1, 101)] for number in range(4)]
    assert drawn == [[read.shares(number).drawn(request) for request in range(1, 101)] for number in range(4)]
    assert len({tuple(map(str, one)) for one in drawn}) == 4


def test_a_share_of_all_requests(tmp_path: Path) -> None:
    """At most one fault each, as often as it says, and the same requests with the same seed, in any run."""
    path = written(tmp_path, BY_CHANCE)
    runs = []
    for _ in range(2):
        with Provider(plan=path) as provider:
            runs.append(statuses(provider, 1000))
    assert runs[0] == runs[1]
    counted = Counter(runs[0])
    for status, percent in ((500, 20), (429, 15), (404, 10), (200, 55)):
        assert abs(counted[status] - percent * 10) < 60  # four standard deviations of 1,000 draws at 50 %
    with Provider(plan=written(tmp_path, BY_CHANCE.replace("seed = 7", "seed = 8"))) as provider:
        assert statuses(provider, 1000) != runs[0]


def test_shares_go_behind_faults_and_count_requests_for_a_reply(tmp_path: Path) -> None:
    """A fault that applies answers; a share shapes or answers the others; a probe of models is not counted."""
    text = '[[phase]]\nname = "x"\nfaults = ["http-409:every=2"]\npercent = { connection-close = 100 }\n'
    with Provider(plan=written(tmp_path, text)) as provider:
        for status, close in ((200, "close"), (409, None), (200, "close"), (409, None)):
            with Client(provider) as client:
                client.ask(request("/v1/models", b"", "GET"))
                heard = client.ask()
                assert (heard.status, heard.headers.get("connection")) == (status, close)


def test_a_share_of_turns_over_a_websocket(tmp_path: Path) -> None:
    """Turns count as requests do: the same numbers as over HTTP meet the fault. A fault of turns meets turns only."""
    text = 'seed = 3\n[[phase]]\nname = "x"\npercent = {{ {} = 40 }}\n'
    path = written(tmp_path, text.format("http-500"))
    with Provider(plan=path) as provider:
        by_http = statuses(provider, 30)
    with Provider(plan=path) as provider, RawClient(provider) as client:
        by_turn = [500 if client.turn().types == ["error"] else 200 for _ in range(30)]
    assert by_turn == by_http
    assert set(by_http) == {200, 500}
    with Provider(plan=written(tmp_path, text.format("ws-close"))) as provider:
        assert statuses(provider, 30) == [200] * 30
        with RawClient(provider) as client:
            while client.turn().whole:
                pass
        assert provider.tally()["fault ws-close"] == 1


def test_two_faults_by_chance_draw_by_themselves(tmp_path: Path) -> None:
    """With one seed for both the second would mean only requests that the first has answered."""
    text = '[[phase]]\nname = "x"\nfaults = ["http-500:probability=0.3", "http-429:probability=0.3"]\n'
    with Provider(plan=written(tmp_path, text)) as provider:
        counted = Counter(statuses(provider, 300))
    assert counted[500] > 50
    assert counted[429] > 30  # 0.7 of 0.3


def test_a_seed_of_its_own_stays(tmp_path: Path) -> None:
    """A fault that names a seed means the same requests as with --fault."""
    spec = "http-500:probability=0.3:seed=5"
    with Provider([spec]) as provider:
        by_fault = statuses(provider, 100)
    with Provider(plan=written(tmp_path, f'[[phase]]\nname = "x"\nfaults = ["{spec}"]\n')) as provider:
        assert statuses(provider, 100) == by_fault


def test_counting_begins_with_each_phase(tmp_path: Path) -> None:
    """`request=1` is the first request of its phase; a connection that was open counts when it is used again."""
    text = (
        '[[phase]]\nname = "a"\nseconds = 600\nfaults = ["http-500:request=1"]\n'
        '[[phase]]\nname = "b"\nfaults = ["http-429:request=1", "http-409:connection=1:request=2"]\n'
    )
    with Provider(plan=written(tmp_path, text)) as provider, Client(provider) as client:
        assert [client.ask().status for _ in range(2)] == [500, 200]
        provider.next_phase()
        assert [client.ask().status for _ in range(3)] == [429, 409, 200]
        assert provider.tally()["connections"] == 1


def test_a_phase_can_be_left_before_its_time(tmp_path: Path) -> None:
    """The next one lasts as long as it says from then on; behind the last there is none."""
    text = BY_CHANCE + 'seconds = 1\n[[phase]]\nname = "over"\n'
    with Provider(plan=written(tmp_path, text)) as provider:
        begun = time.monotonic()
        provider.next_phase()
        assert provider.phase == "a worse one"
        until(lambda: provider.phase == "over", "the end of the second phase")
        assert 1 <= time.monotonic() - begun < PATIENCE
        with pytest.raises(ValueError, match="no further phase"):
            provider.next_phase()
    with Provider() as provider, pytest.raises(ValueError, match="no plan"):
        provider.next_phase()


def test_an_answer_goes_on_as_it_began(tmp_path: Path) -> None:
    """A stall that outlasts its phase is a stall to its end, and counts where it began."""
    text = (
        '[[phase]]\nname = "stalls"\nseconds = 600\nfaults = ["stall-before-headers=1.2"]\n'
        '[[phase]]\nname = "refused"\nfaults = ["http-503"]\n'
    )
    with Provider(plan=written(tmp_path, text)) as provider, Client(provider) as client:
        begun = time.monotonic()
        client.socket.sendall(request())
        until(lambda: provider.tally()["bytes_in"], "the request")
        provider.next_phase()
        assert client.listen().status == 200
        assert time.monotonic() - begun >= 1.2
        assert client.ask().status == 503
        tally = provider.tally()
    assert tally["phase 1 (stalls), fault stall-before-headers"] == 1
    assert tally["phase 2 (refused), requests"] == 1


def test_faults_set_by_hand_end_the_plan(tmp_path: Path) -> None:
    """No later phase takes them away; the control path says that the plan was stopped."""
    with Provider(plan=written(tmp_path, SHORT)) as provider:
        url = provider.base_url[:-3] + "/_diag/plan"
        told = httpx.get(url, trust_env=False).json()
        assert (told["plan"], told["state"], told["phases"]) == ("day.toml", "running", 3)
        with pytest.raises(UsageError):
            provider.set_faults(["http-999"])
        assert httpx.get(url, trust_env=False).json()["state"] == "running"
        provider.set_faults(["http-409"])
        told = httpx.get(url, trust_env=False).json()
        assert (told["state"], told["seconds_left"]) == ("stopped", None)
        assert provider.phase == ""
        time.sleep(2.2)  # both phases would be over
        assert statuses(provider, 1) == [409]


def test_the_control_path_tells_the_phase(tmp_path: Path) -> None:
    """Number, name, time that is left, faults and shares."""
    with Provider(plan=written(tmp_path, BY_CHANCE)) as provider:
        answer = httpx.get(provider.base_url[:-3] + "/_diag/plan", trust_env=False)
        told = answer.json()
        assert 500 < told.pop("seconds_left") <= 600
        assert told == {
            "plan": "day.toml", "state": "running", "phase": 1, "phases": 2, "name": "a bad day", "round": 1,
            "faults": [], "percent": {"http-500": 20, "http-429": 15, "http-404": 10},
        }  # fmt: skip
        assert httpx.put(provider.base_url[:-3] + "/_diag/plan", trust_env=False).status_code == 405


def test_json_is_the_same_plan(tmp_path: Path) -> None:
    """The same names in either form."""
    phases = [
        {"name": "a bad day", "seconds": "10m", "percent": {"http-500": 20, "http-429": 15, "http-404": 10}},
        {"name": "a worse one", "percent": {"http-500": 20, "http-429": 15, "http-404": 10}},
    ]
    as_json = plan.load(written(tmp_path, json.dumps({"seed": 7, "phase": phases})))
    assert as_json == plan.load(written(tmp_path, BY_CHANCE))


WRONG = [
    ("", "missing required field `phase`", "[[phase]]"),
    ("phase = []", "has 0 phases", "write 1 to 1000"),
    ("[[phase]", "is neither TOML nor JSON", "a phase is like"),
    ('{"phase": [', "is neither TOML nor JSON", "a phase is like"),
    ("phase = 3", "Expected `array`", "[[phase]]"),
    ('colour = "red"\n[[phase]]\nname = "x"', "unknown field `colour`", "it has seed, loop"),
    ('[[phase]]\nname = "x"\n[[phase]]\nname = "y"', "phase 1 (x) has no seconds", "only the last may"),
    ('loop = true\n[[phase]]\nname = "x"', "phase 1 (x) has no seconds", "loops need seconds"),
    ('[[phase]]\nname = "x"\nseconds = 5\n[[phase]]\nseconds = 3', "phase 2: Object missing required field `name`", ""),
    ('[[phase]]\nname = "x"\nfault = ["gzip"]', "phase 1: Object contains unknown field `fault`", "a phase is like"),
    ('[[phase]]\nname = "x"\nseconds = 0', "phase 1 (x): seconds: '0' is no time", "500ms"),
    ('[[phase]]\nname = "x"\nseconds = "soon"', "phase 1 (x): seconds: 'soon' is no time", "500ms"),
    ('[[phase]]\nname = "x"\nseconds = nan', "phase 1 (x): seconds: 'nan' is no time", "500ms"),
    ('[[phase]]\nname = "x\\ny"', "phase 1: name is", "on one line"),
    ('[[phase]]\nname = "x"\nfaults = ["http-502", "htp-500"]', "phase 1 (x): no fault 'htp-500'", "did you mean"),
    ('[[phase]]\nname = "x"\nfaults = ["http-500", "http-503"]', "http-500 answers every request, and http-503", ""),
    ('[[phase]]\nname = "x"\nfaults = ["http-500"]\npercent = {http-503 = 5}', "http-500 answers every request", ""),
    ('[[phase]]\nname = "x"\npercent = {http-500 = 60, http-503 = 41}', "adds up to more than 100", "write 5 for 5 %"),
    ('[[phase]]\nname = "x"\npercent = {http-500 = 0}', "not above 0", "write 5 for 5 %"),
    ('[[phase]]\nname = "x"\npercent = {http-500 = nan}', "not above 0", "write 5 for 5 %"),
    ('[[phase]]\nname = "x"\npercent = {"http-500:every=2" = 5}', "has a condition", "leave it out"),
    ('[[phase]]\nname = "x"\npercent = {"idle-close=5" = 5}', "acts on connections", "write it into faults"),
    (
        '[[phase]]\nname = "x"\nseconds = 9\n[[phase]]\nname = "y"\nfaults = ["tls-bare-fin"]',
        "day.toml, phase 2 (y): fault tls-bare-fin needs TLS",
        "add --tls",
    ),
]


@pytest.mark.parametrize(("text", "says", "cure"), WRONG)
def test_a_wrong_plan_is_one_line_and_a_cure(text: str, says: str, cure: str, tmp_path: Path) -> None:
    """With the file, the number of the phase and what to do."""
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as raised:
        Provider(plan=path)
    if "TLS" not in says:
        assert raised.value.message.startswith(str(path))
    assert says in raised.value.message
    assert cure in raised.value.hint
    assert "\n" not in raised.value.whole.replace(str(path), "")


PIECES = [
    "seed", "loop", "phase", "[[phase]]", "name", "seconds", "faults", "percent", "=", '"', "[", "]", "{", "}", ",",
    ":", "\n", " ", "1", "-1", "1e999", "nan", "inf", "true", "x", '"x"', "http-500", "gzip", "idle-close=1", "every=2",
    "probability=0.5", "9" * 400, "\\ud800", "\x1b", "\0", "'", "#", "30s",
]  # fmt: skip
CORPUS = [SHORT, BY_CHANCE, '{"phase": [{"name": "x", "seconds": 3, "faults": ["gzip"], "percent": {"http-500": 5}}]}']


def test_random_plans_are_read_or_refused_on_one_line(tmp_path: Path) -> None:
    """Whatever a file holds: a plan, or one line and a cure."""
    random, path, refused = Random(1), tmp_path / "plan", []
    for number in range(3000):
        text = CORPUS[number % len(CORPUS)]
        for _ in range(random.randint(1, 4)):
            at, end = sorted((random.randrange(len(text) + 1), random.randrange(len(text) + 1)))
            text = text[:at] + random.choice(PIECES) + text[min(end, at + random.randrange(9)) :]
        path.write_bytes(text.encode("utf-8", "replace"))
        try:
            plan.load(path)
        except UsageError as exc:
            refused.append(exc)
    assert 300 < len(refused) < 3000
    assert [exc for exc in refused if not (exc.message.isprintable() and exc.hint.isprintable())] == []


def test_faults_of_connections_are_in_force_with_their_phase(tmp_path: Path) -> None:
    """One that was idle before the phase is closed in it; a limit holds as long as its phase."""
    text = (
        '[[phase]]\nname = "a"\nseconds = 600\n[[phase]]\nname = "b"\nseconds = 600\nfaults = ["idle-close=0.1"]\n'
        '[[phase]]\nname = "c"\nseconds = 600\nfaults = ["connection-limit=0"]\n[[phase]]\nname = "d"\n'
    )
    with Provider(plan=written(tmp_path, text)) as provider:
        with Client(provider) as client:
            assert client.ask().whole
            assert client.end(silence=SILENCE) == SILENT
            provider.next_phase()
            assert client.end(silence=5) == FIN
        until(lambda: not provider.open_connections, "the end of the connection")
        provider.next_phase()
        with pytest.raises(TimeoutError):
            socket.create_connection(provider.address, SILENCE)
        provider.next_phase()
        with Client(provider) as client:
            assert client.ask().whole


def test_a_plan_of_the_proxy(tmp_path: Path) -> None:
    """Its faults are in force in their phase, and need a proxy."""
    path = written(tmp_path, '[[phase]]\nname = "a"\nseconds = 600\n[[phase]]\nname = "b"\nfaults = ["proxy-auth"]\n')
    with pytest.raises(UsageError, match=r"phase 2 \(b\): fault proxy-auth acts in a proxy"):
        Provider(plan=path)
    with Provider(plan=path, proxy=True) as provider:
        for status in (200, 407):
            answer = httpx.get(provider.base_url + "/models", proxy=provider.proxy_url, trust_env=False)
            assert answer.status_code == status
            if status == 200:
                provider.next_phase()


def test_a_plan_and_faults_are_not_both(tmp_path: Path) -> None:
    """Nobody could say which is in force."""
    with pytest.raises(UsageError, match="both faults and a plan"):
        Provider(["gzip"], plan=written(tmp_path, SHORT))


def test_async_with_has_plans_too(tmp_path: Path) -> None:
    """The same keyword, the same property."""

    async def run() -> str:
        async with AsyncProvider(plan=written(tmp_path, BY_CHANCE)) as provider:
            return provider.phase

    assert asyncio.run(run()) == "a bad day"


# --- named days --------------------------------------------------------------------------------------


def test_there_are_days() -> None:
    """At least five."""
    assert len(DAYS) >= 5


@pytest.mark.parametrize("name", DAYS)
def test_a_day_says_what_it_models(name: str) -> None:
    """A first line that names provider and date, its source, by how much it is faster; some minutes long."""
    path = ROOT / "hermes_diag" / "provider" / "plans" / "days" / f"{name}.toml"
    first, *further = [line.removeprefix("# ") for line in path.read_text().splitlines() if line.startswith("#")]
    date = re.search(r"(\d+) (\w+) (\d{4})\.$", first)
    assert date is not None
    assert name.endswith(time.strftime("%Y-%m-%d", time.strptime(" ".join(date.groups()), "%d %B %Y")))
    assert any(line.startswith("Source: ") for line in further)
    assert re.search(r"are \d+ seconds here: \d+ times as fast", "\n".join(further))
    day = plan.load(name)
    assert 60 <= sum(phase.seconds or 0 for phase in day.phases) <= 600
    healthy = [not (phase.faults or phase.percent) for phase in day.phases]
    assert healthy[0]
    assert healthy[-1]
    assert not all(healthy)


def test_the_docs_list_the_days() -> None:
    """With their first lines, all of them."""
    shown = re.findall(
        r"^\| `([\w-]+-\d{4}-\d\d-\d\d)` \| (.*) \|$", (ROOT / "docs" / "provider.md").read_text(), re.MULTILINE
    )
    assert dict(shown) == plan.days()


def test_the_plan_of_the_docs_is_one(tmp_path: Path) -> None:
    """As it stands in docs/provider.md."""
    section = (ROOT / "docs" / "provider.md").read_text().split("## Plans\n")[1].split("The file is TOML")[0]
    text = "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))
    read = plan.load(written(tmp_path, text))
    assert [phase.name for phase in read.phases] == ["healthy", "resets", "a bad day", "recovery"]
    assert [share for _, share in read.phases[2].percent] == [5, 3, 1]


@pytest.mark.parametrize("name", DAYS)
def test_each_phase_of_a_day_is_what_it_says(name: str) -> None:
    """On the wire: in a healthy phase all requests are answered, in another its faults show and no others."""
    day = plan.load(name)
    with Provider(plan=name) as provider:
        for number, phase in enumerate(day.phases):
            if number:
                provider.next_phase()
            assert provider.phase == phase.name
            meant = {fault.name for fault, _ in phase.percent} | {
                one.name for one in phase.faults if one.hook == "answer"
            }
            for _ in range(5 if not phase.percent and not phase.faults else 100):
                leave_what_is_silent(provider)
            until(lambda: not provider.open_connections, "the end of what was left")
            label = f"phase {number + 1} ({phase.name}), fault "
            seen = {key.removeprefix(label) for key in provider.tally() if key.startswith(label)}
            assert seen - {"healthy"} <= meant
            assert bool(seen - {"healthy"}) is bool(meant)


def leave_what_is_silent(provider: Provider) -> None:
    with Client(provider) as client:
        if client.ask(silence=0.1).end != RESET:
            close_with_reset(client.socket)


# --- serve -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [False, True])
def test_serve_says_each_phase(as_json: bool, tmp_path: Path) -> None:
    """One line in the live log as it begins, after the greeting; requests and faults by phase in the tally."""
    path = written(tmp_path, SHORT.partition('[[phase]]\nname = "recovery"')[0])
    command = [sys.executable, "-m", "hermes_diag", "serve", "--plan", str(path)]
    with subprocess.Popen([*command, *["--json"] * as_json], stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            lines = [serving.stdout.readline()]
            found = re.search(r"http://127\.0\.0\.1:\d+/v1", lines[0])
            assert found is not None
            while "2 of 2" not in lines[-1]:
                lines.append(serving.stdout.readline())
                assert lines[-1], lines
            body = {"model": "gpt-5", "input": "hi"}
            assert httpx.post(found[0] + "/responses", json=body, trust_env=False).status_code == 503
            serving.send_signal(signal.SIGINT)
            rest, _ = serving.communicate(timeout=PATIENCE)
        finally:
            serving.kill()
    phases = ["1 of 2: healthy, 1 s", "2 of 2: outage, to the end"]
    if as_json:
        events = [json.loads(line) for line in (*lines, *rest.splitlines())]
        assert [event["phase"] for event in events if event["event"] == "phase"] == phases
        assert events[-1]["phase 2 (outage), fault http-503"] == 1
    else:
        told = [line.split("  ", 1)[1].strip() for line in lines if re.match(r"[\d:.]+  phase ", line)]
        assert told == [f"phase {phase}" for phase in phases]
        assert re.search(r"^phase 2 \(outage\), fault http-503 +1$", rest, re.MULTILINE)
        assert re.search(r"^phase 2 \(outage\), requests +1$", rest, re.MULTILINE)


def test_serve_refuses_what_is_wrong(cli: Cli, tmp_path: Path) -> None:
    """One line and a cure, exit code 2."""
    for arguments, says in (
        (["--plan", str(tmp_path / "none.toml")], "No such file"),
        (["--plan", DAYS[0], "--fault", "gzip"], "--fault has no effect with --plan"),
        (["--plan", DAYS[0][:-1]], f"did you mean {DAYS[0]}"),
        (["--plan", str(written(tmp_path, "phase = 3"))], "Expected `array`"),
    ):
        done = cli("serve", *arguments)
        assert done.returncode == 2
        assert says in done.stderr
        assert len(done.stderr.splitlines()) == 2


def test_serve_lists_the_days(cli: Cli) -> None:
    """By name, with the first line of each file; as JSON too."""
    done = cli("serve", "--plan", "list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == DAYS
    document = json.loads(cli("serve", "--plan", "list", "--json").stdout)
    assert [day["name"] for day in document["days"]] == DAYS
    assert all(day["summary"] in done.stdout for day in document["days"])
