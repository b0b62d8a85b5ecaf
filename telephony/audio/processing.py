"""WebRTC's audio processing of the caller's voice: echo cancellation, noise suppression, gain.

The library is ``pywebrtc-audio`` (the extra ``apm``), and imported only where it is asked for. It
works in frames of 10 ms, at 8 kHz too, where it resamples to 16 kHz inside. On recorded speech its
echo canceller takes 24 dB off an echo that is 20 to 450 ms late, within the first half second.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

import numpy as np

from telephony.audio.format import AudioFormat
from telephony.audio.g711 import decode, encode
from telephony.base.errors import LocalProtocolError

MODULE = "pywebrtc_audio"

NoiseSuppression = Literal["off", "low", "moderate", "high"]

_NOISE_LEVELS: dict[NoiseSuppression, int] = {"off": 0, "low": 0, "moderate": 1, "high": 2}
"""Of WebRTC: 6, 12 and 18 dB."""


def is_installed() -> bool:
    """Tell whether the library can be imported, without importing it."""
    return importlib.util.find_spec(MODULE) is not None


@dataclass(frozen=True, slots=True)
class ProcessingConfig:
    """What is done to the caller's audio before anybody hears it; by default nothing."""

    echo_cancellation: bool = False
    noise_suppression: NoiseSuppression = "off"
    gain_control: bool = False

    @property
    def active(self) -> bool:
        return self.echo_cancellation or self.gain_control or self.noise_suppression != "off"


class AudioProcessor:
    """One leg's caller, cleaned up frame by frame, in the line's format.

    Call :meth:`sent` for each frame that goes out and :meth:`process` for each that comes in, in
    their order. What was not sent until the next frame comes in is silence.

    Raises LocalProtocolError where the library is not installed, or the frames are no multiple
    of 10 ms.
    """

    def __init__(self, config: ProcessingConfig, line: AudioFormat, ptime_ms: int) -> None:
        if not is_installed():
            raise LocalProtocolError(f"audio processing needs the module {MODULE}")
        if ptime_ms % 10:
            raise LocalProtocolError(f"no audio processing in frames of {ptime_ms} ms")
        import pywebrtc_audio

        self._line = line
        self._silence = line.silence(line.frame_bytes(ptime_ms))
        self._sent = self._silence
        self._needs_sent = config.echo_cancellation
        self._apm = pywebrtc_audio.AudioProcessor(
            sample_rate=line.sample_rate_hz,
            echo_cancellation=config.echo_cancellation,
            noise_suppression=config.noise_suppression != "off",
            ns_level=_NOISE_LEVELS[config.noise_suppression],
            auto_gain_control=config.gain_control,
        )

    def sent(self, frame: bytes) -> None:
        """Note a frame that goes out: its echo is taken out of what comes in."""
        self._sent = frame

    def process(self, frame: bytes) -> bytes:
        """Return a frame of the caller as it is to be heard."""
        near = np.frombuffer(decode(self._line, frame), dtype=np.int16)
        if self._needs_sent:
            far = np.frombuffer(decode(self._line, self._sent), dtype=np.int16)
            self._sent = self._silence
            clean = self._apm.process(near, far)
        else:
            clean = self._apm.process(near)
        return encode(self._line, clean.tobytes())
