"""Speech that comes late, in pieces, or not at all."""

from __future__ import annotations

from telephony.realtime.cascade import messages as say
from telephony.realtime.events import AudioDelta, ModelError, ResponseFinished
from tests.realtime.cascade.driver import Driver


def speaking() -> Driver:
    driver = Driver()
    driver.turn("Hi there.")
    driver.write("We are open. Until six.")
    return driver


def test_no_audio_for_long_costs_the_connection() -> None:
    driver = Driver(llm={"stall_s": 60})
    driver.turn("Hi there.")
    driver.write("We are open. Until six.")
    driver.wait(9.9)
    assert driver.seen(ModelError) == []
    driver.wait(0.2)
    assert driver.last(ModelError) == ModelError("tts_stalled", "tts: no audio comes", True)


def test_a_voice_that_waits_for_words_is_not_stalled() -> None:
    driver = Driver(llm={"stall_s": 60})
    driver.turn("Hi there.")
    driver.write("We are open. Until")
    driver.audio(900)
    driver.wait(25.0)
    assert driver.seen(ModelError) == []


def test_an_end_that_comes_before_the_last_word_is_not_the_end() -> None:
    driver = speaking()
    driver.audio(900)
    driver.spoken()
    assert driver.seen(ResponseFinished) == []
    driver.end()
    driver.audio(300)
    driver.spoken()
    assert driver.last(ResponseFinished).status == "completed"


def test_pieces_of_scripts_without_blanks_are_put_together_without_any() -> None:
    driver = Driver()
    driver.turn("Hi there.")
    driver.write("我们从早上九点到晚上六点营业。周末我们也营业，欢迎光临。")
    assert driver.text() == "我们从早上九点到晚上六点营业。周末我们也营业，欢迎光临。"


def test_half_a_sample_is_counted_and_dropped() -> None:
    from telephony.audio.format import L16_8K, PCMU
    from telephony.base.ids import Ids
    from telephony.realtime.cascade.cascade import Cascade
    from telephony.realtime.dialect import Brief
    from tests.realtime.cascade.driver import config

    driver = Driver(connect=False)
    driver.core = Cascade(config(), Brief(), Ids.seeded(1), PCMU, L16_8K)
    driver.core.connection_made(driver.now)
    driver.core.create_response()
    driver.drain()
    driver.write("Hello there. You.")
    driver.tell(say.SpeechAudio(driver.utterance(), b"\x01\x02\x03"))
    assert driver.core.stats.bad_audio == 1
    driver.tell(say.SpeechAudio(driver.utterance(), b""))
    assert driver.seen(AudioDelta) == []
