from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from telephony.audio import g711, tones
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.base.interfaces import DigitsSent
from telephony.dtmf.event_packets import event_packets
from telephony.dtmf.inband import InbandDetector
from telephony.rtp.frames import JitterConfig
from telephony.rtp.packet import parse_packet
from telephony.rtp.packetizer import Packetizer
from telephony.sdp.offer_answer import NegotiatedMedia
from telephony.stacks.media_config import DigitTiming
from telephony.stacks.rtp_media import MAX_CATCH_UP_FRAMES, MediaConfig, MediaPlane, RtpMedia
from tests.support.fake_call import FakeClock
from tests.support.ports import port_pool

PEER = ("127.0.0.1", 9)
VOICE = bytes([0x10, 0x90]) * 80
SILENCE = b"\xff" * 160


class FakeSlot:
    def __init__(self, callback: Any) -> None:
        self.callback = callback
        self.skipped = 0


class FakePacer:
    """Ticks when the test says so; of shifts it does 2 ms less than wanted."""

    sub_tick_ms = 2

    def __init__(self) -> None:
        self.slots: list[FakeSlot] = []
        self.wanted_ms: list[int] = []

    def add(self, callback: Any, ptime_ms: int) -> FakeSlot:
        slot = FakeSlot(callback)
        self.slots.append(slot)
        return slot

    def remove(self, slot: FakeSlot) -> None:
        self.slots.remove(slot)

    def shift(self, slot: FakeSlot, earlier_ms: int) -> int:
        self.wanted_ms.append(earlier_ms)
        return earlier_ms - 2 if earlier_ms > 0 else earlier_ms + 2


class Sink:
    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.asked = 0
        self.says: bytes | None = None
        self.error: Exception | None = None

    def hear(self, frame: bytes, now: float) -> None:
        if self.error is not None:
            raise self.error
        self.heard.append(frame)

    def speak(self, now: float) -> bytes | None:
        self.asked += 1
        return self.says


def negotiated(**changes: Any) -> NegotiatedMedia:
    fields: dict[str, Any] = {
        "remote": PEER,
        "send_payload_type": 0,
        "encoding": "pcmu",
        "receive_payload_types": {0: "pcmu", 8: "pcma"},
        "telephone_event_payload_type": 101,
        "ptime_ms": 20,
        "direction": "sendrecv",
        "hold": False,
    }
    return NegotiatedMedia(**(fields | changes))


HOLD = negotiated(direction="recvonly", hold=True)


class Scene:
    def __init__(self, plane: MediaPlane, clock: FakeClock, pacer: FakePacer) -> None:
        self.clock = clock
        self.pacer = pacer
        self.digits = ""
        self.errors: list[Exception] = []
        self.sink = Sink()
        self.sent: list[Any] = []
        self.media = RtpMedia(plane, self._digit, self.errors.append)
        self.peer = Packetizer(0, 7, 100, 1000)
        self._endpoint: Any = self.media._endpoint
        self._endpoint.send = lambda data, address: self.sent.append(parse_packet(data))

    def _digit(self, digit: str) -> None:
        self.digits += digit

    def start(self, media: NegotiatedMedia | None = None) -> None:
        self.media.negotiated(media or negotiated())
        self.media.start(self.sink)

    def receive(self, data: bytes) -> None:
        self.media._received(data, PEER, self.clock.now)

    def tick(self, payload: bytes | None = None, times: int = 1) -> None:
        for _ in range(times):
            self.clock.now += 0.02
            if payload is not None:
                self.receive(self.peer.packetize(payload, 160))
            for slot in list(self.pacer.slots):
                slot.callback(self.clock.now)


@asynccontextmanager
async def scene(**config: Any) -> AsyncIterator[Scene]:
    clock, pacer, ids = FakeClock(), FakePacer(), Ids.seeded(1)
    ports = port_pool(50, ids)
    plane = MediaPlane(
        MediaConfig("127.0.0.1", "127.0.0.1", **config),
        asyncio.get_running_loop(),
        ports,
        pacer,  # type: ignore[arg-type]
        clock,
        ids,
    )
    made = Scene(plane, clock, pacer)
    yield made
    made.media.close()
    made.media.close()
    assert ports.in_use == 0
    assert pacer.slots == []


async def test_frames_go_through_untouched() -> None:
    async with scene() as s:
        s.start()
        s.sink.says = VOICE
        s.tick(VOICE, 20)
        assert s.sink.heard[-5:] == [VOICE] * 5
        assert [packet.payload for packet in s.sent] == [VOICE] * 20
        assert [packet.marker for packet in s.sent] == [True] + [False] * 19
        assert s.media.stats().packets_received == 20


async def test_a_peer_that_takes_short_packets_gets_a_frame_in_several() -> None:
    frame = bytes(range(160))
    async with scene() as s:
        s.start(negotiated(max_ptime_ms=12.0))
        s.sink.says = frame
        s.tick(times=2)
        assert [packet.payload for packet in s.sent] == [frame[:80], frame[80:]] * 2
        assert [packet.marker for packet in s.sent] == [True, False, False, False]
        stamps = [packet.timestamp for packet in s.sent]
        assert [(b - a) % 2**32 for a, b in pairwise(stamps)] == [80] * 3
        numbers = [packet.sequence_number for packet in s.sent]
        assert [(b - a) % 2**16 for a, b in pairwise(numbers)] == [1] * 3


async def test_silence_is_sent_and_the_next_talkspurt_marked() -> None:
    async with scene() as s:
        s.start()
        s.tick()
        s.sink.says = VOICE
        s.tick()
        s.sink.says = None
        s.tick()
        s.sink.says = VOICE
        s.tick()
        assert [packet.payload for packet in s.sent] == [SILENCE, VOICE, SILENCE, VOICE]
        assert [packet.marker for packet in s.sent][1:] == [True, False, True]
        stamps = [packet.timestamp for packet in s.sent]
        assert [(b - a) % 2**32 for a, b in pairwise(stamps)] == [160] * 3


async def test_silence_may_be_left_out() -> None:
    async with scene(send_silence=False) as s:
        s.start()
        s.sink.says = VOICE
        s.tick()
        s.sink.says = None
        s.tick(times=3)
        s.sink.says = VOICE
        s.tick()
        first, second = s.sent
        assert (second.timestamp - first.timestamp) % 2**32 == 4 * 160
        assert (second.sequence_number - first.sequence_number) % 2**16 == 1


async def test_a_caller_who_has_not_spoken_yet_is_silence() -> None:
    async with scene() as s:
        s.start()
        s.tick(times=3)
        assert s.sink.heard == [SILENCE] * 3
        assert s.media.stats().concealed_ms == 0


async def test_ticks_move_to_where_the_packets_come() -> None:
    async with scene() as s:
        s.start()
        s.sink.says = VOICE
        for _ in range(200):
            s.clock.now += 0.005
            s.receive(s.peer.packetize(VOICE, 160))
            s.clock.now -= 0.005
            s.tick()
        wanted_ms = s.pacer.wanted_ms
        assert wanted_ms
        assert min(wanted_ms) > 0
        assert s.media.stats().ticks_shifted_ms == sum(wanted - 2 for wanted in wanted_ms)


@pytest.mark.parametrize("why", ["off", "held"])
async def test_ticks_stay_where_nobody_is_to_be_followed(why: str) -> None:
    jitter = JitterConfig(follow_sender=why != "off")
    async with scene(jitter=jitter) as s:
        s.start(HOLD if why == "held" else None)
        for _ in range(100):
            s.clock.now += 0.005
            s.receive(s.peer.packetize(VOICE, 160))
            s.clock.now -= 0.005
            s.tick()
        assert s.media.stats().packets_received == 100
        assert s.pacer.wanted_ms == []


async def test_what_is_lost_is_concealed_for_a_while() -> None:
    async with scene() as s:
        s.start()
        s.tick(VOICE, 30)
        s.sink.heard.clear()
        s.tick(times=30)
        assert len(s.sink.heard) == 30
        assert s.sink.heard[-1] == SILENCE
        assert s.media.stats().concealed_ms == 100


async def test_a_peer_may_change_its_codec_without_asking() -> None:
    async with scene() as s:
        s.start()
        s.tick(VOICE, 10)
        s.peer.payload_type = 8
        s.tick(g711.pcmu_to_pcma(VOICE), 10)
        assert s.sink.heard[-1] == g711.pcma_to_pcmu(g711.pcmu_to_pcma(VOICE))


async def test_a_reinvite_may_change_the_codec_and_the_sink_does_not_notice() -> None:
    async with scene() as s:
        s.start()
        s.sink.says = VOICE
        s.media.negotiated(negotiated(send_payload_type=8, encoding="pcma"))
        s.tick()
        assert s.media.encoding == "pcmu"
        assert s.sent[0].payload_type == 8
        assert s.sent[0].payload == g711.pcmu_to_pcma(VOICE)


async def test_an_encoding_shown_before_the_negotiation_is_kept() -> None:
    async with scene() as s:
        s.media.keep_encoding()
        s.start(negotiated(send_payload_type=8, encoding="pcma"))
        s.sink.says = SILENCE
        s.tick()
        assert s.media.encoding == "pcmu"
        assert s.sent[0].payload == g711.pcmu_to_pcma(SILENCE)
    async with scene() as s:
        s.start(negotiated(send_payload_type=8, encoding="pcma"))
        assert s.media.encoding == "pcma"


async def test_a_held_caller_hears_nothing_and_misses_nothing() -> None:
    async with scene() as s:
        s.start()
        s.tick(VOICE, 10)
        asked = s.sink.asked
        s.media.negotiated(HOLD)
        s.tick(VOICE, 10)
        assert s.media.caller_away
        assert s.sink.asked == asked
        assert len(s.sent) == 10
        # The music of the one who holds is not the caller.
        assert s.sink.heard[-10:] == [SILENCE] * 10
        s.media.negotiated(negotiated())
        s.sink.says = VOICE
        s.tick(VOICE)
        assert not s.media.caller_away
        assert s.sent[-1].marker
        assert (s.sent[-1].timestamp - s.sent[-2].timestamp) % 2**32 == 11 * 160


async def test_a_call_that_begins_on_hold_waits() -> None:
    async with scene() as s:
        s.start(negotiated(remote=None, direction="sendrecv", hold=True))
        s.tick(times=3)
        assert s.sent == []
        assert s.sink.asked == 0
        s.media.negotiated(negotiated())
        s.tick()
        assert len(s.sent) == 1


async def test_one_who_only_listens_is_spoken_to() -> None:
    async with scene() as s:
        s.start(negotiated(direction="sendonly"))
        s.sink.says = VOICE
        s.tick()
        assert s.media.caller_away
        assert s.sent[0].payload == VOICE


async def test_after_a_stall_the_callers_time_is_made_up_for_and_ours_skipped() -> None:
    async with scene() as s:
        s.start()
        s.tick(VOICE, 10)
        s.pacer.slots[0].skipped = 5
        s.sink.heard.clear()
        s.tick(VOICE)
        assert len(s.sink.heard) == 6
        assert (s.sent[-1].timestamp - s.sent[-2].timestamp) % 2**32 == 6 * 160
        s.pacer.slots[0].skipped = 100_000
        s.sink.heard.clear()
        s.tick(VOICE)
        assert len(s.sink.heard) == MAX_CATCH_UP_FRAMES + 1


async def test_what_lies_in_the_socket_when_its_frame_is_due_is_heard() -> None:
    """The loop was late, and timers run before sockets are read."""
    async with scene(jitter=JitterConfig(min_ms=0, start_ms=0)) as s:
        s.start()
        s.tick(VOICE, 3)
        read: list[int] = []

        def read_pending(limit: int) -> None:
            read.append(limit)
            s.receive(s.peer.packetize(VOICE, 160))

        s._endpoint.read_pending = read_pending
        s.sink.heard.clear()
        s.tick()
        assert read == [MAX_CATCH_UP_FRAMES]
        assert s.sink.heard == [VOICE]
        s.tick(VOICE)
        assert len(read) == 1


async def test_digits_come_in_once() -> None:
    async with scene() as s:
        s.start()
        for sent in event_packets("7", 160):
            packet = s.peer.packetize_event(sent.payload, 101, 5000, sent.start)
            s.receive(packet)
            s.receive(packet)
        assert s.digits == "7"


async def test_digits_go_out_instead_of_audio() -> None:
    async with scene() as s:
        s.start()
        s.sink.says = VOICE
        s.media.send_digits("1")
        s.tick(times=20)
        kinds = [packet.payload_type for packet in s.sent]
        assert kinds == [101] * 11 + [0] * 9
        assert len({packet.timestamp for packet in s.sent if packet.payload_type == 101}) == 1
        # The pause, and then what there was to say.
        assert [packet.payload for packet in s.sent[11:14]] == [SILENCE, SILENCE, VOICE]
        # The clock went on meanwhile; what was said waited.
        assert (s.sent[-1].timestamp - s.sent[11].timestamp) % 2**32 == 8 * 160
        assert s.sink.asked == 7
        assert len(s.sink.heard) == 20


async def test_digits_need_a_peer_that_takes_them() -> None:
    async with scene(dtmf="rfc4733") as s:
        with pytest.raises(LocalProtocolError):
            s.media.send_digits("1")
        s.start(negotiated(telephone_event_payload_type=None))
        with pytest.raises(LocalProtocolError):
            s.media.send_digits("1")
        s.media.close()
        with pytest.raises(LocalProtocolError):
            s.media.send_digits("1")


async def test_without_another_way_digits_are_tones() -> None:
    async with scene() as s:
        s.start(negotiated(telephone_event_payload_type=None, encoding="pcma", send_payload_type=8))
        s.sink.says = VOICE
        sent: list[DigitsSent] = []
        s.media.send_digits("1,5", sent.append)
        s.tick(times=60)
        assert sent == [DigitsSent("1,5", "inband")]
        detector = InbandDetector()
        heard = [detector.hear(g711.pcma_to_l16(packet.payload)) for packet in s.sent]
        assert [key for key in heard if key] == ["1", "5"]
        assert s.sent[-1].payload == VOICE
        assert {packet.payload_type for packet in s.sent} == {8}


async def test_tones_of_a_caller_are_digits_and_not_heard() -> None:
    async with scene() as s:
        s.start(negotiated(telephone_event_payload_type=None))
        tone = g711.l16_to_pcmu(tones.dtmf("9", 200))
        s.tick(VOICE, 10)
        s.sink.heard.clear()
        for start in range(0, len(tone), 160):
            s.tick(tone[start : start + 160])
        s.tick(VOICE, 10)
        assert s.digits == "9"
        assert sum(frame == SILENCE for frame in s.sink.heard) >= 8
        assert s.sink.heard[-1] == VOICE


async def test_tones_are_made_and_heard_in_an_encoding_that_is_adopted_late() -> None:
    async with scene() as s:
        s.media.negotiated(negotiated(telephone_event_payload_type=None))
        s.media.adopt_encoding("pcma", 8000)
        s.media.start(s.sink)
        tone = g711.l16_to_pcmu(tones.dtmf("9", 200))
        for start in range(0, len(tone), 160):
            s.tick(tone[start : start + 160])
        s.tick(VOICE, 10)
        assert s.digits == "9"
        s.sent.clear()
        s.media.send_digits("5")
        s.tick(times=20)
        detector = InbandDetector()
        heard = [detector.hear(g711.pcmu_to_l16(packet.payload)) for packet in s.sent]
        assert [key for key in heard if key] == ["5"]


@pytest.mark.parametrize(("mode", "event"), [("auto", 101), ("rfc4733", None), ("info", None)])
async def test_tones_are_not_listened_for_where_there_is_a_better_way(
    mode: str, event: int | None
) -> None:
    async with scene(dtmf=mode) as s:
        s.start(negotiated(telephone_event_payload_type=event))
        tone = g711.l16_to_pcmu(tones.dtmf("9", 200))
        for start in range(0, len(tone), 160):
            s.tick(tone[start : start + 160])
        s.tick(VOICE, 10)
        assert s.digits == ""


async def test_digits_wait_while_the_call_is_on_hold() -> None:
    async with scene() as s:
        s.start()
        sent: list[DigitsSent] = []
        s.media.send_digits("1", sent.append)
        s.tick(times=3)
        s.media.negotiated(HOLD)
        s.sent.clear()
        s.tick(times=30)
        assert (s.sent, sent) == ([], [])
        s.media.negotiated(negotiated())
        s.tick(times=20)
        assert sent == [DigitsSent("1", "rfc4733")]
        assert [p.payload_type for p in s.sent][:8] == [101] * 8


async def test_digits_in_two_segments_have_two_timestamps() -> None:
    async with scene(digit_timing=DigitTiming(10_000, 80)) as s:
        s.start()
        s.media.send_digits("1")
        s.tick(times=520)
        events = [packet for packet in s.sent if packet.payload_type == 101]
        assert len(events) == 503
        stamps = list(dict.fromkeys(packet.timestamp for packet in events))
        assert [(b - a) % 2**32 for a, b in pairwise(stamps)] == [0xFFFF]
        assert [packet.marker for packet in events] == [True] + [False] * 502


@pytest.mark.parametrize("end", ["closed", "renegotiated"])
async def test_digits_that_can_no_longer_be_sent_are_reported(end: str) -> None:
    async with scene() as s:
        s.start()
        sent: list[DigitsSent] = []
        s.media.send_digits("12", sent.append)
        s.tick(times=20)
        if end == "closed":
            s.media.close()
            assert sent == [DigitsSent("1", "rfc4733", "the call is over")]
        else:
            s.media.negotiated(negotiated(telephone_event_payload_type=None))
            failure = "the peer takes no telephone-events any more"
            assert sent == [DigitsSent("1", "rfc4733", failure)]
            s.tick(times=3)
            assert s.errors == []


async def test_media_needs_a_negotiation() -> None:
    async with scene() as s:
        with pytest.raises(LocalProtocolError):
            s.media.start(s.sink)
        s.receive(s.peer.packetize(VOICE, 160))
        assert s.media.last_received_at is None
        assert s.media.stats().packets_received == 0


async def test_media_that_was_closed_does_not_start() -> None:
    async with scene() as s:
        s.media.negotiated(negotiated())
        s.media.close()
        s.media.start(s.sink)
        assert s.pacer.slots == []


async def test_a_fault_closes_the_media_and_is_told_once() -> None:
    async with scene() as s:
        s.start()
        s.sink.error = RuntimeError("a fault of ours")
        s.tick(VOICE, 3)
        assert s.errors == [s.sink.error]
        assert s.pacer.slots == []


async def test_a_fault_of_a_packet_closes_the_media(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(digit: str) -> None:
        raise RuntimeError("a fault of ours")

    async with scene() as s:
        s.start()
        monkeypatch.setattr(s.media._digits._in, "_on_digit", fails)
        s.receive(s.peer.packetize_event(bytes([5, 0x80, 0, 160]), 101, 5000, True))
        assert len(s.errors) == 1


async def test_garbage_is_counted() -> None:
    async with scene() as s:
        s.start()
        for data in (b"", b"\x80", bytes(200), b"\x80\xc8" + bytes(20), b"\xbf" + bytes(30)):
            s.receive(data)
        assert s.errors == []
        assert s.media.stats().packets_received == 0
        assert s.media.stats().packets_malformed >= 2


async def test_reports_of_the_session_do_not_pile_up() -> None:
    async with scene() as s:
        s.start()
        for _ in range(4):
            s.clock.now += 0.02
            s.media._received(s.peer.packetize(VOICE, 160), ("127.0.0.1", 4000), s.clock.now)
        assert s.media._session is not None
        assert s.media._session.remote == ("127.0.0.1", 4000)
        assert s.media._session.events == []
