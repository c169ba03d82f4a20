"""The lifecycle guard of the bug report with `audit`: what #11070 asks regression tests for, and more.

Runs on the factory that LIFECYCLE_FACTORY names, `fixed` if none.
"""

from __future__ import annotations

import os

import factories

from hermes_diag.api import audit

create_client = getattr(factories, os.environ.get("LIFECYCLE_FACTORY", "fixed"))


def test_the_factory_keeps_its_promises():
    audit(create_client).check()
