"""The settings of a server of one's own that speaks OpenAI Realtime."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from telephony.audio.format import AudioFormat
from telephony.realtime.openai_variant import OpenAIVariant
from telephony.realtime.session_base import Detection, RealtimeSessionConfig, given, plain
from telephony.realtime.session_config import detection_of, wire_format
from telephony.realtime.session_fields import (
    Name,
    NoiseReduction,
    ServerVad,
    ToolChoice,
    TurnDetection,
)
from telephony.realtime.strict_model import StrictModel


class LocalTranscription(StrictModel):
    model: Name | None = None
    language: Name | None = None
    prompt: str | None = None


class LocalSessionConfig(RealtimeSessionConfig):
    """Only what is written here is sent, besides formats, instructions and tools.

    The last keys say what the server understands: G.711, messages to truncate and to delete
    items, responses beside the conversation, and fields of a single response.
    """

    voice: Name | None = None
    speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    turn_detection: TurnDetection | None = ServerVad()
    transcription: LocalTranscription | None = None
    noise_reduction: NoiseReduction | None = None
    tool_choice: Literal["auto", "none", "required"] | ToolChoice | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | Literal["inf"] | None = None
    g711: bool = False
    item_truncate: bool = True
    item_delete: bool = True
    out_of_band: bool = True
    response_tool_choice: bool = True

    def variant(self, known: OpenAIVariant) -> OpenAIVariant:
        fields = known.response_fields
        return known.but(
            g711=self.g711,
            truncates=self.item_truncate,
            deletes=self.item_delete,
            out_of_band=self.out_of_band,
            response_fields=fields if self.response_tool_choice else fields - {"tool_choice"},
        )

    @property
    def detection(self) -> Detection | None:
        return detection_of(self.turn_detection)

    @property
    def transcription_model(self) -> str:
        transcription = self.transcription
        return transcription.model or "" if transcription is not None else ""

    def to_session_update(
        self, input_format: AudioFormat, output_format: AudioFormat
    ) -> dict[str, Any]:
        return {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": self.instructions,
            "audio": {
                "input": {
                    "format": wire_format(input_format),
                    "turn_detection": plain(self.turn_detection),
                    **given(self, ("transcription", "noise_reduction")),
                },
                "output": {
                    "format": wire_format(output_format),
                    **given(self, ("voice", "speed")),
                },
            },
            "tools": [plain(tool) for tool in self.tools],
            **given(self, ("tool_choice", "max_output_tokens")),
        }
