"""Laws of the echo estimate, for whatever is heard and however late it comes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.echo_gate import EchoGate
from telephony.audio.echo_match import EchoMatch, emphasised
from telephony.audio.format import PCMU
from telephony.audio.vad import VoiceActivityDetector

VOICE = np.random.default_rng(3).normal(0, 4000, 5600)


@given(delay=st.integers(0, 4000), loss_db=st.floats(0, 30))
@settings(max_examples=60, deadline=None)
def test_an_echo_is_found_wherever_it_is(delay: int, loss_db: float) -> None:
    end = len(VOICE) - delay
    heard = np.rint(VOICE[end - 1600 : end] * 10 ** (-loss_db / 20)).astype("<i2").tobytes()
    sent = np.rint(VOICE).astype("<i2").tobytes()
    match = EchoMatch.anywhere(emphasised(heard), emphasised(sent))
    assert match.delay_samples == delay
    assert abs(match.loss_db - loss_db) < 1


FRAME = st.sampled_from([bytes(320), b"\xff\x7f" * 160, b"\x00\x80" * 160, b"\x01\x00" * 160]) | (
    st.binary(min_size=320, max_size=320)
)
SENT = st.none() | st.binary(min_size=160, max_size=160)


@given(line=st.lists(st.tuples(FRAME, SENT), max_size=120))
@settings(max_examples=40, deadline=None)
def test_the_gate_reports_speech_as_the_detector_has_it(
    line: list[tuple[bytes, bytes | None]],
) -> None:
    vad = VoiceActivityDetector()
    gate = EchoGate(vad, PCMU, 20)
    speaking = False
    for heard, sent in line:
        changed = gate.process(heard)
        if changed is not None:
            assert changed is not speaking
            speaking = changed
        assert vad.speaking is speaking
        if sent is not None:
            gate.sent(sent)
