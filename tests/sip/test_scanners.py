"""Names of scanners, and of phones that are none."""

from __future__ import annotations

import pytest

from telephony.sip.scanners import is_scanner


@pytest.mark.parametrize(
    "name",
    [
        "friendly-scanner",
        "Friendly-Scanner/1.0",
        "sipvicious",
        "sipcli/v1.8",
        "pplsip",
        "VaxSIPUserAgent/3.1",
        "sundayddr",
        "sip-scan",
        "SIVuS Scanner",
        "smap 0.6.0",
        "siparmyknife",
        "friendly-request",
    ],
)
def test_scanners(name: str) -> None:
    assert is_scanner(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "baresip v1.0.0 (x86_64/linux)",
        "FreeSWITCH-mod_sofia/1.10",
        "Asterisk PBX 20.1",
        "Yealink SIP-T46S 66.85",
        "Linphone/5.1 (smapphone)",
        "sipsak 0.9.8",
        "Zoiper rv2.10",
        "x" * 10_000 + "sipvicious",
    ],
)
def test_phones(name: str) -> None:
    assert not is_scanner(name)
