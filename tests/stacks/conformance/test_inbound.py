"""Calls that come in: what every stack makes of them."""

from __future__ import annotations

import asyncio
import struct

import pytest

from telephony.audio import g711
from telephony.audio.codecs import FACES
from telephony.audio.format import AudioFormat, Codec
from telephony.audio.level import dbfs
from telephony.base.interfaces import CannotAnswer
from telephony.stacks.capabilities import CAPABILITIES, StackName
from tests.support.conformance import LOUD, bot, is_loud, phone, talk
from tests.support.stacks import Party, until


async def test_facts_ringing_answer_and_audio_both_ways(name: StackName) -> None:
    async with talk(name) as call:
        facts = call.ours.facts
        assert (facts.called, facts.caller) == ("bot", "+15550199")
        assert (facts.source_ip, facts.transport) == ("127.0.0.1", "udp")
        assert facts.sip_call_id == call.theirs.facts.sip_call_id
        assert 180 in [status for status, _ in call.they.progress]
        await call.hear_each_other()
        assert call.ours.media.encoding in ("pcmu", "pcma")
        assert {len(frame) for frame in call.we.heard} == {len(LOUD)}
        stats = call.ours.media.stats()
        assert stats.packets_received > 0
        assert stats.packets_sent > 0


async def test_the_caller_hangs_up(name: StackName) -> None:
    async with talk(name) as call:
        await call.hear_each_other()
        call.theirs.hangup()
        await call.over()
        assert call.we.ended is not None
        assert call.we.ended[0] == "remote"


async def test_the_bot_hangs_up(name: StackName) -> None:
    async with talk(name) as call:
        call.ours.hangup("bot_hung_up")
        call.ours.hangup("bot_hung_up")
        await call.over()
        assert call.they.ended is not None
        assert call.they.ended[0] == "remote"
        assert call.we.ended is not None
        assert call.we.ended[0] == "local"


@pytest.mark.parametrize(("status", "retry_after_s"), [(486, None), (404, None), (503, 5)])
async def test_the_bot_rejects(name: StackName, status: int, retry_after_s: int | None) -> None:
    async with bot(name) as ours, phone() as telephone:
        they, we = Party(), Party()
        theirs = telephone.call(ours.uri(), they)
        leg = await ours.next_leg()
        leg.listen(we)
        leg.reject(status, retry_after_s=retry_after_s)
        leg.close()
        await until(they.over.is_set)
        assert they.ended is not None
        assert they.ended[2] == status
        assert theirs.failure is not None
        wait = theirs.failure.headers.get("Retry-After")
        assert wait == (None if retry_after_s is None else str(retry_after_s))
        theirs.close()


async def test_the_caller_gives_up(name: StackName) -> None:
    async with bot(name) as ours, phone() as telephone:
        they, we = Party(), Party()
        theirs = telephone.call(ours.uri(), they)
        leg = await ours.next_leg()
        leg.listen(we)
        leg.prepare()
        leg.ring()
        await until(lambda: they.progress)
        theirs.hangup()
        await until(lambda: we.over.is_set() and they.over.is_set())
        assert we.ended == ("remote", "cancelled", 487)
        assert they.ended is not None
        assert they.ended[2] == 487
        leg.close()
        theirs.close()


async def test_a_caller_without_a_codec_of_ours_gets_488(name: StackName) -> None:
    async with bot(name, media={"codecs": ["pcmu"]}) as ours, phone(("pcma",)) as telephone:
        they = Party()
        theirs = telephone.call(ours.uri(), they)
        leg = await ours.next_leg()
        with pytest.raises(CannotAnswer) as caught:
            leg.prepare()
        assert caught.value.status == 488
        leg.reject(caught.value.status)
        leg.close()
        await until(they.over.is_set)
        assert they.ended is not None
        assert they.ended[2] == 488
        theirs.close()


@pytest.mark.parametrize("codec", ["pcmu", "pcma", "g722"])
async def test_each_codec_is_spoken(name: StackName, codec: Codec) -> None:
    if codec not in CAPABILITIES[name].codecs:
        pytest.skip(f"{name} does not speak {codec}, and its settings are refused")
    face = FACES[codec]
    says = g711.encode(face, WIDE if face.sample_rate_hz == 16_000 else NARROW)
    async with bot(name, media={"codecs": [codec]}) as ours, phone((codec,)) as telephone:
        they, we = Party(says=says), Party(says=says)
        theirs = telephone.call(ours.uri(), they)
        leg = await ours.next_leg()
        leg.listen(we)
        leg.prepare()
        leg.answer()
        await until(lambda: we.confirmed.is_set() and they.confirmed.is_set())
        leg.media.start(we)
        theirs.media.start(they)
        assert (leg.media.codec, leg.media.encoding) == (codec, face.encoding)
        assert leg.media.sample_rate_hz == face.sample_rate_hz
        # PJSIP scales PCM to 14 bits for G.722, as ITU-T G.722 has it, others to 15: 6 dB.
        for party in (we, they):
            await until(lambda p=party: loudness(p, face) > -25)  # type: ignore[misc]
        assert {len(frame) for frame in we.heard} == {len(says)}
        leg.hangup()
        await until(lambda: we.over.is_set() and they.over.is_set())
        leg.close()
        theirs.close()


NARROW = struct.pack("<8h", *[6000] * 4, *[-6000] * 4) * 20
"""20 ms of a square wave of 1 kHz, at 8 kHz."""

WIDE = struct.pack("<16h", *[6000] * 8, *[-6000] * 8) * 20


def loudness(party: Party, face: AudioFormat) -> float:
    """Return the level of what was heard last, in dB below full scale."""
    return dbfs(g711.decode(face, b"".join(party.heard[-5:]))) if party.heard else -96.0


async def test_early_media(name: StackName) -> None:
    async with bot(name) as ours, phone() as telephone:
        they, we = Party(), Party(says=LOUD)
        theirs = telephone.call(ours.uri(), they)
        leg = await ours.next_leg()
        leg.listen(we)
        leg.prepare()
        leg.progress()
        if ours.can.early_media:
            await until(lambda: (183, True) in they.progress)
            leg.media.start(we)
            theirs.media.start(they)
            await until(lambda: is_loud(they))
        else:
            await asyncio.sleep(0.2)
            assert not any(early for _, early in they.progress)
        leg.answer()
        await until(lambda: we.confirmed.is_set() and they.confirmed.is_set())
        leg.hangup()
        await until(lambda: we.over.is_set() and they.over.is_set())
        leg.close()
        theirs.close()


async def test_calls_do_not_disturb_each_other(name: StackName) -> None:
    async with talk(name) as first:
        they, we = Party(says=LOUD), Party(says=LOUD)
        theirs = first.phone.call(first.bot.uri("second"), they)
        leg = await first.bot.next_leg()
        assert leg.facts.called == "second"
        leg.listen(we)
        leg.prepare()
        leg.answer()
        await until(lambda: we.confirmed.is_set() and they.confirmed.is_set())
        leg.media.start(we)
        theirs.media.start(they)
        await until(lambda: is_loud(we) and is_loud(they))
        theirs.hangup()
        await until(lambda: we.over.is_set() and they.over.is_set())
        leg.close()
        theirs.close()
        await first.hear_each_other()
        assert first.we.ended is None
