from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.calls.sealed_file import CannotUnseal, Sealer, unseal

KEY = bytes(range(32))
_SEALER = Sealer(KEY, bytes(16))
_PARTS = [b"one" * 9, b"two" * 9, b"three" * 9]
WHOLE = _SEALER.begin() + b"".join(
    _SEALER.seal(b"h", part, last=number == 2) for number, part in enumerate(_PARTS)
)


def opened(data: bytes) -> list[bytes]:
    try:
        return [chunk.audio for chunk in unseal(io.BytesIO(data), KEY)]
    except CannotUnseal:
        return []


@given(st.binary(max_size=300))
def test_noise_is_refused(data: bytes) -> None:
    assert opened(data) == []


@given(st.binary(max_size=300))
def test_noise_behind_a_header_opens_nothing(data: bytes) -> None:
    assert opened(WHOLE[:32] + data) == []


@settings(max_examples=300)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255), st.integers(0, len(WHOLE)))
def test_a_damaged_file_gives_true_chunks_or_none(at: int, flip: int, end: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] ^= flip
    found = opened(bytes(damaged[:end]))
    assert found == _PARTS[: len(found)]
