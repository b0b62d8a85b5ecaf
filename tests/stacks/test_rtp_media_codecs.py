"""Media in each codec: what goes over the wire, and what the sink sees of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from telephony.audio import g711
from telephony.audio.codecs import FACES
from telephony.audio.format import L16_16K, L16_24K, PCMU, AudioFormat, Codec
from telephony.audio.opus_packet import packet_samples
from telephony.base.errors import LocalProtocolError
from telephony.dtmf.telephone_event import parse_event
from telephony.sdp.offer_answer import NegotiatedMedia
from telephony.stacks.rtp_media import RtpMedia
from telephony.stacks.wire_codec import WireCodec
from tests.stacks.test_rtp_media import Scene, negotiated, scene
from tests.stacks.test_wire_codec import heard, tone

PAYLOAD_TYPES: dict[Codec, int] = {"pcmu": 0, "pcma": 8, "g722": 9, "opus": 111}


def agreed(codec: Codec, **changes: Any) -> NegotiatedMedia:
    fields: dict[str, Any] = {
        "encoding": codec,
        "send_payload_type": PAYLOAD_TYPES[codec],
        "receive_payload_types": {number: name for name, number in PAYLOAD_TYPES.items()},
        "clock_rate_hz": 48000,
        "event_clock_rate_hz": 48000 if codec == "opus" else 8000,
        "send_parameters": "useinbandfec=1" if codec == "opus" else "",
    }
    return negotiated(**(fields | changes))


class Peer:
    """Speaks a tone in one codec."""

    def __init__(self, scene: Scene, codec: Codec) -> None:
        self.wire = WireCodec(codec, 20)
        self.wire.change(codec, "useinbandfec=1", FACES[codec])
        self._scene = scene
        self._frames = tone(FACES[codec]) * 4
        self._ticks = 960 if codec == "opus" else 160
        scene.peer.payload_type = PAYLOAD_TYPES[codec]

    def say(self, times: int, *, lose: frozenset[int] = frozenset()) -> None:
        encode = self.wire.encode or (lambda frame: frame)
        for number in range(times):
            packet = self._scene.peer.packetize(encode(self._frames.pop(0)), self._ticks)
            if number not in lose:
                self._scene.media._received(packet, ("127.0.0.1", 9), self._scene.clock.now)
            self._scene.tick()


def loudness(frames: list[bytes], face: AudioFormat) -> list[int]:
    return [
        int(np.abs(np.frombuffer(g711.decode(face, f), "<i2").astype(int)).max()) for f in frames
    ]


@pytest.mark.parametrize("codec", PAYLOAD_TYPES)
async def test_the_sink_sees_what_the_codec_was_made_for(codec: Codec) -> None:
    face = FACES[codec]
    async with scene() as s:
        s.start(agreed(codec))
        assert (s.media.codec, s.media.encoding) == (codec, face.encoding)
        assert s.media.sample_rate_hz == face.sample_rate_hz
        Peer(s, codec).say(25)
        assert {len(frame) for frame in s.sink.heard} == {face.frame_bytes(20)}
        assert min(loudness(s.sink.heard[8:], face)) > 7000
        assert s.media.stats().concealed_ms == 0


@pytest.mark.parametrize("codec", PAYLOAD_TYPES)
async def test_what_the_sink_says_is_coded(codec: Codec) -> None:
    face = FACES[codec]
    async with scene() as s:
        s.start(agreed(codec))
        for frame in tone(face):
            s.sink.says = frame
            s.tick()
        payloads = [packet.payload for packet in s.sent]
        assert {packet.payload_type for packet in s.sent} == {PAYLOAD_TYPES[codec]}
        steps = {b.timestamp - a.timestamp for a, b in zip(s.sent, s.sent[1:], strict=False)}
        assert steps == {960 if codec == "opus" else 160}
        assert np.abs(heard(codec, payloads)[-2000:]).max() == pytest.approx(9000, rel=0.1)


@pytest.mark.parametrize("codec", PAYLOAD_TYPES)
async def test_silence_is_sent_in_every_codec(codec: Codec) -> None:
    async with scene() as s:
        s.start(agreed(codec))
        s.tick(times=20)
        assert len(s.sent) == 20
        assert np.abs(heard(codec, [packet.payload for packet in s.sent])).max() < 40


@pytest.mark.parametrize("codec", ["g722", "opus"])
async def test_a_loss_is_concealed(codec: Codec) -> None:
    async with scene() as s:
        s.start(agreed(codec))
        Peer(s, codec).say(30, lose=frozenset({15}))
        assert s.media.stats().concealed_ms == 20
        assert {len(frame) for frame in s.sink.heard} == {FACES[codec].frame_bytes(20)}
        assert min(loudness(s.sink.heard[8:], FACES[codec])) > 5000


@pytest.mark.parametrize("codec", ["g722", "opus"])
async def test_a_sender_that_is_gone_is_made_up_for_a_while(codec: Codec) -> None:
    async with scene() as s:
        s.start(agreed(codec))
        Peer(s, codec).say(20)
        s.tick(times=30)
        stats = s.media.stats()
        assert stats.concealed_ms == 100
        assert s.sink.heard[-1] == bytes(FACES[codec].frame_bytes(20))


@pytest.mark.parametrize("first", PAYLOAD_TYPES)
@pytest.mark.parametrize("second", PAYLOAD_TYPES)
async def test_a_reinvite_changes_the_wire_and_not_the_face(first: Codec, second: Codec) -> None:
    face = FACES[first]
    async with scene() as s:
        s.start(agreed(first))
        Peer(s, first).say(15)
        s.media.negotiated(agreed(second))
        s.sent.clear()
        s.sink.heard.clear()
        peer = Peer(s, second)
        for frame in tone(face):
            s.sink.says = frame
            peer.say(1)
        assert (s.media.codec, s.media.encoding) == (second, face.encoding)
        assert s.media.sample_rate_hz == face.sample_rate_hz
        assert {len(frame) for frame in s.sink.heard} == {face.frame_bytes(20)}
        assert min(loudness(s.sink.heard[8:], face)) > 7000
        payloads = [packet.payload for packet in s.sent]
        assert np.abs(heard(second, payloads)[-2000:]).max() == pytest.approx(9000, rel=0.2)


@pytest.mark.parametrize("second", PAYLOAD_TYPES)
async def test_what_waits_in_the_jitter_buffer_is_still_what_it_was(second: Codec) -> None:
    """The new offer does not name the old codec any more."""
    async with scene() as s:
        s.start(agreed("opus"))
        Peer(s, "opus").say(15)
        number = PAYLOAD_TYPES[second]
        s.media.negotiated(agreed(second, receive_payload_types={number: second}))
        s.sink.heard.clear()
        Peer(s, second).say(15)
        assert {len(frame) for frame in s.sink.heard} == {960}
        assert min(loudness(s.sink.heard[:2], L16_24K)) > 7000
        assert min(loudness(s.sink.heard[8:], L16_24K)) > 7000


@pytest.mark.parametrize("first", PAYLOAD_TYPES)
@pytest.mark.parametrize("second", PAYLOAD_TYPES)
async def test_a_number_that_changes_its_meaning_is_survived(first: Codec, second: Codec) -> None:
    """RFC 3264 section 8.3.2 forbids it."""
    async with scene() as s:
        s.start(agreed(first, receive_payload_types={96: first}))
        peer = Peer(s, first)
        s.peer.payload_type = 96
        peer.say(15)
        s.media.negotiated(agreed(second, receive_payload_types={96: second}))
        peer = Peer(s, second)
        s.peer.payload_type = 96
        peer.say(25)
        assert {len(frame) for frame in s.sink.heard} == {FACES[first].frame_bytes(20)}
        assert min(loudness(s.sink.heard[-5:], FACES[first])) > 5000


async def test_a_face_adopted_after_the_negotiation_is_sent_right() -> None:
    async with scene() as s:
        s.media.negotiated(agreed("pcmu"))
        s.media.adopt_encoding("l16", 16000)
        s.media.start(s.sink)
        for frame in tone(L16_16K):
            s.sink.says = frame
            s.tick()
        payloads = [packet.payload for packet in s.sent]
        assert {len(payload) for payload in payloads} == {160}
        assert np.abs(heard("pcmu", payloads)[-2000:]).max() == pytest.approx(9000, rel=0.1)


async def test_the_peer_may_switch_without_asking() -> None:
    async with scene() as s:
        s.start(agreed("opus"))
        for codec in ("opus", "pcmu", "g722", "opus"):
            Peer(s, codec).say(12)
        assert {len(frame) for frame in s.sink.heard} == {960}
        assert min(loudness(s.sink.heard[8:], L16_24K)) > 5000


@pytest.mark.parametrize("codec", PAYLOAD_TYPES)
@pytest.mark.parametrize("face", [PCMU, L16_16K, L16_24K])
async def test_a_leg_adopts_the_face_of_another(codec: Codec, face: AudioFormat) -> None:
    async with scene() as s:
        s.media.adopt_encoding(face.encoding, face.sample_rate_hz)
        s.start(agreed(codec))
        Peer(s, codec).say(20)
        assert {len(frame) for frame in s.sink.heard} == {face.frame_bytes(20)}
        assert min(loudness(s.sink.heard[8:], face)) > 7000


async def test_only_faces_of_codecs_are_adopted() -> None:
    async with scene() as s:
        for rate_hz in (8000, 11025, 48000):
            with pytest.raises(LocalProtocolError):
                s.media.adopt_encoding("l16", rate_hz)


async def test_a_leg_begins_with_the_codec_it_likes_best() -> None:
    async with scene() as s:
        media = RtpMedia(s.media._plane, print, print, codec="g722")
        assert (media.codec, media.encoding, media.sample_rate_hz) == ("g722", "l16", 16000)
        media.close()


async def test_digits_have_the_clock_of_the_audio() -> None:
    async with scene() as s:
        s.start(agreed("opus"))
        s.media.send_digits("5")
        s.tick(times=8)
        first, second = (parse_event(packet.payload) for packet in s.sent[:2])
        assert (first.duration_samples, second.duration_samples) == (960, 1920)
        s.media.negotiated(agreed("pcmu"))
        s.tick(times=20)
        s.sent.clear()
        s.media.send_digits("5")
        s.tick()
        assert parse_event(s.sent[0].payload).duration_samples == 160


async def test_the_peer_s_wishes_reach_the_encoder() -> None:
    sizes = {}
    for parameters in ("", "maxaveragebitrate=12000"):
        async with scene() as s:
            s.start(agreed("opus", send_parameters=parameters))
            for frame in tone(L16_24K):
                s.sink.says = frame
                s.tick()
            assert {packet_samples(packet.payload) for packet in s.sent} == {960}
            sizes[parameters] = sum(len(packet.payload) for packet in s.sent)
    assert sizes["maxaveragebitrate=12000"] < 0.6 * sizes[""]
