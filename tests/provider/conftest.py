"""Every test of the provider leaves as many descriptors and threads as it found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from provider_tools import nothing_left


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield
