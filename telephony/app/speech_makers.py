"""Makes the speech services of a cascade from what an agent's file says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from telephony.app.speech_url import url_problem
from telephony.base.speech import SynthesizerService, TranscriberService
from telephony.net.speech import espeak_voice, piper_voice, services, whisper_recogniser
from telephony.net.speech.espeak_voice import EspeakConfig
from telephony.net.speech.piper_voice import PiperConfig
from telephony.net.speech.whisper_recogniser import FasterWhisperConfig
from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig, explain
from telephony.realtime.speech.deepgram_listen import DeepgramListenConfig
from telephony.realtime.speech.deepgram_speak import DeepgramSpeakConfig
from telephony.realtime.speech.elevenlabs_listen import ElevenLabsListenConfig
from telephony.realtime.speech.elevenlabs_speak import ElevenLabsSpeakConfig
from telephony.realtime.speech.openai_audio import SpeechConfig, TranscriptionsConfig
from telephony.realtime.speech.openai_transcription import OpenAITranscriptionConfig
from telephony.realtime.strict_model import StrictModel

Config = TypeVar("Config", bound=StrictModel)
Values = Mapping[str, Any]


def read_config(model: type[Config], values: Values) -> Config:
    """Return the configuration in ``values``; raises InvalidSessionConfig."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise InvalidSessionConfig(explain(error, values, known_keys(model))) from None


def known_keys(model: type[StrictModel]) -> frozenset[str]:
    """Return the keys a configuration may have, those of its parts too."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, StrictModel):
            names |= known_keys(field.annotation)
    return frozenset(names)


def _hosted(model: type[Config], values: Values, variable: str) -> Config:
    """Read the configuration of a service on the network, which has a URL and usually a key.

    ``variable`` is the one that holds the key the provider's own URL needs.
    """
    config = read_config(model, values)
    url: str = getattr(config, "base_url")  # noqa: B009 - not every configuration has one
    problem = url_problem(url, has_key=bool(values.get("api_key")))
    own_url = url == model.model_fields["base_url"].default
    if problem is None and own_url and "api_key" not in values:
        problem = FieldProblem("api_key", f"{url} needs a key", f"add api_key: ${{{variable}}}")
    if problem is not None:
        raise InvalidSessionConfig([problem])
    return config


def _present(lacks: tuple[str, str] | None, key: str) -> None:
    """Raise what a service lacks on this machine, as a problem of ``key``."""
    if lacks is not None:
        raise InvalidSessionConfig([FieldProblem(key, *lacks)])


def deepgram_transcriber(values: Values) -> TranscriberService:
    config = _hosted(DeepgramListenConfig, values, "DEEPGRAM_API_KEY")
    return services.deepgram_transcriber(config)


def elevenlabs_transcriber(values: Values) -> TranscriberService:
    config = _hosted(ElevenLabsListenConfig, values, "ELEVENLABS_API_KEY")
    return services.elevenlabs_transcriber(config)


def openai_realtime_transcriber(values: Values) -> TranscriberService:
    config = _hosted(OpenAITranscriptionConfig, values, "OPENAI_API_KEY")
    if config.language is not None and config.languages:
        problem = FieldProblem("languages", "language is given as well", "keep one of the two")
        raise InvalidSessionConfig([problem])
    return services.openai_realtime_transcriber(config)


def openai_http_transcriber(values: Values) -> TranscriberService:
    return services.openai_http_transcriber(_hosted(TranscriptionsConfig, values, "OPENAI_API_KEY"))


def faster_whisper_transcriber(values: Values) -> TranscriberService:
    config = read_config(FasterWhisperConfig, values)
    _present(whisper_recogniser.lacks(config), "model")
    return services.faster_whisper_transcriber(config)


def deepgram_synthesizer(values: Values) -> SynthesizerService:
    return services.deepgram_synthesizer(_hosted(DeepgramSpeakConfig, values, "DEEPGRAM_API_KEY"))


def elevenlabs_synthesizer(values: Values) -> SynthesizerService:
    config = _hosted(ElevenLabsSpeakConfig, values, "ELEVENLABS_API_KEY")
    return services.elevenlabs_synthesizer(config)


def openai_http_synthesizer(values: Values) -> SynthesizerService:
    return services.openai_http_synthesizer(_hosted(SpeechConfig, values, "OPENAI_API_KEY"))


def piper_synthesizer(values: Values) -> SynthesizerService:
    config = read_config(PiperConfig, values)
    _present(piper_voice.lacks(config), "voice")
    return services.piper_synthesizer(config)


def espeak_synthesizer(values: Values) -> SynthesizerService:
    config = read_config(EspeakConfig, values)
    _present(espeak_voice.lacks(config), "program")
    return services.espeak_synthesizer(config)


MAKE_TRANSCRIBERS: dict[str, tuple[str, Callable[[Values], TranscriberService]]] = {
    "deepgram": ("Deepgram Flux", deepgram_transcriber),
    "elevenlabs": ("ElevenLabs Scribe", elevenlabs_transcriber),
    "openai_realtime": ("OpenAI Realtime transcription", openai_realtime_transcriber),
    "openai_http": ("POST /audio/transcriptions", openai_http_transcriber),
    "faster_whisper": ("faster-whisper", faster_whisper_transcriber),
}

MAKE_SYNTHESIZERS: dict[str, tuple[str, Callable[[Values], SynthesizerService]]] = {
    "deepgram": ("Deepgram Flux", deepgram_synthesizer),
    "elevenlabs": ("ElevenLabs", elevenlabs_synthesizer),
    "openai_http": ("POST /audio/speech", openai_http_synthesizer),
    "piper": ("piper", piper_synthesizer),
    "espeak_ng": ("espeak-ng", espeak_synthesizer),
}
