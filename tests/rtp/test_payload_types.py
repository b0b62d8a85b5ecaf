from __future__ import annotations

from telephony.rtp.payload_format import PayloadFormat
from telephony.rtp.payload_types import AUDIO, COMFORT_NOISE, TELEPHONE_EVENT, PayloadTypes

FORMATS = {"opus": PayloadFormat(48000, len)}


def test_kinds() -> None:
    types = PayloadTypes({0: "pcmu", 111: "opus"}, 101, FORMATS, 48000)
    kinds = {number: kind for number, kind in enumerate(types.kinds) if kind}
    assert kinds == {0: AUDIO, 13: COMFORT_NOISE, 101: TELEPHONE_EVENT, 111: AUDIO}
    assert PayloadTypes({}, None, {}, 8000).kinds.count(0) == 127


def test_a_telephone_s_session_has_no_clocks_to_adjust() -> None:
    types = PayloadTypes({0: "pcmu", 9: "g722"}, 101, FORMATS, 8000)
    assert types.clocks(160) == {}
    assert types.scale_of("g722") == 1


def test_beside_opus_all_have() -> None:
    types = PayloadTypes({0: "pcmu", 111: "opus"}, 101, FORMATS, 48000)
    assert {number: clock.scale for number, clock in types.clocks(960).items()} == {0: 6, 111: 1}
    assert (types.scale_of("opus"), types.scale_of("pcmu"), types.scale_of("")) == (1, 6, 6)
