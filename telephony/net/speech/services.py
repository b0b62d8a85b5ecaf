"""Speech services made from their configurations."""

from __future__ import annotations

from telephony.base.speech import SynthesizerService, TranscriberService, WireFormat
from telephony.net.speech.espeak_voice import EspeakConfig, EspeakPrograms, EspeakVoice
from telephony.net.speech.http_speech import HttpRecogniser, HttpVoice
from telephony.net.speech.line_worker import LineWorker
from telephony.net.speech.piece_synthesizer import PieceSynthesizerService, Voice
from telephony.net.speech.piper_voice import PiperConfig, PiperVoice, PiperWorker
from telephony.net.speech.socket_synthesizer import SocketSynthesizerService
from telephony.net.speech.socket_transcriber import SocketTranscriberService
from telephony.net.speech.turn_transcriber import Recogniser, TurnLimits, TurnTranscriberService
from telephony.net.speech.whisper_recogniser import (
    FasterWhisperConfig,
    WhisperRecogniser,
    whisper_program,
)
from telephony.realtime.speech import elevenlabs_listen, elevenlabs_speak, openai_transcription
from telephony.realtime.speech.deepgram_listen import DeepgramListen, DeepgramListenConfig
from telephony.realtime.speech.deepgram_speak import DeepgramSpeak, DeepgramSpeakConfig
from telephony.realtime.speech.elevenlabs_listen import ElevenLabsListen, ElevenLabsListenConfig
from telephony.realtime.speech.elevenlabs_speak import ElevenLabsSpeak, ElevenLabsSpeakConfig
from telephony.realtime.speech.openai_audio import SpeechConfig, TranscriptionsConfig
from telephony.realtime.speech.openai_transcription import (
    OpenAITranscription,
    OpenAITranscriptionConfig,
)


def as_it_is(line: WireFormat) -> WireFormat:
    """The service takes, or gives, what lines carry."""
    return line


def deepgram_transcriber(config: DeepgramListenConfig) -> TranscriberService:
    return SocketTranscriberService(lambda audio: DeepgramListen(config, audio), as_it_is)


def elevenlabs_transcriber(config: ElevenLabsListenConfig) -> TranscriberService:
    return SocketTranscriberService(
        lambda audio: ElevenLabsListen(config, audio), elevenlabs_listen.accepted_format
    )


def openai_realtime_transcriber(config: OpenAITranscriptionConfig) -> TranscriberService:
    return SocketTranscriberService(
        lambda audio: OpenAITranscription(config, audio), openai_transcription.accepted_format
    )


def openai_http_transcriber(config: TranscriptionsConfig) -> TranscriberService:
    async def make() -> Recogniser:
        return HttpRecogniser(config)

    return TurnTranscriberService(make, TurnLimits(config.max_turn_s, config.min_level_dbfs))


def faster_whisper_transcriber(config: FasterWhisperConfig) -> TranscriberService:
    worker = LineWorker(whisper_program(config))

    async def make() -> Recogniser:
        return await WhisperRecogniser.start(worker, config.language)

    return TurnTranscriberService(make, TurnLimits(config.max_turn_s, config.min_level_dbfs))


def deepgram_synthesizer(config: DeepgramSpeakConfig) -> SynthesizerService:
    return SocketSynthesizerService(lambda audio: DeepgramSpeak(config, audio), as_it_is)


def elevenlabs_synthesizer(config: ElevenLabsSpeakConfig) -> SynthesizerService:
    return SocketSynthesizerService(
        lambda audio: ElevenLabsSpeak(config, audio), elevenlabs_speak.offered_format
    )


def openai_http_synthesizer(config: SpeechConfig) -> SynthesizerService:
    async def make() -> Voice:
        return HttpVoice(config)

    return PieceSynthesizerService(make)


def piper_synthesizer(config: PiperConfig) -> SynthesizerService:
    worker: PiperWorker | None = None

    async def make() -> Voice:
        nonlocal worker
        worker = worker or PiperWorker(config)
        return await PiperVoice.start(worker)

    return PieceSynthesizerService(make)


def espeak_synthesizer(config: EspeakConfig) -> SynthesizerService:
    programs: EspeakPrograms | None = None

    async def make() -> Voice:
        nonlocal programs
        programs = programs or EspeakPrograms(config)
        return EspeakVoice(programs)

    return PieceSynthesizerService(make)
