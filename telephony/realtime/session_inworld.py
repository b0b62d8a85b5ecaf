"""The settings of an Inworld Realtime session: OpenAI's shape around other models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from telephony.audio.format import AudioFormat
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.openai_variant import OpenAIVariant
from telephony.realtime.session_base import Detection, RealtimeSessionConfig, given, plain
from telephony.realtime.session_config import wire_format
from telephony.realtime.session_fields import Name
from telephony.realtime.strict_model import StrictModel


class InworldDetection(StrictModel):
    type: Literal["semantic_vad", "server_vad"] = "semantic_vad"
    eagerness: Literal["low", "medium", "high"] | None = None
    create_response: bool = True
    interrupt_response: bool = True


class InworldTranscription(StrictModel):
    model: Name | None = None


class InworldSessionConfig(RealtimeSessionConfig):
    """``model`` is the language model, ``tts_model`` and ``voice`` its voice.

    ``item_truncate`` and ``item_delete`` say that the server takes these messages: it is not
    known to everywhere.
    """

    model: Name = "openai/gpt-4.1-mini"
    voice: Name | None = None
    tts_model: Name | None = None
    speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    turn_detection: InworldDetection | None = InworldDetection()
    transcription: InworldTranscription | None = InworldTranscription()
    provider_data: dict[str, Any] | None = None
    item_truncate: bool = False
    item_delete: bool = False
    tools: Annotated[tuple[FunctionTool, ...], Field(strict=False)] = ()

    def variant(self, known: OpenAIVariant) -> OpenAIVariant:
        return known.but(truncates=self.item_truncate, deletes=self.item_delete)

    @property
    def detection(self) -> Detection | None:
        detection = self.turn_detection
        if detection is None:
            return None
        return Detection(detection.create_response, detection.interrupt_response)

    @property
    def transcription_model(self) -> str:
        transcription = self.transcription
        return transcription.model or "" if transcription is not None else ""

    def to_session_update(
        self, input_format: AudioFormat, output_format: AudioFormat
    ) -> dict[str, Any]:
        """Return the ``session``; the model is part of it, as the URL does not name it."""
        output = {"format": wire_format(output_format, any_rate=True)} | given(
            self, ("voice", "speed")
        )
        if self.tts_model is not None:
            output["model"] = self.tts_model
        session: dict[str, Any] = {
            "type": "realtime",
            "model": self.model,
            "instructions": self.instructions,
            "output_modalities": ["audio", "text"],
            "audio": {
                "input": {
                    "format": wire_format(input_format, any_rate=True),
                    "turn_detection": plain(self.turn_detection),
                    **given(self, ("transcription",)),
                },
                "output": output,
            },
            "tools": [plain(tool) for tool in self.tools],
        }
        if self.provider_data is not None:
            session["providerData"] = self.provider_data
        return session
