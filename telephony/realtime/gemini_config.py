"""The settings of a Gemini Live session, validated.

The shape is that of an agent's YAML: flat where the wire nests, and in lower case where the wire
shouts. Audio formats are no part of it: Gemini hears L16 at 16 kHz and speaks L16 at 24 kHz.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic.functional_validators import AfterValidator

from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig, explain
from telephony.realtime.gemini_wire import short_name
from telephony.realtime.strict_model import StrictModel
from telephony.realtime.traits import Traits

DEFAULT_MODEL = "gemini-3.8-live"
EXTENDED_THINKING = "gemini-3.8-live-extended-thinking"
# fmt: off
VOICES = (
    "Achernar", "Achird", "Algenib", "Algieba", "Alnilam", "Aoede", "Autonoe", "Callirrhoe",
    "Charon", "Despina", "Enceladus", "Erinome", "Fenrir", "Gacrux", "Iapetus", "Kore",
    "Laomedeia", "Leda", "Orus", "Puck", "Pulcherrima", "Rasalgethi", "Sadachbia", "Sadaltager",
    "Schedar", "Sulafat", "Umbriel", "Vindemiatrix", "Zephyr", "Zubenelgenubi",
)
# fmt: on


class _Frozen(StrictModel):
    """Whatever has keys that a misspelt one may have meant."""


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _known_voice(value: str) -> str:
    if value not in VOICES:
        raise ValueError(f"unknown voice {value!r}; known: {', '.join(VOICES)}")
    return value


Name = Annotated[str, AfterValidator(_not_empty)]
Names = Annotated[tuple[Name, ...], Field(strict=False)]
Sensitivity: TypeAlias = Literal["high", "low"]
Level: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]


class Detection(_Frozen):
    """Turns as the model's own detector finds them; what is left out is the model's default.

    ``prefix_padding_ms`` is the speech it needs before it believes that a turn began.
    """

    start_sensitivity: Sensitivity | None = None
    end_sensitivity: Sensitivity | None = None
    prefix_padding_ms: Annotated[int, Field(ge=0)] | None = None
    silence_duration_ms: Annotated[int, Field(gt=0)] | None = None


class InputTranscription(_Frozen):
    """Text of what the caller says."""

    language_codes: Names = ()
    custom_vocabulary: Names = ()


class Thinking(_Frozen):
    level: Level | None = None
    budget_tokens: Annotated[int, Field(ge=-1)] | None = None
    include_thoughts: bool | None = None


class Translation(_Frozen):
    """The model speaks what it hears in another language, instead of answering."""

    target_language_code: Name
    echo_target_language: bool | None = None


class Compression(_Frozen):
    """The oldest part of the conversation is forgotten when the context grows too large."""

    trigger_tokens: Annotated[int, Field(gt=0)] | None = None
    target_tokens: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _shrinks(self) -> Self:
        trigger, target = self.trigger_tokens, self.target_tokens
        if trigger is not None and target is not None and target >= trigger:
            raise ValueError("target_tokens must be less than trigger_tokens")
        return self


class SafetySetting(_Frozen):
    category: Name
    threshold: Name


class GeminiConfig(_Frozen):
    """Everything one may choose about a session.

    ``None`` turns ``turn_detection``, ``transcription`` and ``context_compression`` off; any other
    field it leaves to the server. ``functions`` says whether the model speaks on while a function
    runs; left out it is the model's own default.
    """

    model: Name = DEFAULT_MODEL
    voice: Annotated[str, AfterValidator(_known_voice)] = "Kore"
    api_version: Literal["v1", "v1beta", "v1alpha"] = "v1"
    auth: Literal["api_key", "ephemeral_token"] = "api_key"
    language_code: Name | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(gt=0)] | None = None
    max_output_tokens: Annotated[int, Field(gt=0, le=65_536)] | None = None
    seed: int | None = None
    thinking: Thinking | None = None
    translation: Translation | None = None
    turn_detection: Detection | None = Detection()
    activity_handling: Literal["start_of_activity_interrupts", "no_interruption"] = (
        "start_of_activity_interrupts"
    )
    turn_coverage: (
        Literal[
            "turn_includes_only_activity",
            "turn_includes_all_input",
            "turn_includes_audio_activity_and_all_video",
        ]
        | None
    ) = None
    transcription: InputTranscription | None = InputTranscription()
    output_transcription: bool = True
    proactive_audio: bool | None = None
    affective_dialog: bool | None = None
    functions: Literal["blocking", "non_blocking"] | None = None
    scheduling: Literal["when_idle", "interrupt"] = "when_idle"
    google_search: bool = False
    session_resumption: bool = True
    transparent_resumption: bool | None = None
    context_compression: Compression | None = Compression()
    safety_settings: Annotated[tuple[SafetySetting, ...], Field(strict=False)] = ()
    labels: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain nested data; raise :class:`InvalidSessionConfig` with every problem."""
        if not isinstance(values, Mapping):
            raise InvalidSessionConfig([FieldProblem("", "must be a mapping", "write key: value")])
        try:
            config = cls.model_validate(dict(values))
        except ValidationError as error:
            raise InvalidSessionConfig(explain(error, values, _known_keys())) from None
        problems = list(config.refusals())
        if problems:
            raise InvalidSessionConfig(problems)
        return config

    def refusals(self) -> Iterator[FieldProblem]:
        """Yield what the model would refuse a session for."""
        yield from self._thinking_refusals()
        if self.is_3_8:
            if self.proactive_audio is False:
                fix = "remove it"
                yield FieldProblem("proactive_audio", f"is always on with {self.short}", fix)
            if self.affective_dialog is not None:
                message = f"{self.short} has no affective dialog"
                yield FieldProblem("affective_dialog", message, "remove it")
        yield from self._place_refusals()

    def _thinking_refusals(self) -> Iterator[FieldProblem]:
        thinking = self.thinking
        level = thinking.level if thinking is not None else None
        if self.short == DEFAULT_MODEL and thinking is not None:
            fix = f"remove thinking, or write model: {EXTENDED_THINKING}"
            yield FieldProblem("thinking", f"{DEFAULT_MODEL} takes no thinking level", fix)
        if self.short == EXTENDED_THINKING and level is None:
            yield FieldProblem(
                "thinking", f"{EXTENDED_THINKING} needs a level", "write thinking: {level: low}"
            )
        if level is not None and thinking is not None and thinking.budget_tokens is not None:
            message = "level and budget_tokens exclude each other"
            yield FieldProblem("thinking", message, "keep one of them")

    def _place_refusals(self) -> Iterator[FieldProblem]:
        """Yield what the Gemini API has not; on Vertex AI this is another."""
        if self.transparent_resumption is not None:
            message = "only Vertex AI resumes sessions transparently"
            yield FieldProblem("transparent_resumption", message, "remove it")
        if self.auth == "ephemeral_token" and self.api_version != "v1alpha":
            message = "only v1alpha takes ephemeral tokens"
            yield FieldProblem("api_version", message, "write api_version: v1alpha")

    @property
    def short(self) -> str:
        """The model's name without its place."""
        return short_name(self.model)

    @property
    def is_3_8(self) -> bool:
        return self.short.startswith("gemini-3.8-live")

    @property
    def blocks(self) -> bool:
        """Whether the model waits for the output of a function before it says anything."""
        if self.functions is not None:
            return self.functions == "blocking"
        return not self.is_3_8

    @property
    def traits(self) -> Traits:
        detection = self.turn_detection
        return Traits(
            detects_turns=detection is not None,
            responds_by_itself=detection is not None,
            interrupts_by_itself=self.activity_handling == "start_of_activity_interrupts",
            endpointing_ms=(detection.silence_duration_ms or 0) if detection is not None else 0,
            resumes=self.session_resumption,
            marks_turns=detection is None,
        )


class VertexConfig(GeminiConfig):
    """The same on Vertex AI. ``project`` pays for it unless ``quota_project`` does."""

    model: Name = "gemini-live-2.5-flash-native-audio"
    project: Name
    location: Name = "us-central1"
    quota_project: Name | None = None
    explicit_vad_signal: bool | None = None

    def _place_refusals(self) -> Iterator[FieldProblem]:
        for field in ("api_version", "auth"):
            if field in self.model_fields_set:
                yield FieldProblem(field, "is the Gemini API's, not Vertex AI's", "remove it")


def _known_keys() -> Iterator[str]:
    models: list[type[BaseModel]] = [VertexConfig, *_Frozen.__subclasses__()]
    for model in models:
        yield from model.model_fields
