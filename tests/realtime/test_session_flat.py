"""Names of formats in the beta protocol."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_8K, L16_16K, L16_24K, PCMA, PCMU
from telephony.base.errors import LocalProtocolError
from telephony.realtime.session_flat import flat_format


def test_formats_have_names_without_a_rate() -> None:
    names = [flat_format(known, (16000, 24000)) for known in (PCMU, PCMA, L16_16K, L16_24K)]
    assert names == ["g711_ulaw", "g711_alaw", "pcm16", "pcm16"]


def test_a_rate_the_server_lacks_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="8000"):
        flat_format(L16_8K, (16000, 24000))
