"""What is heard of a call has as many samples as it lasted, and each of them is explained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio import g711
from telephony.audio.codecs import FACES
from telephony.audio.format import PCMU
from telephony.audio.frame_converter import Face
from telephony.base.ids import Ids
from telephony.rtp.heard import HeardAudio
from telephony.rtp.packet import RtpPacket
from telephony.rtp.session import RtpSession, RtpSessionConfig

PEER = ("192.0.2.1", 4000)
FIRST_SEQUENCE = 65_000
FIRST_TIMESTAMP = 2**32 - 80_000
TIME_S = np.arange(8000) / 8000
VOWEL = g711.l16_to_pcmu(
    np.rint(4000 * sum(np.sin(2 * np.pi * 125 * k * TIME_S + k) / k for k in range(1, 25)))
    .astype("<i2")
    .tobytes()
)
SPOKEN = [VOWEL[at : at + 160] for at in range(0, 8000, 160)]
PAUSE = b"\xff" * 160


def open_session() -> tuple[RtpSession, HeardAudio]:
    config = RtpSessionConfig({0: "pcmu", 8: "pcma"}, 0, 101, remote=PEER)
    session = RtpSession(config, Ids.seeded(1), 0.0)
    return session, HeardAudio(session, FACES, Face(PCMU, 20), 20)


def datagram(index: int, payload: bytes) -> bytes:
    """The ``index``-th packet of a stream whose sequence number and timestamp soon wrap."""
    return RtpPacket(
        0,
        False,
        (FIRST_SEQUENCE + index) & 0xFFFF,
        (FIRST_TIMESTAMP + index * 160) & 0xFFFF_FFFF,
        7,
        payload,
    ).serialize()


def explained_samples(session: RtpSession, heard: HeardAudio) -> float:
    """What must have been heard, by the counters."""
    jitter, stats = session.jitter.stats, heard.stats
    unheard = jitter.late + jitter.duplicate + jitter.discarded + session.jitter.packets_held
    frames = jitter.received - unheard
    stretched = 8 * stats.decelerated_ms - 8 * stats.accelerated_ms
    made_up = 8 * stats.concealed_ms + 8 * stats.gap_ms
    return frames * 160 + made_up + stretched - 8 * heard.held_ms


@pytest.mark.parametrize("drift_ppm", [200, -200])
@pytest.mark.parametrize("pauses", [True, False])
def test_an_hour_of_drift_loses_and_invents_nothing(drift_ppm: int, pauses: bool) -> None:
    """The sender's clock loses or gains 5760 samples in the hour; so many are put in or out."""
    session, heard = open_session()
    interval_s = 0.02 * (1 + drift_ppm * 1e-6)
    index = heard_samples = 0
    for tick in range(180_000):
        now = tick * 0.02 + 0.005
        while index * interval_s <= now:
            spoken = not pauses or index % 200 < 170
            payload = SPOKEN[index % 50] if spoken else PAUSE
            session.receive_datagram(datagram(index, payload), PEER, index * interval_s)
            index += 1
        heard_samples += len(heard.next_frame(now))
        assert session.jitter.delay_ms < 90
    stats, jitter = heard.stats, session.jitter.stats
    assert heard_samples == 180_000 * 160 == explained_samples(session, heard)
    assert session.lost == jitter.lost == jitter.late == jitter.duplicate == jitter.resyncs == 0
    put_in = 8 * stats.decelerated_ms + 8 * stats.concealed_ms + 8 * stats.gap_ms
    taken_out = 8 * stats.accelerated_ms + 160 * jitter.discarded
    assert put_in - taken_out == pytest.approx(28.8 * drift_ppm, abs=800)
    assert max(put_in, taken_out) <= 5760 + 1600
    if not pauses:
        assert 8 * stats.concealed_ms == jitter.discarded == 0


ARRIVAL = st.tuples(
    st.integers(0, 80), st.floats(0, 0.6), st.sampled_from([SPOKEN[3], SPOKEN[4], PAUSE])
)


@given(st.lists(ARRIVAL, max_size=120))
@settings(max_examples=100, deadline=None)
def test_every_sample_is_explained_whatever_the_network_does(
    arrivals: list[tuple[int, float, bytes]],
) -> None:
    session, heard = open_session()
    queue = sorted(
        (index * 0.02 + late_s, datagram(index, payload)) for index, late_s, payload in arrivals
    )
    heard_samples = 0
    for tick in range(150):
        now = tick * 0.02 + 0.005
        while queue and queue[0][0] <= now:
            session.receive_datagram(queue[0][1], PEER, queue.pop(0)[0])
        frame = heard.next_frame(now)
        assert len(frame) == 160
        heard_samples += 160
    assert heard_samples == explained_samples(session, heard)
