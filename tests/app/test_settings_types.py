from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from telephony.app.settings_types import Host, Hosts, Latch, SecretReference, Server, SrtpMode


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (Host, "192.0.2.7", "192.0.2.7"),
        (Hosts, "::1", ["::1"]),
        (Server, "stun.example.com:3478", "stun.example.com:3478"),
        (SrtpMode, False, "off"),
        (Latch, "yes", "any"),
        (SecretReference, "${KEY}", "${KEY}"),
    ],
)
def test_what_people_write_is_taken(kind: Any, value: Any, read: Any) -> None:
    assert TypeAdapter(kind).validate_python(value) == read


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (Host, "localhost", "is no IP address"),
        (Server, "a b", "is no server"),
        (SecretReference, "hunter2", "must not be written into a file"),
    ],
)
def test_the_rest_is_refused_with_a_remedy(kind: Any, value: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        TypeAdapter(kind).validate_python(value)
    assert "fix: " in str(caught.value)
