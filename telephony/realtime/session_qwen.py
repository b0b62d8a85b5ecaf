"""The settings of a Qwen-Omni realtime session: the flat session, PCM16 both ways."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from telephony.audio.format import AudioFormat
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.session_base import Detection, RealtimeSessionConfig, given, plain
from telephony.realtime.session_fields import Name
from telephony.realtime.session_flat import flat_format
from telephony.realtime.strict_model import StrictModel


class QwenDetection(StrictModel):
    """It always responds and interrupts."""

    type: Literal["server_vad", "semantic_vad"] = "server_vad"
    threshold: Annotated[float, Field(ge=-1, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0)] = 300
    silence_duration_ms: Annotated[int, Field(ge=200, le=6000)] = 800


class QwenTranscription(StrictModel):
    model: Name | None = None


class QwenSessionConfig(RealtimeSessionConfig):
    """What is left out is the server's to choose."""

    model: Name = "qwen3.5-omni-flash-realtime"
    voice: Name | None = None
    turn_detection: QwenDetection | None = QwenDetection()
    transcription: QwenTranscription | None = QwenTranscription()
    temperature: Annotated[float, Field(ge=0, lt=2)] | None = None
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    enable_search: bool | None = None
    tools: Annotated[tuple[FunctionTool, ...], Field(strict=False)] = ()

    @property
    def detection(self) -> Detection | None:
        detection = self.turn_detection
        if detection is None:
            return None
        level = detection.type == "server_vad"
        return Detection(silence_ms=detection.silence_duration_ms if level else 0)

    @property
    def transcription_model(self) -> str:
        transcription = self.transcription
        return transcription.model or "" if transcription is not None else ""

    def to_session_update(
        self, input_format: AudioFormat, output_format: AudioFormat
    ) -> dict[str, Any]:
        session: dict[str, Any] = {
            "modalities": ["text", "audio"],
            "instructions": self.instructions,
            "input_audio_format": flat_format(input_format, (16000,)),
            "output_audio_format": flat_format(output_format, (24000,)),
            "turn_detection": plain(self.turn_detection),
            "input_audio_transcription": plain(self.transcription),
            **given(self, ("voice", "temperature", "max_tokens", "enable_search")),
        }
        if self.tools:
            session["tools"] = [_nested(tool) for tool in self.tools]
        return session


def _nested(tool: FunctionTool) -> dict[str, Any]:
    described = plain(tool)
    kind = described.pop("type")
    return {"type": kind, kind: described}
