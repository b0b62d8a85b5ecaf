"""What the payload types of a session stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from telephony.rtp.payload_format import PLAIN, PayloadClock, PayloadFormat

COMFORT_NOISE_PAYLOAD_TYPE = 13

AUDIO: Final = 1
TELEPHONE_EVENT: Final = 2
COMFORT_NOISE: Final = 3


class PayloadTypes:
    """``kinds`` has the kind of each payload type, 0 for one that nobody agreed on."""

    def __init__(
        self,
        audio: Mapping[int, str],
        telephone_event: int | None,
        formats: Mapping[str, PayloadFormat],
        clock_rate_hz: int,
    ) -> None:
        kinds = bytearray(128)
        kinds[COMFORT_NOISE_PAYLOAD_TYPE] = COMFORT_NOISE
        for payload_type in audio:
            kinds[payload_type] = AUDIO
        if telephone_event is not None:
            kinds[telephone_event] = TELEPHONE_EVENT
        self.kinds = bytes(kinds)
        self.encodings = dict(audio)
        self._formats = formats
        self._clock_rate_hz = clock_rate_hz

    def scale_of(self, encoding: str) -> int:
        """Return how many ticks of the session one of the encoding is."""
        return self._clock_rate_hz // self._formats.get(encoding, PLAIN).clock_rate_hz

    def clocks(self, frame_samples: int) -> dict[int, PayloadClock]:
        """Return the clock of each payload type that does not just count bytes as ticks."""
        clocks = {
            payload_type: PayloadClock(
                self._formats.get(encoding, PLAIN), self._clock_rate_hz, frame_samples
            )
            for payload_type, encoding in self.encodings.items()
        }
        return {number: clock for number, clock in clocks.items() if not clock.is_plain}
