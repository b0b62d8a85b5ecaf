"""The settings of an xAI Grok Voice session: OpenAI's names, some of them in other places."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from telephony.audio.format import AudioFormat
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.session_base import Detection, RealtimeSessionConfig, given, plain
from telephony.realtime.session_config import wire_format
from telephony.realtime.session_fields import McpTool, Name, Names
from telephony.realtime.strict_model import StrictModel


class XaiVad(StrictModel):
    """The only kind of turn detection there is; it always responds and interrupts."""

    type: Literal["server_vad"] = "server_vad"
    threshold: Annotated[float, Field(ge=0.1, le=0.9)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0)] = 300
    silence_duration_ms: Annotated[int, Field(gt=0)] = 500
    idle_timeout_ms: Annotated[int, Field(gt=0)] | None = None


class XaiTranscription(StrictModel):
    model: Name = "grok-transcribe"
    language_hint: Name | None = None
    keyterms: Names = ()


class XaiReasoning(StrictModel):
    effort: Literal["none", "high"]


class WebSearch(StrictModel):
    """Search that xAI does itself, as all tools below."""

    type: Literal["web_search"]


class XSearch(StrictModel):
    type: Literal["x_search"]
    allowed_x_handles: Names = ()


class FileSearch(StrictModel):
    type: Literal["file_search"]
    vector_store_ids: Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]
    max_num_results: Annotated[int, Field(gt=0)] | None = None


XaiTool: TypeAlias = Annotated[
    FunctionTool | McpTool | WebSearch | XSearch | FileSearch, Field(discriminator="type")
]


class XaiSessionConfig(RealtimeSessionConfig):
    """``turn_detection: null`` turns it off; what is left out is the server's to choose."""

    model: Name = "grok-voice-latest"
    voice: Name = "eve"
    speed: Annotated[float, Field(ge=0.7, le=1.5)] | None = None
    turn_detection: XaiVad | None = XaiVad()
    transcription: XaiTranscription | None = XaiTranscription()
    reasoning: XaiReasoning | None = None
    replace: dict[str, str] | None = None
    tools: Annotated[tuple[XaiTool, ...], Field(strict=False)] = ()  # type: ignore[assignment]

    @property
    def detection(self) -> Detection | None:
        detection = self.turn_detection
        return None if detection is None else Detection(silence_ms=detection.silence_duration_ms)

    @property
    def transcription_model(self) -> str:
        return self.transcription.model if self.transcription is not None else ""

    def to_session_update(
        self, input_format: AudioFormat, output_format: AudioFormat
    ) -> dict[str, Any]:
        heard: dict[str, Any] = {"format": wire_format(input_format, any_rate=True)}
        spoken = {"format": wire_format(output_format, any_rate=True)}
        return {
            "instructions": self.instructions,
            "voice": self.voice,
            "turn_detection": plain(self.turn_detection),
            "audio": {
                "input": heard | given(self, ("transcription",)),
                "output": spoken | given(self, ("speed",)),
            },
            "tools": [plain(tool) for tool in self.tools],
            **given(self, ("reasoning", "replace")),
        }
