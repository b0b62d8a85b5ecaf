"""The caller's turns, as far as it is ours to begin and to end them for the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from telephony.audio.vad import VoiceActivityDetector
from telephony.calls.bridge_listener import BridgeListener
from telephony.calls.held_voice import HeldVoice
from telephony.calls.uplink import Uplink
from telephony.realtime.dialect import Dialect, TurnMarking


class CallerTurns:
    """Tells the model of turns by our detector, where its own does not or cannot.

    ``owed``: a turn ended while there was no session; it is ended as soon as the next one has
    heard it. ``catches_up``: there is one, which has not heard all that was kept.
    """

    __slots__ = (
        "_dialect",
        "_held_voice",
        "_listener",
        "_send_control",
        "_uplink",
        "_vad",
        "catches_up",
        "owed",
    )

    def __init__(
        self,
        dialect: Dialect,
        vad: VoiceActivityDetector,
        uplink: Uplink,
        listener: BridgeListener,
        send_control: Callable[[], None],
    ) -> None:
        self.owed = self.catches_up = False
        self._dialect = dialect
        self._vad = vad
        self._uplink = uplink
        self._listener = listener
        self._send_control = send_control
        self._held_voice = HeldVoice()

    @property
    def follows(self) -> bool:
        """True when a model just connected hears the caller's turn now, and answers that."""
        return self._vad.speaking or self._held_voice.enough

    def follow(self, dialect: Dialect) -> None:
        """Tell another session from now on."""
        self._dialect = dialect

    def speech(self, changed: bool | None) -> None:
        """The caller speaks, or ``changed`` from or to speech with this frame."""
        vad, traits = self._vad, self._dialect.traits
        unheard = self._held_voice.voice(vad.voiced_ms, ended=changed is False)
        if changed is True and traits.marks_turns:
            cast(TurnMarking, self._dialect).begin_input()
            self._send_control()
        elif changed is False:
            self._listener.caller_turn_ended(by_model=False)
            if not traits.detects_turns:
                self._end()
            elif unheard:
                # The model that heard the turn is gone, and this one waits for words.
                self._dialect.create_response()
                self._send_control()

    def _end(self) -> None:
        self.owed = not self._dialect.ready or self._uplink.behind
        if not self.owed and self._uplink.appended_ms:
            self._dialect.commit_input()
            self._dialect.create_response()
            self._send_control()

    def disconnected(self) -> None:
        """There is no session: what the caller says is kept for the next one."""
        self.catches_up = False
        self._held_voice.lost(self._vad.voiced_ms if self._vad.speaking else 0.0)

    @property
    def nothing_held(self) -> bool:
        """True when the caller has said nothing since there was a session."""
        return not self._held_voice.heard_ms

    def connected(self) -> None:
        """A session has heard what was kept, or is about to: ask again with the next frame."""
        self.catches_up = self._uplink.behind
        if self.catches_up:
            return
        self._held_voice.connected(speaking=self._vad.speaking)
        if self.owed:
            # A model that detects turns ends the one that it hears now by itself.
            self.owed = False
            if not self._dialect.traits.detects_turns:
                self._end()
