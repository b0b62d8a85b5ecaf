"""G.711 against tables worked out here from the definition in ITU-T G.711 (11/88)."""

from __future__ import annotations

import numpy as np
import pytest

from telephony.audio import g711
from telephony.audio.format import L16_8K, PCMA, PCMU

EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = np.arange(-32768, 32768, dtype="<i2")


def mulaw_value(code: int) -> int:
    """Table 2 on the 14-bit scale: 8 segments of 16 intervals; interval widths 2, 4, ... 256.

    Character signals are sent with all bits inverted (note to table 2a).
    """
    inverted = code ^ 0xFF
    segment, interval = inverted >> 4 & 7, inverted & 15
    magnitude = ((2 * interval + 33) << segment) - 33
    return -magnitude if inverted & 0x80 else magnitude


def alaw_value(code: int) -> int:
    """Table 1 on the 13-bit scale: the two lowest segments have interval width 2, then 4 ... 128.

    Even bits of the character signal are inverted; the first bit is 1 for positive values.
    """
    plain = code ^ 0x55
    segment, interval = plain >> 4 & 7, plain & 15
    if segment == 0:
        magnitude = 2 * interval + 1
    else:
        magnitude = (2 * interval + 33) << (segment - 1)
    return magnitude if plain & 0x80 else -magnitude


def mulaw_decision_values() -> list[tuple[int, int]]:
    """(lowest 14-bit magnitude of the interval, code without sign), in rising order.

    Decision values are 1, 3, ... 31, 35, ... 95, 103, ...: half-way between two decoded values.
    """
    rows = []
    for segment in range(8):
        for interval in range(16):
            low = ((2 * interval + 32) << segment) - 33
            rows.append((max(low, 0), segment << 4 | interval))
    return rows


def reference_mulaw(sample: int) -> int:
    """Encode as the tables say; 16 bits become 14 by an arithmetic shift."""
    scaled = sample >> 2
    sign = 0x80 if scaled < 0 else 0
    magnitude = min(abs(scaled), 8158)
    code = max(code for low, code in mulaw_decision_values() if low <= magnitude)
    return (code | sign) ^ 0xFF


def reference_alaw(sample: int) -> int:
    """16 bits become 13 by an arithmetic shift; negative intervals mirror at -1/2."""
    scaled = sample >> 3
    positive = scaled >= 0
    magnitude = scaled if positive else -scaled - 1
    if magnitude < 32:
        code = magnitude >> 1
    else:
        segment = magnitude.bit_length() - 5
        code = segment << 4 | (magnitude >> segment) & 15
    return (code | (0x80 if positive else 0)) ^ 0x55


def test_the_standard_s_own_landmarks() -> None:
    # Table 2a: the largest value 8031, table 1a: 4032, the values next to zero 0 and 1.
    assert mulaw_value(0x80) == 8031
    assert mulaw_value(0x00) == -8031
    assert mulaw_value(0xFF) == 0
    assert alaw_value(0xAA) == 4032
    assert alaw_value(0x2A) == -4032
    assert alaw_value(0xD5) == 1
    assert alaw_value(0x55) == -1


def test_every_mulaw_code_decodes_to_the_table() -> None:
    expected = [mulaw_value(code) * 4 for code in range(256)]
    assert g711.PCMU_TO_L16.tolist() == expected
    assert np.frombuffer(g711.pcmu_to_l16(EVERY_CODE), "<i2").tolist() == expected


def test_every_alaw_code_decodes_to_the_table() -> None:
    expected = [alaw_value(code) * 8 for code in range(256)]
    assert g711.PCMA_TO_L16.tolist() == expected
    assert np.frombuffer(g711.pcma_to_l16(EVERY_CODE), "<i2").tolist() == expected


def test_every_sample_encodes_to_mulaw_as_the_decision_values_say() -> None:
    by_scaled = {value: reference_mulaw(value << 2) for value in range(-8192, 8192)}
    expected = bytes(by_scaled[sample >> 2] for sample in range(-32768, 32768))
    assert g711.l16_to_pcmu(EVERY_SAMPLE.tobytes()) == expected


def test_every_sample_encodes_to_alaw_as_the_decision_values_say() -> None:
    by_scaled = {value: reference_alaw(value << 3) for value in range(-4096, 4096)}
    expected = bytes(by_scaled[sample >> 3] for sample in range(-32768, 32768))
    assert g711.l16_to_pcma(EVERY_SAMPLE.tobytes()) == expected


@pytest.mark.parametrize("fmt", [PCMU, PCMA])
def test_decoded_codes_encode_to_themselves(fmt) -> None:
    again = g711.encode(fmt, g711.decode(fmt, EVERY_CODE))
    # Mu-law has two zeros; the negative one, 0x7F, comes back as 0xFF.
    expected = EVERY_CODE.replace(b"\x7f", b"\xff") if fmt == PCMU else EVERY_CODE
    assert again == expected


def test_transcoding_equals_decoding_and_encoding() -> None:
    assert g711.pcmu_to_pcma(EVERY_CODE) == g711.l16_to_pcma(g711.pcmu_to_l16(EVERY_CODE))
    assert g711.pcma_to_pcmu(EVERY_CODE) == g711.l16_to_pcmu(g711.pcma_to_l16(EVERY_CODE))


def test_l16_is_its_own_decoding() -> None:
    assert g711.decode(L16_8K, b"\x01\x02") == b"\x01\x02"
    assert g711.encode(L16_8K, b"\x01\x02") == b"\x01\x02"
