"""What an agent's file says of a cascade."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from telephony.realtime.cascade.end_of_turn import EndOfTurnPolicy
from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig, explain
from telephony.realtime.strict_model import StrictModel

API_VERSION = "2026-10-21"

Milliseconds = Annotated[int, Field(ge=1, le=10_000)]
Text = Annotated[str, Field(min_length=1, max_length=300)]


class LlmConfig(StrictModel):
    """The language model: Anthropic's Messages API.

    Without ``effort`` the model is told not to think before it speaks. ``prompt_cache`` is how
    long the provider keeps instructions and tools ready.
    """

    max_tokens: Annotated[int, Field(ge=16, le=4096)] = 300
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    prompt_cache: Literal["none", "5m", "1h"] = "5m"
    speed: Literal["standard", "fast"] | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    stall_s: Annotated[float, Field(gt=0, le=120, strict=False)] = 10.0
    retry_s: Annotated[float, Field(ge=0, le=30, strict=False)] = 4.0
    max_history_items: Annotated[int, Field(ge=10, le=2000)] = 400


class EndOfTurnConfig(StrictModel):
    """See :class:`EndOfTurnPolicy`; ``speculative`` prepares an answer before the end is sure,
    ``speculative_speech`` its voice too.

    ``transcript_ms`` is how long the transcriber's last word is waited for.
    """

    likely_ms: Milliseconds = 240
    complete_ms: Milliseconds = 400
    silence_ms: Milliseconds = 600
    unfinished_ms: Milliseconds = 1000
    trust_hints: bool = True
    speculative: bool = True
    speculative_speech: bool = False
    transcript_ms: Milliseconds = 1500

    @model_validator(mode="after")
    def _in_order(self) -> EndOfTurnConfig:
        self.policy()
        return self

    def policy(self) -> EndOfTurnPolicy:
        return EndOfTurnPolicy(
            self.likely_ms,
            self.complete_ms,
            self.silence_ms,
            self.unfinished_ms,
            self.trust_hints,
        )


class CascadeConfig(StrictModel):
    """``stt`` and ``tts`` name a service by ``type``; what else they may hold depends on it.

    ``fillers`` are said in turn while a tool takes longer than ``filler_after_ms``.
    """

    model: Annotated[str, Field(pattern=r"^\S+$")] = "claude-haiku-5-5"
    voice: str | None = None
    llm: LlmConfig = LlmConfig()
    stt: dict[str, Any]
    tts: dict[str, Any]
    end_of_turn: EndOfTurnConfig = EndOfTurnConfig()
    fillers: Annotated[tuple[Text, ...], Field(strict=False, max_length=50)] = ()
    filler_after_ms: Milliseconds = 700

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> CascadeConfig:
        """Read plain data (YAML, JSON); raises InvalidSessionConfig with every problem."""
        problems = [
            FieldProblem(part, "needs a type", "see the README for the types there are")
            for part in ("stt", "tts")
            if isinstance(values.get(part), dict) and not isinstance(values[part].get("type"), str)
        ]
        try:
            config = cls.model_validate(dict(values))
        except ValidationError as error:
            raise InvalidSessionConfig(
                [*explain(error, values, frozenset(_key_names(cls))), *problems]
            ) from None
        if problems:
            raise InvalidSessionConfig(problems)
        return config


def _key_names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        parts: Iterable[Any] = (field.annotation,)
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _key_names(part)
