from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# Shared machines pause a test at any place: that an example, or making it, took long says nothing.
# In CI the same examples run every time; elsewhere new ones are looked for.
settings.register_profile(
    "telephony",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("telephony")


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> Iterator[None]:
    """A command's test configures logging to a stream that is closed when the test ends."""
    yield
    structlog.reset_defaults()
