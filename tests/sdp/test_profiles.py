from __future__ import annotations

import pytest

from telephony.sdp.profiles import (
    SrtpMode,
    check_offered,
    is_allowed,
    is_secure,
    profile_to_offer,
)
from telephony.sdp.refusal import NotAcceptable

PLAIN, SECURE = ("RTP/AVP", "RTP/AVPF"), ("RTP/SAVP", "RTP/SAVPF")


@pytest.mark.parametrize(
    ("mode", "allowed"),
    [("off", PLAIN), ("optional", PLAIN + SECURE), ("required", SECURE)],
)
def test_what_a_mode_takes(mode: SrtpMode, allowed: tuple[str, ...]) -> None:
    for protocol in (*PLAIN, *SECURE, "UDP/TLS/RTP/SAVPF", "udptl"):
        assert is_allowed(protocol, mode) == (protocol in allowed)
        if protocol in allowed:
            check_offered(protocol, mode)
        else:
            with pytest.raises(NotAcceptable) as caught:
                check_offered(protocol, mode)
            assert (caught.value.status, caught.value.warning_code) == (488, 302)


def test_the_refusal_says_what_would_do() -> None:
    with pytest.raises(NotAcceptable, match="SRTP is required here"):
        check_offered("RTP/AVP", "required")
    with pytest.raises(NotAcceptable, match="Only RTP/AVP and RTP/AVPF are spoken here"):
        check_offered("RTP/SAVP", "off")


def test_what_is_offered() -> None:
    assert [profile_to_offer(None, mode) for mode in ("off", "optional", "required")] == [
        "RTP/AVP",
        "RTP/AVP",
        "RTP/SAVP",
    ]
    assert profile_to_offer("RTP/SAVPF", "optional") == "RTP/SAVPF"
    assert profile_to_offer("RTP/AVP", "required") == "RTP/SAVP"
    assert profile_to_offer("RTP/SAVP", "off") == "RTP/AVP"


def test_secure_profiles() -> None:
    assert all(map(is_secure, SECURE))
    assert not any(map(is_secure, PLAIN))
