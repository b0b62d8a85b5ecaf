"""Opus (RFC 6716) for speech: 24 kHz, mono, 32 kbit/s.

24 kHz is what speech models take and give, so nothing is resampled on the way to them, and what
lies above 12 kHz is not worth its bits. Measured on a minute of recorded speech, 20 ms a frame:

========== ======== ==================== =====================
complexity encoding spectral distance    lost frames, SNR
                                         with FEC / without
========== ======== ==================== =====================
0            46 us  2.7 dB               11.2 / 1.8 dB
2           113 us  3.0 dB               12.2 / 1.7 dB
5           137 us  2.9 dB               12.9 / 2.1 dB
9           173 us  2.7 dB               15.8 / 2.2 dB
========== ======== ==================== =====================

Decoding costs 13 to 21 us. So complexity 0 it is; below 28 kbit/s it would leave out the FEC.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from telephony.audio.format import L16_24K, AudioFormat
from telephony.audio.opus_library import library
from telephony.base.errors import LocalProtocolError

_RATE_HZ = L16_24K.sample_rate_hz
_BIT_RATE = 32000
_LOWEST_BIT_RATE = 6000
_COMPLEXITY = 0
_EXPECTED_LOSS_PERCENT = 10
"""Below some percent the encoder spends nothing on FEC."""

_MAX_PACKET_MS = 120
_MAX_PACKET_BYTES = 1275
FRAMES_MS = (10, 20)
"""What of our ptimes one Opus frame can last."""

# From opus_defines.h.
_APPLICATION_VOIP = 2048
_SIGNAL_VOICE = 3001
_SET_BITRATE = 4002
_SET_MAX_BANDWIDTH = 4004
_SET_VBR = 4006
_SET_COMPLEXITY = 4010
_SET_INBAND_FEC = 4012
_SET_PACKET_LOSS_PERC = 4014
_SET_DTX = 4016
_SET_SIGNAL = 4024
_BANDWIDTHS = {8000: 1101, 12000: 1102, 16000: 1103, 24000: 1104}


@dataclass(frozen=True, slots=True)
class OpusWishes:
    """What a receiver asks of what it is sent (RFC 7587 section 6.1)."""

    fec: bool = False
    dtx: bool = False
    constant_bit_rate: bool = False
    max_bit_rate: int | None = None
    max_playback_rate_hz: int = 48000


def is_available() -> bool:
    """Tell whether libopus is installed."""
    return library() is not None


def _opus() -> ctypes.PyDLL:
    opus = library()
    if opus is None:
        raise LocalProtocolError("Opus needs libopus")
    return opus


class OpusEncoder:
    """One sent stream; its state runs on from frame to frame."""

    __slots__ = ("_encode", "_packet", "_state")

    format: AudioFormat = L16_24K

    def __init__(self, wishes: OpusWishes | None = None) -> None:
        opus = _opus()
        self._encode = opus.opus_encode
        self._packet = ctypes.create_string_buffer(_MAX_PACKET_BYTES)
        self._state = ctypes.create_string_buffer(opus.opus_encoder_get_size(1))
        _check(opus.opus_encoder_init(self._state, _RATE_HZ, 1, _APPLICATION_VOIP))
        for request, value in _settings(wishes or OpusWishes()).items():
            _check(opus.opus_encoder_ctl(self._state, request, ctypes.c_int32(value)))

    def encode(self, pcm16: bytes) -> bytes:
        """Return the packet of 10 or 20 ms; raises LocalProtocolError for another duration."""
        packet = self._packet
        size = self._encode(self._state, pcm16, len(pcm16) // 2, packet, _MAX_PACKET_BYTES)
        _check(size)
        return ctypes.string_at(packet, size)


def _settings(wishes: OpusWishes) -> dict[int, int]:
    bit_rate = min(_BIT_RATE, wishes.max_bit_rate or _BIT_RATE)
    settings = {
        _SET_COMPLEXITY: _COMPLEXITY,
        _SET_SIGNAL: _SIGNAL_VOICE,
        _SET_BITRATE: max(bit_rate, _LOWEST_BIT_RATE),
        _SET_VBR: int(not wishes.constant_bit_rate),
        _SET_DTX: int(wishes.dtx),
        _SET_INBAND_FEC: int(wishes.fec),
        _SET_PACKET_LOSS_PERC: _EXPECTED_LOSS_PERCENT if wishes.fec else 0,
    }
    narrow = [hz for hz in _BANDWIDTHS if hz >= wishes.max_playback_rate_hz]
    if narrow:
        settings[_SET_MAX_BANDWIDTH] = _BANDWIDTHS[narrow[0]]
    return settings


class OpusDecoder:
    """One received stream, mono or stereo; its state runs on from packet to packet."""

    __slots__ = ("_decode", "_frame_samples", "_pcm16", "_state")

    format: AudioFormat = L16_24K
    conceals = True

    def __init__(self, frame_ms: int = 20) -> None:
        opus = _opus()
        self._decode = opus.opus_decode
        self._frame_samples = _RATE_HZ * frame_ms // 1000
        self._pcm16 = ctypes.create_string_buffer(2 * _RATE_HZ * _MAX_PACKET_MS // 1000)
        self._state = ctypes.create_string_buffer(opus.opus_decoder_get_size(1))
        _check(opus.opus_decoder_init(self._state, _RATE_HZ, 1))

    def decode(self, payload: bytes) -> bytes:
        """Return a packet's 16-bit PCM; one that can't be decoded is concealed."""
        samples = len(self._pcm16) // 2
        count = self._decode(self._state, payload, len(payload), self._pcm16, samples, 0)
        if count <= 0:
            return self.conceal(None)
        return ctypes.string_at(self._pcm16, 2 * count)

    def conceal(self, following: bytes | None) -> bytes:
        """Return a frame in place of a lost one.

        ``following`` is the packet after it, if that has come already: it may hold the lost one
        again at a lower quality (FEC), and is to be decoded next all the same. Else, and when it
        does not, the decoder goes on from what it has.
        """
        samples = self._frame_samples
        count = -1
        if following:
            count = self._decode(self._state, following, len(following), self._pcm16, samples, 1)
        if count <= 0:
            count = self._decode(self._state, None, 0, self._pcm16, samples, 0)
        return ctypes.string_at(self._pcm16, 2 * max(count, 0)).ljust(2 * samples, b"\0")


def _check(result: int) -> None:
    if result < 0:
        raise LocalProtocolError(f"libopus answered with error {result}")
