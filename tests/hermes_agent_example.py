"""Run inside a Hermes environment by test_plugin_hermes.py: the real AIAgent under `limit_sockets`."""

import pytest
from run_agent import AIAgent


@pytest.fixture
def agent(provider, tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    to = {"api_key": "none", "base_url": provider.base_url, "provider": "openai-codex", "api_mode": "codex_responses"}
    bare = {"quiet_mode": True, "skip_context_files": True, "skip_memory": True, "enabled_toolsets": []}
    return AIAgent(model="gpt-5", **to, **bare)


# Hermes keeps its log, its database and a monitor thread for as long as the process lives.
@pytest.mark.limit_sockets(fds=None, threads=None)
def test_turns_leave_no_socket_behind(agent):
    for _ in range(3):
        assert agent.run_conversation("hi")["final_response"]
    agent.close()


@pytest.mark.limit_sockets(fds=None, threads=None)
def test_a_client_that_nobody_closes_is_found(agent):
    agent.client.models.list()
