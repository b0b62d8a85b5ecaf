"""The settings of an OpenAI Realtime session, validated, and their wire form.

The shape is that of an agent's YAML: flat where the wire nests. Audio formats are no part of it;
the leg and ``media.model_format`` decide them when the session begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.functional_validators import AfterValidator

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.realtime.config_problems import FieldProblem
from telephony.realtime.session_base import Detection, RealtimeSessionConfig, given, plain
from telephony.realtime.session_fields import (
    Logprobs,
    McpTool,
    Name,
    NoiseReduction,
    Reasoning,
    RetentionRatio,
    ServerVad,
    ToolChoice,
    Tracing,
    Transcription,
    TurnDetection,
)
from telephony.realtime.strict_model import StrictModel

VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
_SECOND_FAMILY = re.compile(r"gpt-realtime-2(?![\d-])")
_OLDER_FAMILIES = re.compile(r"gpt-(4o-|4o-mini-)?realtime(-mini|-preview|-1\.\d|-20\d\d|$)")
_NOT_CONVERSING = re.compile(r"gpt-(live-transcribe|transcribe|4o.*-transcribe|realtime-whisper)")


class CustomVoice(StrictModel):
    """A voice made by the account's owner."""

    id: Annotated[str, Field(pattern=r"^voice_.+")]


def _known_voice(value: str | CustomVoice) -> str | CustomVoice:
    if isinstance(value, str) and value not in VOICES:
        raise ValueError(
            f'unknown voice {value!r}; known: {", ".join(VOICES)}, or {{id: "voice_…"}}'
        )
    return value


HeaderText = Annotated[str, Field(pattern=r"^[!-~]+$", max_length=256)]


class SessionConfig(RealtimeSessionConfig):
    """Everything one may choose about a session.

    ``None`` turns ``turn_detection``, ``transcription`` and ``noise_reduction`` off; any other
    field it leaves to the server.
    """

    model: Name = "gpt-realtime-2.1"
    voice: Annotated[str | CustomVoice, AfterValidator(_known_voice)] = "marin"
    speed: Annotated[float, Field(ge=0.25, le=1.5)] | None = None
    output_modalities: Annotated[
        tuple[Literal["audio", "text"], ...], Field(strict=False, min_length=1, max_length=1)
    ] = ("audio",)
    turn_detection: TurnDetection | None = ServerVad()
    transcription: Transcription | None = Transcription()
    noise_reduction: NoiseReduction | None = None
    tool_choice: Literal["auto", "none", "required"] | ToolChoice = "auto"
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] = "inf"
    reasoning: Reasoning | None = None
    truncation: Literal["auto", "disabled"] | RetentionRatio = "auto"
    tracing: Literal["auto"] | Tracing | None = None
    include: Annotated[tuple[Logprobs, ...], Field(strict=False)] = ()
    organization: HeaderText | None = None
    project: HeaderText | None = None
    safety_identifier: HeaderText | None = None

    def problems(self) -> Iterator[FieldProblem]:
        """Return the features that the model, or the rest of the settings, does not go with."""
        yield from _model_problems(self.model)
        if _OLDER_FAMILIES.match(self.model) and not _SECOND_FAMILY.match(self.model):
            for field in ("reasoning", "parallel_tool_calls"):
                if getattr(self, field) is not None:
                    fix = "remove it, or choose gpt-realtime-2.1"
                    yield FieldProblem(field, f"model {self.model} does not take it", fix)
        yield from _tool_choice_problems(self.tool_choice, self.tools)

    @property
    def headers(self) -> dict[str, str]:
        """Whose traffic this is; ``safety_identifier`` stands for the end user, hashed."""
        headers = {
            "OpenAI-Organization": self.organization,
            "OpenAI-Project": self.project,
            "OpenAI-Safety-Identifier": self.safety_identifier,
        }
        return {name: value for name, value in headers.items() if value}

    @property
    def detection(self) -> Detection | None:
        return detection_of(self.turn_detection)

    @property
    def speaks(self) -> bool:
        return "audio" in self.output_modalities

    @property
    def transcription_model(self) -> str:
        return self.transcription.model if self.transcription is not None else ""

    def to_session_update(
        self, input_format: AudioFormat, output_format: AudioFormat
    ) -> dict[str, Any]:
        """Return the ``session`` of a ``session.update`` message.

        The model is absent: it is chosen in the URL and cannot change.
        """
        return {
            "type": "realtime",
            "output_modalities": list(self.output_modalities),
            "instructions": self.instructions,
            "audio": {
                "input": self._audio_input(input_format),
                "output": self._audio_output(output_format),
            },
            "tools": [plain(tool) for tool in self.tools],
            "tool_choice": plain(self.tool_choice),
            "max_output_tokens": self.max_output_tokens,
            "truncation": plain(self.truncation),
            **given(self, ("parallel_tool_calls", "reasoning", "tracing", "include")),
        }

    def _audio_input(self, audio_format: AudioFormat) -> dict[str, Any]:
        return {
            "format": wire_format(audio_format),
            "turn_detection": plain(self.turn_detection),
            "transcription": plain(self.transcription),
            "noise_reduction": plain(self.noise_reduction),
        }

    def _audio_output(self, audio_format: AudioFormat) -> dict[str, Any]:
        voice = {"format": wire_format(audio_format), "voice": plain(self.voice)}
        return voice | given(self, ("speed",))


class AzureSessionConfig(SessionConfig):
    """The same on Azure OpenAI, where ``model`` is the name of a deployment."""

    model: Name

    @property
    def headers(self) -> dict[str, str]:
        return {}

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        for field in ("organization", "project", "safety_identifier"):
            if getattr(self, field) is not None:
                yield FieldProblem(field, "Azure OpenAI has no such header", "remove it")


def _model_problems(model: str) -> Iterator[FieldProblem]:
    if _NOT_CONVERSING.match(model):
        fix = "name it under session.transcription, and choose gpt-realtime-2.1 here"
        yield FieldProblem("model", f"{model} only transcribes", fix)
    elif model.startswith("gpt-live"):
        fix = "write api: openai_live, or choose gpt-realtime-2.1"
        yield FieldProblem("model", f"the Realtime API refuses {model}, a Live model", fix)


def _tool_choice_problems(choice: object, tools: Iterable[object]) -> Iterator[FieldProblem]:
    if not isinstance(choice, ToolChoice) or choice.type != "mcp":
        return
    labels = {tool.server_label for tool in tools if isinstance(tool, McpTool)}
    if choice.server_label not in labels:
        text = f"no tool has the server_label {choice.server_label!r}"
        yield FieldProblem("tool_choice.server_label", text, "add the server under tools")


def detection_of(detection: TurnDetection | None) -> Detection | None:
    """Return the common terms of a turn detection of OpenAI's kinds."""
    if detection is None:
        return None
    silence_ms = detection.silence_duration_ms if isinstance(detection, ServerVad) else 0
    return Detection(detection.create_response, detection.interrupt_response, silence_ms)


def wire_format(audio_format: AudioFormat, *, any_rate: bool = False) -> dict[str, Any]:
    """Return the wire form of a format; OpenAI knows G.711 and L16 at 24 kHz only."""
    if audio_format.encoding in ("pcmu", "pcma"):
        return {"type": f"audio/{audio_format.encoding}"}
    if audio_format.sample_rate_hz != 24000 and not any_rate:
        raise LocalProtocolError(
            f"a realtime session takes L16 at 24000 Hz, not {audio_format.sample_rate_hz}"
        )
    return {"type": "audio/pcm", "rate": audio_format.sample_rate_hz}
