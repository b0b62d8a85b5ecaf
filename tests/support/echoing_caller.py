"""A caller on a bad line: what they hear goes back to the bot, late and quieter."""

from __future__ import annotations

import audioop
from collections import deque

from telephony.audio.g711 import decode, encode
from telephony.base.interfaces import Clock, Signaling
from telephony.rehearsal.caller import SipCaller


class EchoingCaller(SipCaller):
    """A telephone with an echo of ``loss_db``, ``delay_ms`` after it heard something."""

    def __init__(
        self, signaling: Signaling, clock: Clock, *, loss_db: float = 20.0, delay_ms: int = 120
    ) -> None:
        super().__init__(signaling, clock)
        self._gain = 10 ** (-loss_db / 20)
        self._delay_ms = delay_ms
        self._late: deque[bytes] = deque()

    def hear(self, frame: bytes, now: float) -> None:
        super().hear(frame, now)
        assert self._line is not None
        self._late.append(audioop.mul(decode(self._line, frame), 2, self._gain))

    def speak(self, now: float) -> bytes | None:
        said = super().speak(now)
        assert self._line is not None
        echo = b""
        while len(self._late) > self._delay_ms // self._ptime_ms:
            echo = self._late.popleft()
        if not echo:
            return said
        if said is not None:
            echo = audioop.add(echo, decode(self._line, said), 2)
        return encode(self._line, echo)
