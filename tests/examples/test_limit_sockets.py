"""The lifecycle guard of the bug report with `limit_sockets`: an interrupted turn leaves no socket behind.

Runs on the factory that LIFECYCLE_FACTORY names, `fixed` if none.
"""

from __future__ import annotations

import os

import factories
import gateway
import pytest

create_client = getattr(factories, os.environ.get("LIFECYCLE_FACTORY", "fixed"))


@pytest.mark.limit_sockets
def test_interrupted_turns_leave_no_socket_behind(provider):
    """The session stays open, as a gateway's does; its sockets must not."""
    kwargs = {"base_url": provider.base_url, "api_key": "none"}
    agent = gateway.SESSIONS["chat"] = gateway.Agent(create_client, kwargs)
    for _ in range(3):
        agent.interrupted_turn()
