from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.opus import OpusEncoder, OpusWishes
from telephony.sdp.opus_parameters import opus_wishes


@pytest.mark.parametrize(
    ("parameters", "wishes"),
    [
        ("", OpusWishes()),
        ("useinbandfec=1", OpusWishes(fec=True)),
        ("useinbandfec=0;usedtx=0;cbr=0", OpusWishes()),
        ("minptime=10; UseInbandFEC = 1 ;usedtx=1", OpusWishes(fec=True, dtx=True)),
        ("cbr=1;maxaveragebitrate=20000", OpusWishes(constant_bit_rate=True, max_bit_rate=20000)),
        ("maxplaybackrate=16000;stereo=1", OpusWishes(max_playback_rate_hz=16000)),
        ("maxaveragebitrate=lots;maxplaybackrate=-1;cbr", OpusWishes()),
        ("maxaveragebitrate=0;maxplaybackrate=99999999", OpusWishes()),
        ("maxaveragebitrate=٣", OpusWishes()),
    ],
)
def test_wishes(parameters: str, wishes: OpusWishes) -> None:
    assert opus_wishes(parameters) == wishes


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            ["useinbandfec=1", "usedtx=1", "cbr=1", "maxplaybackrate=1", "maxaveragebitrate=1",
             "maxaveragebitrate=9999999", "maxplaybackrate=12000", "=", ";"]
        )
    ).map(";".join)
)  # fmt: skip
def test_whatever_a_peer_wishes_can_be_encoded(parameters: str) -> None:
    assert OpusEncoder(opus_wishes(parameters)).encode(bytes(960))
