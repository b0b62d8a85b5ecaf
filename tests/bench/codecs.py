"""What 20 ms of audio cost in each codec: ``scripts/bench codecs``.

Recorded speech, frame by frame with kept state, best of some rounds. ``to the model`` is what a
frame costs beyond its codec until it is PCM at 24 kHz (G.711 goes to the model as it is), ``from
the model`` the way back; ``voice`` is our detector. The last column is everything a call needs
while both sides speak, in percent of a core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter

from telephony.audio import g711
from telephony.audio.codecs import FACES
from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, L16_24K, AudioFormat
from telephony.audio.g722 import G722Decoder, G722Encoder
from telephony.audio.opus import OpusDecoder, OpusEncoder, OpusWishes
from telephony.audio.vad import VoiceActivityDetector
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.utterance import resampled

FRAME_MS = 20
ROUNDS = 5
PER_SECOND = 1000 // FRAME_MS


def main() -> None:
    header = ("codec", "decode", "encode", "voice", "to model", "from model", "us/frame", "% core")
    print("  ".join(f"{name:>10}" for name in header))
    speech = speech_at_24_khz()
    for codec, face in FACES.items():
        costs = costs_of(codec, face, speech)
        total_us = sum(costs)
        row = [*(f"{cost:.1f}" for cost in costs), f"{total_us:.1f}"]
        row.append(f"{total_us * PER_SECOND / 1e6 * 100:.3f}")
        print("  ".join(f"{text:>10}" for text in (codec, *row)))


def speech_at_24_khz() -> bytes:
    prompts = [resampled(prompt, L16_8K) for prompt in shipped_prompts().spoken_by("caller")]
    return converted(b"".join(prompts), L16_8K, L16_24K)


def converted(audio: bytes, source: AudioFormat, target: AudioFormat) -> bytes:
    converter = Converter(source, target)
    return converter.convert(audio) + converter.flush()


def costs_of(codec: str, face: AudioFormat, speech: bytes) -> list[float]:
    """Return microseconds a frame: decode, encode, voice, to the model, from the model."""
    pcm = AudioFormat("l16", face.sample_rate_hz)
    frames = cut(converted(speech, L16_24K, pcm), pcm)
    encode, new_decoder = coders(codec)
    payloads = [encode(frame) for frame in frames]
    vad = VoiceActivityDetector(sample_rate_hz=face.sample_rate_hz)
    costs = [best(new_decoder(), payloads), best(encode, frames), best(vad.process, frames)]
    if face.encoding != "l16":
        return [*costs, 0.0, 0.0]
    uplink, downlink = Converter(face, L16_24K), Converter(L16_24K, face)
    return [
        *costs,
        best(uplink.convert, frames),
        best(downlink.convert, cut(speech, L16_24K)),
    ]


def coders(codec: str) -> tuple[Callable[[bytes], bytes], Callable[[], Callable[[bytes], bytes]]]:
    if codec == "g722":
        return G722Encoder().encode, lambda: G722Decoder().decode
    if codec == "opus":
        return OpusEncoder(OpusWishes(fec=True)).encode, lambda: OpusDecoder().decode
    face = FACES[codec]
    # What our detector needs; to the model goes the payload itself.
    return lambda frame: g711.encode(face, frame), lambda: lambda p: g711.decode(face, p)


def cut(audio: bytes, fmt: AudioFormat) -> list[bytes]:
    size = fmt.frame_bytes(FRAME_MS)
    return [audio[at : at + size] for at in range(0, len(audio) - size, size)]


def best(work: Callable[[bytes], object], frames: Iterable[bytes]) -> float:
    """Return microseconds a frame."""
    todo = list(frames)
    rounds = []
    for _ in range(ROUNDS):
        began = perf_counter()
        for frame in todo:
            work(frame)
        rounds.append((perf_counter() - began) / len(todo) * 1e6)
    return min(rounds)


if __name__ == "__main__":
    main()
