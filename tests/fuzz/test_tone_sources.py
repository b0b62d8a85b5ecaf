from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from telephony.audio.flac import header_size
from telephony.audio.tone_source import PREFIX, is_tone, read_tone

_PARTS = st.lists(st.sampled_from(["busy", "beep", "de", "uk", "1", "0.5", "999", "", "x"]))


@given(st.one_of(st.text(max_size=40), _PARTS.map("/".join)))
@example("busy/de/\u0663")
def test_any_text_is_a_tone_or_a_mistake_with_a_remedy(text: str) -> None:
    source = PREFIX + text
    assert is_tone(source)
    seconds, remedy = None, "none is needed"
    try:
        seconds = read_tone(source).seconds
    except ValueError as error:
        remedy = str(error).partition("\nfix: ")[2]
    assert remedy
    assert seconds is None or 0 < seconds <= 600


@given(st.binary(max_size=300))
def test_any_bytes_have_a_first_frame_or_none(start: bytes) -> None:
    found = header_size(start)
    assert found is None or 8 <= found <= len(start)
