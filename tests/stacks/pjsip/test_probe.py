from __future__ import annotations

from telephony.stacks.pjsip.probe import openssl_version


def test_the_wheel_brings_a_library_of_tls() -> None:
    assert openssl_version().startswith("OpenSSL ")
