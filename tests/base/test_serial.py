from hypothesis import given
from hypothesis import strategies as st

from telephony.base.serial import add16, add32, diff16, diff32


@given(st.integers(0, 0xFFFF), st.integers(-0x8000, 0x7FFF))
def test_diff16_undoes_add16_across_the_wrap(start: int, step: int) -> None:
    assert diff16(add16(start, step), start) == step


@given(st.integers(0, 0xFFFF_FFFF), st.integers(-0x8000_0000, 0x7FFF_FFFF))
def test_diff32_undoes_add32_across_the_wrap(start: int, step: int) -> None:
    assert diff32(add32(start, step), start) == step


def test_the_number_after_the_last_is_the_first() -> None:
    assert add16(0xFFFF, 1) == 0
    assert diff16(0, 0xFFFF) == 1
    assert diff32(0, 0xFFFF_FFFF) == 1
