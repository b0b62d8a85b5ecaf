"""Calls in G.722 and Opus with a softphone that is not ours: what is above 4 kHz gets through."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, L16_16K, PCMU, AudioFormat
from telephony.audio.frame_converter import FrameConverter
from telephony.audio.g711 import pcmu_to_l16
from telephony.audio.g722 import G722Decoder, G722Encoder
from telephony.audio.wav import read_wav, write_wav
from tests.audio.wideband import high_share
from tests.support.baresip import Codec, baresip
from tests.support.peers import require_sound
from tests.system.bot import PROMPTS, Bot, run_command, running_bot
from tests.system.conftest import RunScenario
from tests.system.listening import Samples, likeness, read_channels
from tests.system.rtp_peer import RtpPeer, frames_of
from tests.system.test_dial import configure

pytestmark = pytest.mark.system

SPOKEN_IN = "demo-congrats"
"""Speech with a lot of hiss, recorded at 16 kHz."""

SPEECH_S = 8.0
LISTENS_S = 4.0

DIALPLAN = """\
contexts:
  main:
    - name: everyone
      when: {called: bot}
      do: [answer, {connect_model: {agent: rehearsal}}]
    - name: announcement
      when: {called: announcement}
      do: [{play: wideband.wav}, hangup]
"""


def wideband_speech() -> bytes:
    """Return recorded speech as 16-bit PCM of 16 kHz."""
    coded = require_sound(SPOKEN_IN, "g722").read_bytes()[: round(SPEECH_S * 8000)]
    return G722Decoder().decode(coded)


def prompt(name: str) -> tuple[Samples, int]:
    """Return what the model says, as it says it, and its rate."""
    wav = read_wav((PROMPTS / f"{name}.wav").read_bytes())
    assert wav.sample_rate_hz == 24000
    return np.frombuffer(wav.pcm16, "<i2") / 32768.0, wav.sample_rate_hz


def resampled(pcm16: bytes, rate_hz: int) -> bytes:
    converter = Converter(L16_16K, AudioFormat("l16", rate_hz))
    return converter.convert(pcm16) + converter.flush()


def narrowed(samples: Samples, rate_hz: int) -> Samples:
    pcm16 = (samples * 32767).astype("<i2").tobytes()
    narrow = Converter(AudioFormat("l16", rate_hz), L16_8K).convert(pcm16)
    return np.frombuffer(narrow, "<i2") / 32768.0


@pytest.fixture(scope="module")
def wide_bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    directory = tmp_path_factory.mktemp("wide")
    (directory / "dialplans").mkdir()
    wideband = write_wav(wideband_speech(), 16000)
    (directory / "dialplans" / "wideband.wav").write_bytes(wideband)
    media = {
        "codecs": ["opus", "g722", "pcmu"],
        "recording_dir": "recordings",
        # What is recorded is compared: a phone that is held up by others is waited for.
        "jitter": {"min_ms": 150, "start_ms": 150},
    }
    with running_bot(directory, {"media": media}, dialplan=DIALPLAN) as bot:
        yield bot


CODECS = pytest.mark.parametrize(
    ("codec", "wire", "peer_hz", "line_hz"),
    [("G722", "g722", 16000, 16000), ("opus", "opus", 48000, 24000)],
)


@CODECS
async def test_both_sides_hear_what_a_telephone_cuts_off(
    wide_bot: Bot, tmp_path: Path, codec: Codec, wire: str, peer_hz: int, line_hz: int
) -> None:
    wide_bot.forget_log()
    speech = wideband_speech()
    play = tmp_path / "said.wav"
    # A phone whose file ends hangs up: the bot is to do that.
    rest = bytes(2 * 4 * peer_hz)
    play.write_bytes(write_wav(resampled(speech, peer_hz) + rest, peer_hz))
    async with baresip(tmp_path, play=play, codec=codec) as phone:
        await phone.dial(f"sip:announcement@{wide_bot.sip[0]}:{wide_bot.sip[1]}")
        await phone.until("CALL_CLOSED")
        heard = read_channels(phone.heard(), peer_hz)[0]
    (call,) = await wide_bot.logged("call.finished")
    assert (call["cause"], call["codec"]) == ("dialplan_hung_up", wire), phone.log
    said, _ = read_channels(Path(wide_bot.directory, call["recording"]), line_hz)
    share = high_share(np.frombuffer(speech, "<i2") / 32768.0, 16000)
    narrow = tmp_path / "speech.wav"
    narrow.write_bytes(write_wav(resampled(speech, 8000), 8000))
    for name, samples, rate_hz in (("phone", heard, peer_hz), ("bot", said, line_hz)):
        assert high_share(samples, rate_hz) > 0.3 * share, name
        assert likeness(narrowed(samples, rate_hz), narrow) > 0.9, name
    wide_bot.assert_log_clean()


@CODECS
async def test_a_question_a_digit_and_hanging_up(
    wide_bot: Bot, tmp_path: Path, codec: Codec, wire: str, peer_hz: int, line_hz: int
) -> None:
    wide_bot.forget_log()
    before = await wide_bot.scrape()
    question = read_wav((PROMPTS / "caller_question.wav").read_bytes()).pcm16
    pause = bytes(round(LISTENS_S * 16000))
    converter = Converter(L16_8K, AudioFormat("l16", peer_hz))
    play = tmp_path / "said.wav"
    play.write_bytes(write_wav(converter.convert(pause + question + 6 * pause), peer_hz))
    async with baresip(tmp_path, play=play, codec=codec) as phone:
        await phone.dial(f"sip:bot@{wide_bot.sip[0]}:{wide_bot.sip[1]}")
        await phone.until("CALL_ESTABLISHED")
        turns = "telephony_turn_latency_seconds_count"
        await wide_bot.counted(turns, before.total(turns))
        await phone.press("5")
        await wide_bot.logged("digit.received")
        await phone.hangup()
        await phone.until("CALL_CLOSED")
        heard = read_channels(phone.heard(), peer_hz)[0]
    (call,) = await wide_bot.logged("call.finished")
    assert (call["cause"], call["codec"], call["turns"]) == ("caller_hung_up", wire, 1)
    assert len(wide_bot.events("digit.received")) == 1
    assert likeness(narrowed(heard, peer_hz), PROMPTS / "greeting.wav") > 0.9
    assert high_share(heard, peer_hz) > 0.3 * high_share(*prompt("greeting"))
    said, spoken = read_channels(Path(wide_bot.directory, call["recording"]), line_hz)
    assert likeness(narrowed(said, line_hz), PROMPTS / "caller_question.wav") > 0.9
    assert likeness(narrowed(spoken, line_hz), PROMPTS / "greeting.wav") > 0.9
    wide_bot.assert_log_clean()


async def test_a_reinvite_to_g722_leaves_the_line_as_it_is(
    wide_bot: Bot, sipp: RunScenario, rtp: RtpPeer, tmp_path: Path
) -> None:
    """A call that began in PCMU is recorded at 8 kHz to its end, whatever the wire carries."""
    wide_bot.forget_log()
    narrow = tmp_path / "speech.wav"
    narrow.write_bytes(write_wav(resampled(wideband_speech(), 8000), 8000))
    speaking = asyncio.create_task(_speak_as_negotiated(rtp, frames_of(narrow)))
    values = {"codec": "G722/8000", "number": "9"}
    try:
        await sipp("change_codec", wide_bot, service="announcement", pause_ms=2500, values=values)
    finally:
        speaking.cancel()
    (call,) = await wide_bot.logged("call.finished")
    assert (call["cause"], call["codec"]) == ("caller_hung_up", "g722")
    switch = [packet.payload_type for packet in rtp.packets].index(9)
    assert {packet.payload_type for packet in rtp.packets[:switch]} == {0}
    assert {packet.payload_type for packet in rtp.packets[switch:]} == {9}
    assert {len(packet.payload) for packet in rtp.packets} == {160}
    pairs = list(pairwise(rtp.packets))
    # A busy machine leaves frames out; the clock is that of 8000 Hz all the same.
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairs]
    assert all(step % 160 == 0 and step < 8000 for step in steps), steps
    assert {(b.sequence_number - a.sequence_number) & 0xFFFF for a, b in pairs} == {1}
    before = pcmu_to_l16(b"".join(packet.payload for packet in rtp.packets[:switch]))
    decoded = G722Decoder().decode(b"".join(packet.payload for packet in rtp.packets[switch:]))
    after = Converter(L16_16K, L16_8K).convert(decoded)
    said, spoken = read_channels(Path(wide_bot.directory, call["recording"]), 8000)
    begun = tmp_path / "begun.wav"
    begun.write_bytes(write_wav(read_wav(narrow.read_bytes()).pcm16[: 4 * 16000], 8000))
    heard = np.frombuffer(before + after, "<i2") / 32768.0
    for samples in (said, spoken, heard):
        assert likeness(samples, begun) > 0.9
    wide_bot.assert_log_clean()


async def _speak_as_negotiated(rtp: RtpPeer, frames: list[bytes]) -> None:
    """Say frames of PCMU, in G.722 from when the bot does."""
    await rtp.received(1)
    widen, encoder = FrameConverter(PCMU, L16_16K, 20), G722Encoder()
    loop = asyncio.get_running_loop()
    started = loop.time()
    for number, frame in enumerate(frames):
        await asyncio.sleep(started + 0.020 * number - loop.time())
        coded = encoder.encode(widen.convert(frame))
        if rtp.packets[-1].payload_type == 9:
            rtp.send_frame(coded, 9)
        else:
            rtp.send_frame(frame)


async def test_a_call_that_is_placed_is_wideband_from_the_start(tmp_path: Path) -> None:
    """The line is chosen before the phone answers; what both say is in the recording."""
    speech = wideband_speech()
    play = tmp_path / "said.wav"
    # It listens to the greeting first.
    pause = bytes(round(LISTENS_S * 32000))
    play.write_bytes(write_wav(pause + speech[: len(speech) // 2], 16000))
    (tmp_path / "phone").mkdir()
    async with baresip(
        tmp_path / "phone", play=play, codec="G722", answer="auto", user="+15550100"
    ) as phone:
        configure(tmp_path, phone.address[1])
        trunk = tmp_path / "config" / "trunks" / "pbx.yaml"
        trunk.write_text(trunk.read_text() + "codecs: [g722, pcmu]\n")
        agent = tmp_path / "config" / "agents" / "bot.yaml"
        agent.write_text("base_url: rehearsal\ngreeting: Greet.\n")
        status, output = await run_command(tmp_path, "dial", "+15550100")
        heard = read_channels(phone.heard(), 16000)[0]
    assert status == 0, output
    [recording] = (tmp_path / "recordings").glob("*.wav")
    said, spoken = read_channels(recording, 16000)
    share = high_share(np.frombuffer(speech, "<i2") / 32768.0, 16000)
    assert high_share(said, 16000) > 0.3 * share
    for samples in (heard, spoken):
        assert likeness(narrowed(samples, 16000), PROMPTS / "greeting.wav") > 0.9
        assert high_share(samples, 16000) > 0.3 * high_share(*prompt("greeting"))
