"""URIs that name the same place."""

from __future__ import annotations

import pytest

from telephony.sip.uri_match import same_uri


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:a@h", "sip:a@H:5060;transport=udp", True),
        ("sips:a@h", "sips:a@h:5061", True),
        ("sip:a@h", "sip:b@h", False),
        ("sip:a@h", "sips:a@h", False),
        ("sip:a@h", "sip:a@h:5080", False),
        ("sip:A@h", "sip:a@h", False),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8::1]:5060", True),
        ("sip:a@h", "junk", False),
        ("junk", "junk", True),
    ],
)
def test_same_uri(one: str, other: str, same: bool) -> None:
    assert same_uri(one, other) is same
    assert same_uri(other, one) is same
