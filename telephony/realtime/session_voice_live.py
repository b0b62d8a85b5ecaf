"""The settings of an Azure Voice Live session: the flat session, Azure's speech around it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from telephony.audio.format import AudioFormat
from telephony.realtime.session_base import Detection, RealtimeSessionConfig, given, plain
from telephony.realtime.session_fields import Name, Names, ToolChoice
from telephony.realtime.session_flat import flat_format
from telephony.realtime.strict_model import StrictModel

_INPUT_RATES_HZ = (16000, 24000)
_OUTPUT_RATES_HZ = (24000,)
_SEMANTIC = ("azure_semantic_vad", "azure_semantic_vad_en", "azure_semantic_vad_multilingual")


class EndOfUtterance(StrictModel):
    """Whether what was said sounds finished."""

    model: Literal[
        "semantic_detection_v1", "semantic_detection_v1_en", "semantic_detection_v1_multilingual"
    ] = "semantic_detection_v1"
    threshold_level: Literal["low", "medium", "high", "default"] | None = None
    timeout_ms: Annotated[int, Field(gt=0)] | None = None


class _Vad(StrictModel):
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0)] = 300
    silence_duration_ms: Annotated[int, Field(gt=0)] = 500
    end_of_utterance_detection: EndOfUtterance | None = None
    create_response: bool = True
    interrupt_response: bool = True


class VoiceLiveServerVad(_Vad):
    type: Literal["server_vad"]


class AzureSemanticVad(_Vad):
    """Hears words, not only a level: fillers and noise are no turn."""

    type: Literal[
        "azure_semantic_vad", "azure_semantic_vad_en", "azure_semantic_vad_multilingual"
    ] = "azure_semantic_vad"
    speech_duration_ms: Annotated[int, Field(gt=0)] | None = None
    remove_filler_words: bool | None = None
    languages: Names = ()


class AzureVoice(StrictModel):
    """A voice of Azure's speech synthesis."""

    type: Literal["azure-standard", "azure-custom", "azure-personal"]
    name: Name
    endpoint_id: Name | None = None
    model: Name | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    locale: Name | None = None
    prefer_locales: Names = ()
    style: Name | None = None
    pitch: Name | None = None
    rate: Name | None = None
    volume: Name | None = None
    custom_lexicon_url: Name | None = None


class AzureNoiseReduction(StrictModel):
    type: Literal["azure_deep_noise_suppression", "near_field", "far_field"]


class EchoCancellation(StrictModel):
    type: Literal["server_echo_cancellation"] = "server_echo_cancellation"


class AzureTranscription(StrictModel):
    model: Name = "azure-speech"
    language: Name | None = None
    phrase_list: Names = ()
    custom_speech: dict[str, str] | None = None


VoiceLiveDetection: TypeAlias = Annotated[
    VoiceLiveServerVad | AzureSemanticVad, Field(discriminator="type")
]


class VoiceLiveSessionConfig(RealtimeSessionConfig):
    """A plain string as ``voice`` is one of OpenAI's; those of Azure are objects."""

    model: Name = "gpt-4o-mini"
    voice: Name | AzureVoice | None = None
    turn_detection: VoiceLiveDetection | None = AzureSemanticVad()
    transcription: AzureTranscription | None = AzureTranscription()
    noise_reduction: AzureNoiseReduction | None = None
    echo_cancellation: EchoCancellation | None = None
    tool_choice: Literal["auto", "none", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | Literal["inf"] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    @property
    def detection(self) -> Detection | None:
        detection = self.turn_detection
        if detection is None:
            return None
        silence_ms = 0 if detection.type in _SEMANTIC else detection.silence_duration_ms
        return Detection(detection.create_response, detection.interrupt_response, silence_ms)

    @property
    def transcription_model(self) -> str:
        return self.transcription.model if self.transcription is not None else ""

    def to_session_update(
        self, input_format: AudioFormat, output_format: AudioFormat
    ) -> dict[str, Any]:
        session: dict[str, Any] = {
            "modalities": ["text", "audio"],
            "instructions": self.instructions,
            "input_audio_format": flat_format(input_format, _INPUT_RATES_HZ),
            "output_audio_format": flat_format(output_format, _OUTPUT_RATES_HZ),
            "turn_detection": plain(self.turn_detection),
            "input_audio_transcription": plain(self.transcription),
            "tools": [plain(tool) for tool in self.tools],
        }
        if input_format.encoding == "l16":
            session["input_audio_sampling_rate"] = input_format.sample_rate_hz
        renamed = {
            "input_audio_noise_reduction": self.noise_reduction,
            "input_audio_echo_cancellation": self.echo_cancellation,
            "max_response_output_tokens": self.max_output_tokens,
        }
        session.update({key: plain(value) for key, value in renamed.items() if value is not None})
        same = ("voice", "tool_choice", "parallel_tool_calls", "reasoning_effort", "temperature")
        return session | given(self, same)
