"""The lifecycle guard of the bug report with `gateway_loop`: turns, interrupts and overlaps all end well.

Runs on the factory that LIFECYCLE_FACTORY names, `fixed` if none.
"""

from __future__ import annotations

import os

import factories

create_client = getattr(factories, os.environ.get("LIFECYCLE_FACTORY", "fixed"))


def test_the_factory_comes_through_the_loop(gateway_loop):
    gateway_loop(create_client, turns=6).check()
