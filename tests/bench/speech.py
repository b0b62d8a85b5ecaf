"""Speech services of a cascade: what they take beside the network, and how well the offline ones
hear: ``scripts/bench speech``.

The hosted ones speak to the rehearsal's far ends on this machine, so that what is measured is our
adapter and the loopback. The offline ones are the real programs, where they are installed:
``--whisper-model DIR`` (with ``--python`` of an environment that has faster-whisper) and
``--piper-voice FILE`` (with ``--piper`` where it is not on the path). Words are counted against the
texts of the recorded prompts, heard at 8 kHz in mu-law.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

from telephony.audio.convert import Converter
from telephony.audio.format import PCMU, AudioFormat
from telephony.base.speech import (
    SpeechFailure,
    SpeechMark,
    SynthesizerService,
    Transcriber,
    TranscriberService,
    Transcript,
    WireFormat,
)
from telephony.net.speech import services
from telephony.net.speech.espeak_voice import EspeakConfig
from telephony.net.speech.piper_voice import PiperConfig
from telephony.net.speech.whisper_recogniser import FasterWhisperConfig, lacks
from telephony.realtime.speech.deepgram_listen import DeepgramListenConfig
from telephony.realtime.speech.deepgram_speak import DeepgramSpeakConfig
from telephony.realtime.speech.elevenlabs_listen import ElevenLabsListenConfig
from telephony.realtime.speech.elevenlabs_speak import ElevenLabsSpeakConfig
from telephony.realtime.speech.openai_audio import SpeechConfig, TranscriptionsConfig
from telephony.realtime.speech.openai_transcription import OpenAITranscriptionConfig
from telephony.rehearsal.prompt_library import Prompt, shipped_prompts, words
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech

LINE: WireFormat = ("pcmu", 8000)
ROUNDS = 5
APPEND_MS = 60
QUIET_MS = 400


class Listener:
    """Keeps what the last turn, or the last utterance, came to."""

    def __init__(self) -> None:
        self.text = ""
        self.audio = b""
        self.first_at: float | None = None
        self.done = asyncio.Event()
        self.failure: SpeechFailure | None = None

    def transcript_received(self, transcript: Transcript) -> None:
        if self.first_at is None:
            self.first_at = perf_counter()
        if transcript.is_final and transcript.text:
            self.text = transcript.text

    def turn_flushed(self) -> None:
        self.done.set()

    def transcriber_failed(self, failure: SpeechFailure) -> None:
        self.failure = failure
        self.done.set()

    def audio_received(self, utterance_id: str, audio: bytes) -> None:
        if self.first_at is None:
            self.first_at = perf_counter()
        self.audio += audio

    def speech_aligned(self, utterance_id: str, marks: tuple[SpeechMark, ...]) -> None:
        pass

    def utterance_finished(self, utterance_id: str) -> None:
        self.done.set()

    def synthesizer_failed(self, failure: SpeechFailure, utterance_id: str) -> None:
        self.failure = failure
        self.done.set()

    def begin(self) -> float:
        self.text, self.audio, self.first_at, self.failure = "", b"", None, None
        self.done.clear()
        return perf_counter()


Transcribers = dict[str, TranscriberService]
Synthesizers = dict[str, SynthesizerService]


def hosted(server: SpeechServer) -> tuple[Transcribers, Synthesizers]:
    url = server.url.replace("http", "ws")
    at_url = {"base_url": url}
    openai = {"base_url": server.openai_url}
    deepgram = DeepgramListenConfig.model_validate(at_url)
    elevenlabs = ElevenLabsListenConfig.model_validate(at_url)
    realtime = OpenAITranscriptionConfig.model_validate({"base_url": f"{url}/v1"})
    transcribers = {
        "deepgram": services.deepgram_transcriber(deepgram),
        "elevenlabs": services.elevenlabs_transcriber(elevenlabs),
        "openai_realtime": services.openai_realtime_transcriber(realtime),
        "openai_http": services.openai_http_transcriber(
            TranscriptionsConfig.model_validate(openai)
        ),
    }
    voice = {**at_url, "voice": "v"}
    synthesizers = {
        "deepgram": services.deepgram_synthesizer(DeepgramSpeakConfig.model_validate(at_url)),
        "elevenlabs": services.elevenlabs_synthesizer(ElevenLabsSpeakConfig.model_validate(voice)),
        "openai_http": services.openai_http_synthesizer(
            SpeechConfig.model_validate({**openai, "model": "local"})
        ),
    }
    return transcribers, synthesizers


def on_the_line(prompt: Prompt) -> bytes:
    converter = Converter(AudioFormat("l16", prompt.sample_rate_hz), PCMU)
    return converter.convert(prompt.pcm16) + converter.flush()


def send(transcriber: Transcriber, audio: bytes) -> None:
    size = PCMU.frame_bytes(APPEND_MS)
    quiet = PCMU.silence(PCMU.frame_bytes(QUIET_MS))
    for chunk in (audio[at : at + size] for at in range(0, len(audio), size)):
        transcriber.send_audio(chunk)
    transcriber.send_audio(quiet)


async def hear(transcriber: Transcriber, listener: Listener, audio: bytes) -> tuple[float, float]:
    """Return the seconds from the end of the turn to the first word and to the last."""
    send(transcriber, audio)
    # What was sent is heard by the time the turn ends, as in a call.
    await asyncio.sleep(0.1)
    begun = listener.begin()
    transcriber.finish_turn()
    await listener.done.wait()
    ended = perf_counter()
    return (listener.first_at or ended) - begun, ended - begun


async def transcriber_row(name: str, service: TranscriberService) -> None:
    listener = Listener()
    prompts = shipped_prompts().spoken_by("caller")
    transcriber = await service.open(service.accepted_format(LINE), listener)
    firsts, lasts, wrong = [], [], 0
    for _ in range(ROUNDS):
        for prompt in prompts:
            first, last = await hear(transcriber, listener, on_the_line(prompt))
            firsts.append(first)
            lasts.append(last)
            wrong += listener.text != prompt.text
    await transcriber.close()
    row(name, firsts, lasts, f"{wrong} of {len(lasts)} turns not understood")


async def synthesizer_row(name: str, service: SynthesizerService, note: str = "") -> None:
    listener = Listener()
    form = service.offered_format(LINE)
    voice = await service.open(form, listener)
    firsts, lasts, seconds = [], [], 0.0
    for number in range(ROUNDS + 1):
        for at, prompt in enumerate(shipped_prompts().spoken_by("model")):
            begun = listener.begin()
            voice.speak(f"{number}-{at}", prompt.text, more_follows=False)
            await listener.done.wait()
            if listener.failure is not None:
                raise SystemExit(f"{name}: {listener.failure.message}")
            if number:
                # The first round is for programs and models to be loaded.
                lasts.append(perf_counter() - begun)
                firsts.append((listener.first_at or begun) - begun)
                seconds += AudioFormat(*form).duration_ms(len(listener.audio)) / 1000
    await voice.close()
    row(name, firsts, lasts, note or f"{sum(lasts) / seconds:.3f} s for a second of speech")


def row(name: str, firsts: list[float], lasts: list[float], note: str) -> None:
    first, last = statistics.median(firsts) * 1000, statistics.median(lasts) * 1000
    worst = max(lasts) * 1000
    print(f"{name:>18}  {first:>9.1f}  {last:>9.1f}  {worst:>9.1f}  {note}")


def header(title: str, first: str, last: str) -> None:
    print(f"\n{title}")
    print(f"{'':>18}  {first:>9}  {last:>9}  {'worst':>9}  (median ms, {ROUNDS} rounds)")


_NUMBERS = {"2": "two", "6": "six", "9": "nine"}


def spelt(text: str) -> list[str]:
    """Return the words, with figures as words: both are right."""
    return [_NUMBERS.get(word, word) for word in words(text).split()]


def word_errors(said: str, heard: str) -> int:
    """Return how many words were left out, put in or changed."""
    a, b = spelt(said), spelt(heard)
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1]


async def whisper_table(config: FasterWhisperConfig, voices: dict[str, SynthesizerService]) -> None:
    listener = Listener()
    begun = perf_counter()
    transcriber = await services.faster_whisper_transcriber(config).open(LINE, listener)
    took_s = perf_counter() - begun
    how = f"{config.compute_type}, {config.threads} threads, beam {config.beam_size}"
    print(f"\nfaster-whisper, {how}: loaded in {took_s:.2f} s")
    print(f"{'speech of':>18}  {'median s':>9}  {'worst s':>9}  {'words':>6}  {'wrong':>6}")
    prompts = shipped_prompts()
    recorded = [*prompts.spoken_by("caller"), *prompts.spoken_by("model")]
    heard = await errors(transcriber, listener, ((p.text, on_the_line(p)) for p in recorded))
    print_errors("recorded prompts", heard)
    for name, service in voices.items():
        spoken = [(p.text, await said_by(service, p.text)) for p in recorded]
        print_errors(name, await errors(transcriber, listener, spoken))
    await transcriber.close()


async def errors(
    transcriber: Transcriber, listener: Listener, turns: Iterable[tuple[str, bytes]]
) -> list[tuple[float, int, int]]:
    """Return the seconds, the words and the wrong words of each turn."""
    results = []
    for text, audio in turns:
        _, last = await hear(transcriber, listener, audio)
        wrong = word_errors(text, listener.text)
        if wrong:
            print(f"{'':>20}{text!r} heard as {listener.text!r}")
        results.append((last, len(words(text).split()), wrong))
    return results


def print_errors(name: str, results: list[tuple[float, int, int]]) -> None:
    seconds = [result[0] for result in results]
    total, wrong = sum(r[1] for r in results), sum(r[2] for r in results)
    median, worst = statistics.median(seconds), max(seconds)
    print(f"{name:>18}  {median:>9.2f}  {worst:>9.2f}  {total:>6}  {wrong:>6}")


async def said_by(service: SynthesizerService, text: str) -> bytes:
    listener = Listener()
    voice = await service.open(LINE, listener)
    voice.speak("u", text, more_follows=False)
    await listener.done.wait()
    await voice.close()
    return listener.audio


async def measure(args: argparse.Namespace) -> None:
    async with serve_speech() as server:
        transcribers, synthesizers = hosted(server)
        header("speech to text, far ends on loopback", "first", "last")
        for name, transcriber in transcribers.items():
            await transcriber_row(name, transcriber)
        header("text to speech, far ends on loopback", "first", "all")
        for name, synthesizer in synthesizers.items():
            await synthesizer_row(name, synthesizer)
    voices: dict[str, SynthesizerService] = {}
    if shutil.which("espeak-ng"):
        voices["espeak-ng"] = services.espeak_synthesizer(EspeakConfig.model_validate({}))
    if args.piper_voice is not None:
        values = {"voice": str(args.piper_voice), "program": args.piper}
        voices["piper"] = services.piper_synthesizer(PiperConfig.model_validate(values))
    header("text to speech, offline", "first", "all")
    for name, synthesizer in voices.items():
        await synthesizer_row(name, synthesizer)
    for missing in {"espeak-ng", "piper"} - set(voices):
        print(f"{missing:>18}  is not installed, or has no --piper-voice")
    if args.whisper_model is None:
        print("\nfaster-whisper: needs --whisper-model DIR")
        return
    values = {"model": str(args.whisper_model), "python": args.python, "language": "en"}
    config = FasterWhisperConfig.model_validate(values)
    if lack := lacks(config):
        print(f"\nfaster-whisper: {': '.join(lack)}")
        return
    await whisper_table(config, voices)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench speech", description=__doc__)
    parser.add_argument("--whisper-model", type=Path, metavar="DIR")
    parser.add_argument("--python", metavar="FILE", help="that has faster-whisper, if not this one")
    parser.add_argument("--piper", default="piper", metavar="PROGRAM")
    parser.add_argument("--piper-voice", type=Path, metavar="FILE", help="ends in .onnx")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
