"""Twenty-five secrets and more, each for a place of its own; the tests look for all of them everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: By place. What is looked for is the value, or what stands behind its last blank, @ or = sign.
PLANTED = {
    "bearer header": "Bearer b3arer-5ecre7-0001",
    "prompt": "sk-prompt-5ecre7-0002",
    "metadata": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1ZWNyZTcwMDAzIn0.c2lnbmVk5ecre70003",
    "cookie header": "session=c00k1e5ecre70004",
    "proxy of the environment": "http://proxyuser:pr0xy5ecre70005@127.0.0.1:9",
    "user of a URL": "ur1pw5ecre70006",
    "query of a URL": "qu3ry5ecre70007",
    "x-api-key header": "hdr5ecre70008abcdefgh",
    "extra body": "b0dy5ecre70009abcdefgh",
    "error of a dump": "AKIA5ECRE70010ABCDEF",
    "key of the environment": "sk-env-5ecre7-0011",
    "file name of a payload": "sk-file-5ecre7-0012",
    "reason of a dump": "ghp_5ecre70013abcdefghijklmnopqrstuvwx",
    "text of an exception": "xoxb-5ecre7-0014-abcdef",
    "cause of an exception": "postgres://app:dsn5ecre70015@db/x",
    "header of a client": "glpat-5ecre70016abcdefgh",
    "--env": "hf_5ecre70017abcdefghijk",
    "process title": "sk-t1tl35ecre7",  # the kernel keeps 15 characters
    "argument of a process": "--token=argv5ecre70019",
    "environment of a process": "AIza5ecre70020abcdefghijklmnopqrstu",
    "SQLite file": "sk-sqlite-5ecre7-0021",
    "thread": "ghs_5ecre70022x",  # 15 characters, too
    "opened file": "sk-0pened-5ecre7-0023",
    "task": "sk-ta5k-5ecre7-0024",
    "reason of an allowance": "sk-a110w-5ecre7-0025",
    "answer of a provider": "rk-answer-5ecre7-0026",
    "folder of a file": "token=f0lder5ecre70027",
    "name of a host": "sk-h0st-5ecre7-0028",
    "key of client_kwargs": "sk-kw4rg5-5ecre7-0029",
    "unix socket": "sk-un1x-5ecre7-0030",
    "repr of an object": "sk-r3pr-5ecre7-0031",
}
NEEDLES = {
    place: value.rpartition(" ")[2]
    .removesuffix("@127.0.0.1:9")
    .removesuffix("@db/x")
    .replace("=", ":")
    .rpartition(":")[2]
    for place, value in PLANTED.items()
}


def found(text: str) -> list[str]:
    """Places whose secret is in a text."""
    return [place for place, needle in NEEDLES.items() if needle in text]


def dump(folder: Path) -> Path:
    """A request dump with a secret in each of its fields, and in its name."""
    path = folder / f"request_dump_{PLANTED['file name of a payload']}.json"
    url = f"https://u:{PLANTED['user of a URL']}@example.test/v1/responses?key={PLANTED['query of a URL']}"
    request = {
        "method": "POST",
        "url": url,
        "headers": {"Authorization": PLANTED["bearer header"]},
        "body": {
            "model": "gpt-5",
            "input": f"my key is {PLANTED['prompt']}",
            "metadata": {"k": PLANTED["metadata"]},
            "extra_headers": {"x-api-key": PLANTED["x-api-key header"], "cookie": PLANTED["cookie header"]},
            "extra_body": {"deep": [{"er": PLANTED["extra body"]}]},
            "extra_query": {"key": PLANTED["query of a URL"]},
        },
    }
    error = {"message": f"key {PLANTED['error of a dump']} at {url}", "type": PLANTED["reason of a dump"], "body": url}
    path.write_text(json.dumps({"request": request, "error": error, "reason": PLANTED["reason of a dump"]}))
    return path


def environment() -> dict[str, str]:
    """Variables of the command itself."""
    return {
        "OPENAI_API_KEY": PLANTED["key of the environment"],
        "HTTPS_PROXY": PLANTED["proxy of the environment"],
        "OPENAI_LOG": "debug",
    }


#: Factories: one that raises with secrets in its text, one whose clients have secrets, one whose turns break with one,
#: one that writes one into what it is given.
FACTORIES = f"""\
import os
from openai import OpenAI

def raises(client_kwargs):
    try:
        raise KeyError({PLANTED["cause of an exception"]!r})
    except KeyError as exc:
        raise ValueError("no access with " + {PLANTED["text of an exception"]!r} + os.environ["GIVEN"]) from exc

class Callback:
    def __call__(self, *arguments):
        pass
    def __repr__(self):
        return {PLANTED["repr of an object"]!r}

def carries(client_kwargs):
    return OpenAI(**client_kwargs, default_headers={{"X-Token": {PLANTED["header of a client"]!r}}})

def hides(client_kwargs):
    client = OpenAI(**client_kwargs)
    def post(*arguments, **keywords):
        raise RuntimeError("the provider said " + {PLANTED["answer of a provider"]!r})
    client.responses.create = post
    return client

def writes(client_kwargs):
    client = OpenAI(**client_kwargs)
    client_kwargs[{PLANTED["key of client_kwargs"]!r}] = Callback()
    return client
"""

#: A factory that leads elsewhere, which is refused.
ELSEWHERE = f"""\
from openai import OpenAI, DefaultHttpxClient
def make(client_kwargs):
    proxy = "http://u:{PLANTED["user of a URL"]}@{PLANTED["name of a host"]}.example.test:3128"
    return OpenAI(**{{**client_kwargs, "http_client": DefaultHttpxClient(proxy=proxy)}})
"""

#: A process with secrets in its title, arguments, environment, thread and files, and a socket in CLOSE_WAIT.
PROCESS = f"""\
import ctypes, os, pathlib, socket, sqlite3, sys, threading
folder = pathlib.Path(sys.argv[1])
base = folder / {PLANTED["SQLite file"] + ".db"!r}
database = sqlite3.connect(base)
database.execute("create table t (x)")
(folder / {PLANTED["folder of a file"]!r}).mkdir()
file = open(folder / {PLANTED["folder of a file"]!r} / {PLANTED["opened file"]!r}, "w")
os.chdir(folder)  # a path of its own would be too long
unix = socket.socket(socket.AF_UNIX)
unix.bind({PLANTED["unix socket"]!r})
unix.listen()
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
waiting = threading.Thread(target=client.recv, args=(1,), name={PLANTED["thread"]!r}, daemon=True)
other = socket.create_connection(listener.getsockname())
listener.accept()[0].close()
def named():
    ctypes.CDLL(None).prctl(15, {PLANTED["thread"]!r}.encode(), 0, 0, 0)
    client.recv(1)
waiting = threading.Thread(target=named, name={PLANTED["thread"]!r}, daemon=True)
waiting.start()
ctypes.CDLL(None).prctl(15, {PLANTED["process title"]!r}.encode(), 0, 0, 0)
print("ready", flush=True)
sys.stdin.read()
"""

#: A program for `trace` that leaves files open, one in a task and one in a thread.
PROGRAM = f"""\
import asyncio, pathlib, sys, threading
folder = pathlib.Path(sys.argv[1])
kept = []
def opens(name):
    kept.append(open(folder / name, "w"))
    open("/dev/null").close()  # a recorder learns the number of a file when its thread opens the next one
async def main():
    async def task():
        opens({PLANTED["opened file"]!r})
    await asyncio.create_task(task(), name={PLANTED["task"]!r})
asyncio.run(main())
thread = threading.Thread(target=opens, args=({PLANTED["file name of a payload"]!r},), name={PLANTED["thread"]!r})
thread.start()
thread.join()
"""


@contextmanager
def process(folder: Path) -> Iterator[int]:
    """A process with secrets in all that an observer could see of it; its PID. folder: for its program and files."""
    program = folder / "process.py"
    program.write_text(PROCESS)
    command = [sys.executable, str(program), str(folder), PLANTED["argument of a process"]]
    environment = {**os.environ, "KEY": PLANTED["environment of a process"]}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child.pid
        child.communicate()
