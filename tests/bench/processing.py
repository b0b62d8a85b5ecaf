"""What echo gate and audio processing cost a call: ``scripts/bench processing``.

Bot and caller speak by turns and over each other, with an echo of -20 dB and 120 ms. Every row
goes over the same frames; the time of a frame is what the process used of a core, in the best of
several runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import cycle

import numpy as np

from telephony.audio.echo_gate import EchoGate
from telephony.audio.format import PCMU
from telephony.audio.g711 import decode, l16_to_pcmu, pcmu_to_l16
from telephony.audio.processing import AudioProcessor, ProcessingConfig, is_installed
from telephony.audio.vad import VoiceActivityDetector
from telephony.rehearsal.prompt_library import shipped_prompts

PTIME_MS = 20
FRAME = 160
DELAY_FRAMES = 6
SILENCE = PCMU.silence(FRAME)

Frames = list[tuple[bytes, bytes]]
"""What is heard, and what is sent right after it; silence of ours is empty."""
Run = Callable[[Frames], None]


def speech(*names: str) -> list[bytes]:
    audio = b"".join(l16_to_pcmu(shipped_prompts()[name].pcm16) for name in names)
    return [audio[at : at + FRAME] for at in range(0, len(audio) - FRAME + 1, FRAME)]


def line(seconds: float, *, bot: bool, caller: bool, echo: bool) -> Frames:
    """Return a call in frames; the bot speaks 6 of 10 s, the caller 3 of 7."""
    count = int(seconds * 1000 / PTIME_MS)
    bot_voice = cycle(speech("opening_hours", "weekend_hours"))
    caller_voice = cycle(speech("caller_question", "caller_weekend"))
    noise = np.random.default_rng(1)
    said: list[bytes] = []
    frames: Frames = []
    for index in range(count):
        heard = noise.normal(0, 25, FRAME)
        if echo and index >= DELAY_FRAMES and said[index - DELAY_FRAMES]:
            heard += np.frombuffer(pcmu_to_l16(said[index - DELAY_FRAMES]), "<i2") * 0.1
        if caller and index % 350 < 150:
            heard += np.frombuffer(pcmu_to_l16(next(caller_voice)), "<i2")
        pcm16 = np.clip(np.rint(heard), -32768, 32767).astype("<i2").tobytes()
        said.append(next(bot_voice) if bot and index % 500 < 300 else b"")
        frames.append((l16_to_pcmu(pcm16), said[-1]))
    return frames


def detector_alone() -> Run:
    vad = VoiceActivityDetector()

    def run(frames: Frames) -> None:
        for heard, _ in frames:
            vad.process(decode(PCMU, heard))

    return run


def gated() -> Run:
    gate = EchoGate(VoiceActivityDetector(), PCMU, PTIME_MS)

    def run(frames: Frames) -> None:
        for heard, sent in frames:
            gate.process(decode(PCMU, heard))
            if sent:
                gate.sent(sent)

    return run


def processed(config: ProcessingConfig) -> Callable[[], Run]:
    def make() -> Run:
        processor = AudioProcessor(config, PCMU, PTIME_MS)

        def run(frames: Frames) -> None:
            for heard, sent in frames:
                processor.process(heard)
                if sent:
                    processor.sent(sent)

        return run

    return make


def best_us(make: Callable[[], Run], frames: Frames, runs: int) -> float:
    """Return the CPU time of one frame in the best of several runs."""
    times = []
    for _ in range(runs):
        run = make()
        started_at = time.process_time()
        run(frames)
        times.append(time.process_time() - started_at)
    return min(times) / len(frames) * 1e6


def show(name: str, frame_us: float, over: float = 0.0) -> None:
    added_us = frame_us - over
    print(f"{name:<52} {frame_us:8.2f} {added_us:8.2f} {added_us / PTIME_MS / 10:10.3f}")


def bench(arguments: argparse.Namespace) -> None:
    seconds, runs = arguments.seconds, arguments.runs
    lines = {
        "nobody speaks": line(seconds, bot=False, caller=False, echo=False),
        "bot and caller, no echo": line(seconds, bot=True, caller=True, echo=False),
        "bot alone, with echo": line(seconds, bot=True, caller=False, echo=True),
        "bot and caller, with echo": line(seconds, bot=True, caller=True, echo=True),
    }
    print(f"{'':<52} {'us':>8} {'added':>8} {'% of a core':>11}")
    for name, frames in lines.items():
        alone = best_us(detector_alone, frames, runs)
        show(f"detector: {name}", alone, alone)
        show(f"  with the echo gate: {name}", best_us(gated, frames, runs), alone)
    if not is_installed():
        print("audio processing: install the extra apm")
        return
    options = {
        "echo_cancellation": ProcessingConfig(echo_cancellation=True),
        "noise_suppression: low": ProcessingConfig(noise_suppression="low"),
        "noise_suppression: moderate": ProcessingConfig(noise_suppression="moderate"),
        "noise_suppression: high": ProcessingConfig(noise_suppression="high"),
        "gain_control": ProcessingConfig(gain_control=True),
        "all of them": ProcessingConfig(True, "high", True),
    }
    frames = lines["bot and caller, with echo"]
    for name, config in options.items():
        show(name, best_us(processed(config), frames, runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of audio per run")
    parser.add_argument("--runs", type=int, default=5)
    bench(parser.parse_args())


if __name__ == "__main__":
    main()
