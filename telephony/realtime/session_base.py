"""What every server's session settings have in common, and how their mistakes are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, ValidationError

from telephony.audio.format import AudioFormat
from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig, explain
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.openai_variant import OpenAIVariant
from telephony.realtime.session_fields import Name, SessionTool
from telephony.realtime.strict_model import StrictModel
from telephony.realtime.traits import Traits


@dataclass(frozen=True, slots=True)
class Detection:
    """The turn detection of a server, in the terms of :class:`Traits`."""

    responds: bool = True
    interrupts: bool = True
    silence_ms: int = 0


class RealtimeSessionConfig(StrictModel):
    """Settings of a session; what the API calls ``instructions`` and ``tools`` come per call."""

    model: Name
    instructions: str = ""
    tools: Annotated[tuple[SessionTool, ...], Field(strict=False)] = ()

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain nested data; raise :class:`InvalidSessionConfig` with every problem."""
        if not isinstance(values, Mapping):
            raise InvalidSessionConfig([FieldProblem("", "must be a mapping", "write key: value")])
        try:
            config = cls.model_validate(dict(values))
        except ValidationError as error:
            raise InvalidSessionConfig(explain(error, values, cls._known_keys())) from None
        problems = list(config.problems())
        if problems:
            raise InvalidSessionConfig(problems)
        return config

    @classmethod
    def _known_keys(cls) -> Iterator[str]:
        """Return every key that may stand anywhere in the settings."""
        schema = cls.model_json_schema()
        for part in (schema, *schema.get("$defs", {}).values()):
            yield from part.get("properties", ())

    def problems(self) -> Iterable[FieldProblem]:
        """Return what the server would refuse although each field by itself is right."""
        return ()

    def with_tools(self, tools: Iterable[SessionTool]) -> Self:
        """Return the same settings with more tools; raises ValueError for a name in use."""
        together = (*self.tools, *tools)
        names = [tool.name for tool in together if isinstance(tool, FunctionTool)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"tools: the name {sorted(twice)[0]!r} is used twice")
        return self.model_copy(update={"tools": together})

    def variant(self, known: OpenAIVariant) -> OpenAIVariant:
        """Return the server's traits as these settings correct them."""
        return known

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the handshake besides the key."""
        return {}

    @property
    def detection(self) -> Detection | None:
        """The server's turn detection; None when it has none."""
        raise NotImplementedError

    @property
    def speaks(self) -> bool:
        """Whether the model answers with audio."""
        return True

    @property
    def transcription_model(self) -> str:
        """The model that writes down what the caller says, where one is named."""
        return ""

    @property
    def traits(self) -> Traits:
        detection = self.detection
        return Traits(
            detects_turns=detection is not None,
            responds_by_itself=self.responds_by_itself,
            interrupts_by_itself=self.interrupts_by_itself,
            endpointing_ms=detection.silence_ms if detection is not None else 0,
        )

    @property
    def responds_by_itself(self) -> bool:
        """Whether the server starts a response when the caller's turn ends."""
        return self.detection is not None and self.detection.responds

    @property
    def interrupts_by_itself(self) -> bool:
        """Whether the server cancels its response when the caller begins to speak."""
        return self.detection is not None and self.detection.interrupts

    def to_session_update(
        self, input_format: AudioFormat, output_format: AudioFormat
    ) -> dict[str, Any]:
        """Return the ``session`` of a ``session.update`` message."""
        raise NotImplementedError


def plain(value: Any) -> Any:
    """Return JSON data without the fields that were left out; a user's own mappings stay whole."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if not isinstance(value, BaseModel):
        return value
    fields = ((name, getattr(value, name)) for name in type(value).model_fields)
    return {name: plain(field) for name, field in fields if field is not None and field != ()}


def given(config: BaseModel, names: Iterable[str]) -> dict[str, Any]:
    """Return those of the named fields that were set, as JSON data."""
    values = ((name, getattr(config, name)) for name in names)
    return {name: plain(value) for name, value in values if value is not None and value != ()}
