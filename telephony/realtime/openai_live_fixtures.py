"""Recordings that the model plays word for word, such as a notice that the law asks for."""

from __future__ import annotations

from binascii import b2a_base64
from collections import deque

from telephony.audio.format import L16_24K
from telephony.base.errors import LocalProtocolError
from telephony.realtime.countdown import Countdown
from telephony.realtime.openai_live_session import LiveSession

MAX_FIXTURE_MS = 30_000
_ANSWER_S = 10.0
_MAX_WAITING = 4


class LiveFixtures:
    """Plays one after the other; nothing can be told to the model meanwhile.

    ``notice`` is played before all else in the first session, and again in the next one when it
    was not played to its end.
    """

    def __init__(self, session: LiveSession, notice: bytes = b"") -> None:
        self._session = session
        self._waiting: deque[bytes] = deque()
        self._playing = b""
        self._notice = notice
        self.timer = Countdown()

    def session_started(self) -> None:
        self.timer.stop()
        self._playing = b""
        if self._notice and self._notice not in self._waiting:
            self._waiting.appendleft(self._notice)
        self._play_next()

    def play(self, pcm16: bytes) -> None:
        """Play mono PCM16 at 24 kHz as soon as there is a session that plays nothing else.

        Raises LocalProtocolError for more than 30 s, for half a sample and for a fifth in line.
        """
        if len(pcm16) % 2 or not 0 < L16_24K.duration_ms(len(pcm16)) <= MAX_FIXTURE_MS:
            raise LocalProtocolError("a fixture is whole samples of PCM16 at 24 kHz, 30 s at most")
        if len(self._waiting) >= _MAX_WAITING:
            raise LocalProtocolError("too many fixtures wait to be played")
        self._waiting.append(pcm16)
        self._play_next()

    def _play_next(self) -> None:
        session = self._session
        if not self._waiting or not session.ready or session.fixture_id:
            return
        self._playing = self._waiting.popleft()
        audio = b2a_base64(self._playing, newline=False).decode()
        session.fixture_id = session.send("session.output_audio.fixture.play", audio=audio)
        self.timer.start(L16_24K.duration_ms(len(self._playing)) / 1000 + _ANSWER_S)

    def played(self, event_id: str) -> None:
        """The server says that a fixture, ours unless it names another, is over."""
        if self._session.fixture_id and event_id in ("", self._session.fixture_id):
            self._over()

    def refused(self, event_id: str) -> None:
        """The server refused the message with this id."""
        if event_id and event_id == self._session.fixture_id:
            self._over()

    def handle_timer(self, now: float) -> None:
        """Go on when the server never says that it is done."""
        if self.timer.expired(now):
            self._over()

    def _over(self) -> None:
        if self._playing == self._notice:
            self._notice = b""
        self._playing = b""
        self._session.fixture_id = ""
        self.timer.stop()
        self._play_next()
        self._session.send_pending()
