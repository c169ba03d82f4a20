"""Turns that Hermes makes elsewhere than in a session's own agent.

Each is called with the session, and returns whether Hermes says that it went well.
"""

import asyncio
import base64
import importlib
import json
import os
import time

from . import hermes_gateway

#: Children of one fan-out: as many as Hermes runs at the same time by default.
CHILDREN = 3
TEXT = "hi"


def subagents(session):
    """The session's agent has children work for it, at the same time."""
    tool = importlib.import_module("tools.delegate_tool")
    told = tool.delegate_task(tasks=[{"goal": TEXT}] * CHILDREN, parent_agent=session.agent)
    results = json.loads(told).get("results", [])
    return len(results) == CHILDREN and all(one.get("status") == "completed" for one in results)


def cron(session):
    """A job of Hermes's scheduler, with an agent of its own."""
    scheduler = importlib.import_module("cron.scheduler")
    job = {"id": "hermes-diag", "name": "hermes-diag", "prompt": TEXT, "enabled": True, "deliver": "local"}
    return bool(scheduler.run_job(dict(job, schedule={"kind": "interval"}))[0])


def auxiliary(session):
    """A request beside the conversation (a summary, a title), by an async client, in an event loop of its own."""
    client = importlib.import_module("agent.auxiliary_client")
    agent = session.agent
    call = client.async_call_llm(
        task="compression", provider="custom", model="gpt-4o", base_url=str(agent.base_url), api_key=agent.api_key,
        messages=[{"role": "user", "content": TEXT}],
    )  # fmt: skip
    return bool(asyncio.run(call).choices)


def gateway(session):
    """A user's question to Hermes's own API server, which makes an agent for it."""
    return hermes_gateway.turn(TEXT)


#: By the name of the workload.
TASKS = {"subagents": subagents, "cron": cron, "auxiliary": auxiliary, "gateway": gateway}


def configure(home, base_url):
    """What a scheduler asks its own way: the model, and credentials that lead to our provider (facts of #11070: only a
    pool entry with a base URL of its own reaches loopback)."""
    token = ".".join((_part({"alg": "none"}), _part({"exp": int(time.time()) + 86400}), "x"))
    entry = {
        "id": "hermes-diag", "label": "hermes-diag", "auth_type": "api_key", "priority": 0, "source": "manual",
        "access_token": token, "refresh_token": "none", "base_url": base_url,  # nosec B105
    }  # fmt: skip
    with open(os.path.join(home, "auth.json"), "w") as file:
        json.dump({"version": 1, "credential_pool": {"openai-codex": [entry]}}, file)
    return {"model": {"default": "gpt-5", "provider": "openai-codex", "base_url": base_url}}


def _part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
