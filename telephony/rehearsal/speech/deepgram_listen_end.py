"""Deepgram's ``/v2/listen``, as far as a caller can tell."""

from __future__ import annotations

from typing import Any

from aiohttp import WSMsgType
from multidict import MultiMapping

from telephony.audio.format import AudioFormat
from telephony.realtime.wire import object_of
from telephony.rehearsal.input_buffer import SpeechBegan
from telephony.rehearsal.speech.far_end import FarEnd, SpeechHost, parsed
from telephony.rehearsal.speech.hearing import Hearing, Turn

_MODELS = ("flux-general-en", "flux-general-multi")
_EOT_QUIET_MS = 560.0
"""Quiet that ends a turn; the eager end comes after less than half of it."""

_UPDATE_MS = 250.0


def refusal(query: MultiMapping[str]) -> str:
    """Return why a request is refused, "" when it is not."""
    if query.get("model") not in _MODELS:
        return f"model must be one of {', '.join(_MODELS)}"
    for name, low, high in (("eager_eot_threshold", 0.3, 0.9), ("eot_threshold", 0.5, 1.0)):
        value = query.get(name)
        if value is not None and not low <= _number(value) <= high:
            return f"{name} must be {low} to {high}"
    timeout = query.get("eot_timeout_ms")
    if timeout is not None and not 500 <= _number(timeout) <= 60_000:
        return "eot_timeout_ms must be 500 to 60000"
    return ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


class ListenEnd:
    """One session; times are those of the audio."""

    def __init__(
        self,
        far_end: FarEnd,
        host: SpeechHost,
        audio_format: AudioFormat,
        query: MultiMapping[str],
    ) -> None:
        self._far_end = far_end
        self._host = host
        self._hearing = Hearing(audio_format)
        self._eager = query.get("eager_eot_threshold") is not None
        self._manual = query.get("eot_threshold") in ("1", "1.0")
        self._request_id = host.ids.token(16)
        self._sequence = 0
        self._turn_index = 0
        self._announced: str | None = None
        self._updated_ms = 0.0

    async def run(self) -> None:
        await self._send("Connected")
        while (message := await self._far_end.receive()) is not None:
            if message.type is WSMsgType.BINARY:
                await self._audio(message.data)
                continue
            told = parsed(message)
            kind = (told or {}).get("type")
            if kind == "ForceEndTurn":
                await self._end_turn("manual")
            elif kind == "CloseStream":
                await self._end_turn("manual")
                await self._far_end.close()
                return
            elif kind == "Configure":
                await self._configure(told or {})
            else:
                await self._send(
                    "Error", code="UNPARSABLE_CLIENT_MESSAGE", description="not understood"
                )
                await self._far_end.close(1008)
                return

    async def _audio(self, audio: bytes) -> None:
        hearing = self._hearing
        for fact in hearing.append(audio):
            if isinstance(fact, SpeechBegan):
                if self._announced is not None:
                    self._announced = None
                    await self._turn_info("TurnResumed", "")
                elif hearing.turn is not None and not hearing.turn.segments:
                    await self._turn_info("StartOfTurn", "")
        turn = hearing.turn
        if turn is None:
            return
        quiet_ms = 0.0 if turn.quiet_since_ms is None else hearing.received_ms - turn.quiet_since_ms
        if turn.quiet_since_ms is not None and self._eager and self._announced is None:
            text = await self._recognised(turn)
            if text:
                self._announced = text
                await self._turn_info("EagerEndOfTurn", text, confidence=0.5)
        if turn.quiet_since_ms is not None and quiet_ms >= _EOT_QUIET_MS and not self._manual:
            await self._end_turn("model")
        elif hearing.received_ms - self._updated_ms >= _UPDATE_MS:
            await self._turn_info("Update", self._announced or "")

    async def _end_turn(self, trigger: str) -> None:
        turn = self._hearing.end_turn()
        if turn is None:
            return
        text = await self._recognised(turn)
        error = self._far_end.take_error()
        if error is not None:
            await self._send("Error", code=error, description="as the scenario asked for")
            await self._far_end.close(1011)
            return
        if text:
            self._host.heard(text)
        self._announced = None
        await self._turn_info("EndOfTurn", text, confidence=0.9, trigger=trigger)
        self._turn_index += 1

    async def _recognised(self, turn: Turn) -> str:
        return await self._host.recognise(turn.pcm16())

    async def _turn_info(
        self, event: str, text: str, confidence: float = 0.1, trigger: str | None = None
    ) -> None:
        self._updated_ms = self._hearing.received_ms
        turn = self._hearing.turn
        start_s = (turn.start_ms if turn is not None else 0.0) / 1000
        fields: dict[str, Any] = {
            "event": event,
            "turn_index": self._turn_index,
            "audio_window_start": round(start_s, 3),
            "audio_window_end": round(self._hearing.received_ms / 1000, 3),
            "transcript": text,
            "words": [{"word": word, "confidence": 0.99} for word in text.split()],
            "end_of_turn_confidence": confidence,
        }
        if trigger is not None:
            fields["trigger"] = trigger
        await self._send("TurnInfo", **fields)

    async def _configure(self, told: dict[str, Any]) -> None:
        thresholds = object_of(told, "thresholds")
        if "eager_eot_threshold" in thresholds:
            self._eager = thresholds["eager_eot_threshold"] is not None
        if "eot_threshold" in thresholds:
            self._manual = thresholds["eot_threshold"] == 1.0
        await self._send("ConfigureSuccess", thresholds=thresholds, keyterms=[])

    async def _send(self, kind: str, **fields: Any) -> None:
        message = {"type": kind, "request_id": self._request_id, "sequence_id": self._sequence}
        self._sequence += 1
        await self._far_end.send({**message, **fields})
