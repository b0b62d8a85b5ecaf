from __future__ import annotations

import pytest

from telephony.stacks.capabilities import StackName
from tests.support.conformance import STACKS, require


@pytest.fixture(name="name", params=STACKS)
def _name(request: pytest.FixtureRequest) -> StackName:
    """Every stack in turn; one that is not installed is a visible skip."""
    name: StackName = request.param
    require(name)
    return name
