"""How callers sound over bad networks, and how much later: ``scripts/bench jitter``.

Recorded speech goes through :class:`RtpSession` and :class:`HeardAudio` over seeded networks, with
no socket and no clock. Each row tells the PESQ of ITU-T P.862 (narrow band, 4.5 is as sent), what
the buffer adds to the delay of the fastest packets, and what was made up, left out or stretched.
``--profiles`` takes the networks of ``scripts/bench media``, which runs in real time. Needs
``pip install -e '.[bench]'`` and Debian's ``asterisk-core-sounds-en-wav``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
from pesq import pesq

from telephony.audio import g711
from telephony.audio.codecs import FACES
from telephony.audio.format import PCMU
from telephony.audio.frame_converter import Face
from telephony.base.ids import Ids
from telephony.rehearsal.network import shipped_profile, shipped_profiles
from telephony.rehearsal.network.offline import arrivals
from telephony.rehearsal.network.path import Path as NetworkPath
from telephony.rtp.frames import Gap, Lost
from telephony.rtp.heard import HeardAudio
from telephony.rtp.packet import RtpPacket
from telephony.rtp.session import RtpSession, RtpSessionConfig
from telephony.rtp.tick_phase import TickPhase
from tests.support.bad_network import (
    NETWORKS,
    PATH_S,
    RATE_HZ,
    Network,
    Samples,
    packets_of,
    spoken,
)

SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
PEER = ("192.0.2.1", 4000)
PIECE_S = 8


@dataclass(frozen=True)
class ProfileNetwork(Network):
    """A network of ``scripts/bench media``, on the way to the echo; its drift is in its delays."""

    def arrivals(self, count: int, seed: int) -> list[tuple[float, int]]:
        path = NetworkPath(shipped_profile(self.name), f"{seed}/outbound")
        came = arrivals(path, count, ptime_ms=self.ptime_ms)
        fastest_s = min(at_s - number * self.ptime_ms / 1000 for at_s, number in came)
        return [(at_s - fastest_s + PATH_S, number) for at_s, number in came]


@dataclass
class Run:
    """What came out. ``delays_ms`` has one entry for each packet played; ``delay_s`` tells for
    its timestamp how much later than in the speech it is in ``audio``.
    """

    session: RtpSession
    heard: HeardAudio
    audio: Samples = field(default_factory=lambda: np.zeros(0))
    delays_ms: list[float] = field(default_factory=list)
    delay_s: dict[int, float] = field(default_factory=dict)


def listen(
    speech: Samples,
    network: Network,
    seed: int,
    first_tick_s: float = 0.0073,
    follow_sender: bool = True,
) -> Run:
    """Send ``speech`` over ``network``; return all that the receiver made of it.

    It ticks on a grid of 2 ms, as a leg does that speaks all the time.
    """
    packets = packets_of(speech, network.ptime_ms)
    arrivals = network.arrivals(len(packets), seed)
    session = RtpSession(RtpSessionConfig({0: "pcmu", 8: "pcma"}, 0, remote=PEER), Ids.seeded(1), 0)
    run = Run(session, HeardAudio(session, FACES, Face(PCMU, 20), 20))
    popped = _log_pops(session)
    drift = 1 + network.drift_ppm * 1e-6
    output, position, phase = [], 0, TickPhase(step_ms=2)
    shift_ms = 0
    for tick in range(int((len(speech) / RATE_HZ + 0.5) / 0.02)):
        now = first_tick_s + tick * 0.02 - shift_ms / 1000
        while position < len(arrivals) and arrivals[position][0] <= now:
            arrived_s, index = arrivals[position]
            session.receive_datagram(packets[index].serialize(), PEER, arrived_s)
            position += 1
        output.append(g711.decode(PCMU, run.heard.next_frame(now)))
        held_s = run.heard.held_ms / 1000
        for timestamp in popped:
            sent_s = timestamp / RATE_HZ
            run.delays_ms.append(1000 * (now + held_s - sent_s * drift - PATH_S))
            run.delay_s[timestamp] = tick * 0.02 + held_s - sent_s
        popped.clear()
        if session.jitter.reviewed and follow_sender:
            session.jitter.reviewed = False
            earlier_ms = phase.wanted_ms(session.jitter.surplus_ms, 20, True, now)
            phase.shifted(earlier_ms)
            shift_ms += earlier_ms
    run.audio = np.frombuffer(b"".join(output), "<i2").astype(float)
    return run


def _log_pops(session: RtpSession) -> list[int]:
    """Return a list that takes the timestamp of every packet popped from now on."""
    popped: list[int] = []
    pop = session.jitter.pop

    def logged(now: float) -> RtpPacket | Lost | Gap | None:
        item = pop(now)
        if isinstance(item, RtpPacket):
            popped.append(item.timestamp)
        return item

    session.jitter.pop = logged  # type: ignore[method-assign]
    return popped


def score(speech: Samples, run: Run) -> list[float]:
    """Return the PESQ of each piece of the speech after the first, in which the buffer settles."""
    scores = []
    size = PIECE_S * RATE_HZ
    for start in range(size, len(speech) - size + 1, size):
        after = [at for at in run.delay_s if at >= start]
        delay = round(run.delay_s[min(after)] * RATE_HZ) if after else 0
        played = run.audio[start + delay : start + delay + size]
        scores.append(pesq(RATE_HZ, int16(speech[start : start + size]), int16(played), "nb"))
    return scores


def int16(samples: Samples) -> npt.NDArray[np.int16]:
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def longest_gap_ms(speech: Samples, run: Run) -> int:
    """Return the longest time of digital silence that was played while the caller spoke."""
    longest = gap = 0
    delays = sorted(run.delay_s.items())
    position, delay = 0, 0.0
    for at in range(0, len(run.audio) - 79, 80):
        while position < len(delays) and delays[position][0] <= at - delay * RATE_HZ:
            delay = delays[position][1]
            position += 1
        sent_at = max(int(at - delay * RATE_HZ), 0)
        said = speech[sent_at : sent_at + 80]
        silent = np.abs(run.audio[at : at + 80]).max() <= 8
        spoke = len(said) == 80 and np.sqrt((said**2).mean()) > 300
        gap = gap + 10 if silent and spoke else 0
        longest = max(longest, gap)
    return longest


HEADER = (
    "network              PESQ mean  worst   delay ms mean  p95   concealed ms  silent ms  gap ms"
    "   late   lost  dropped  slower / faster ms"
)


def row(name: str, speech: Samples, runs: list[Run]) -> str:
    """Return a line about all runs of one network."""
    scores = [value for run in runs for value in score(speech, run)]
    delays = [delay for run in runs for delay in run.delays_ms[PIECE_S * 50 :]]
    heard = [run.heard.stats for run in runs]
    jitter = [run.session.jitter.stats for run in runs]
    return (
        f"{name:20s} {fmean(scores):9.3f}  {min(scores):5.2f}   {fmean(delays):13.1f} "
        f"{np.percentile(delays, 95):4.0f}   {sum(s.concealed_ms for s in heard):12.0f}  "
        f"{sum(s.gap_ms for s in heard):9.0f}  "
        f"{max(longest_gap_ms(speech, run) for run in runs):6d}  "
        f"{sum(s.late for s in jitter):5d}  {sum(s.lost for s in jitter):5d}  "
        f"{sum(s.discarded for s in jitter):7d}  "
        f"{sum(s.decelerated_ms for s in heard):6.0f} / "
        f"{sum(s.accelerated_ms for s in heard):.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=72.0, help="speech per run")
    parser.add_argument("--seeds", type=int, default=2, help="runs per network")
    parser.add_argument(
        "--profiles", action="store_true", help="the networks of scripts/bench media"
    )
    parser.add_argument("--only", default="", help="networks whose name contains this")
    parser.add_argument("--ptime-ms", type=int, default=20, help="of the sender's packets")
    arguments = parser.parse_args()
    speech = spoken(SOUNDS, arguments.seconds)
    payload = g711.encode(PCMU, int16(speech).tobytes())
    sent = np.frombuffer(g711.decode(PCMU, payload), "<i2").astype(float)
    print(HEADER)
    networks = [*map(ProfileNetwork, shipped_profiles())] if arguments.profiles else NETWORKS
    for network in networks:
        if arguments.only in network.name:
            network = replace(network, ptime_ms=arguments.ptime_ms)
            phases = [0.0073 + 0.0021 * seed for seed in range(arguments.seeds)]
            runs = [listen(speech, network, seed, at) for seed, at in enumerate(phases)]
            print(row(network.name, sent, runs), flush=True)


if __name__ == "__main__":
    main()
