"""The Live rehearsal model without a socket."""

from __future__ import annotations

import base64

import pytest

from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.rehearsal.faults import ConnectionFaults
from tests.rehearsal.driver import VOICE, scenario
from tests.rehearsal.live.driver import LiveDriver

GREETING = VOICE.prompts["greeting"].text
HOURS = VOICE.prompts["opening_hours"].text
CLIENT = scenario(
    "  - {when: greeting, say: greeting}\n"
    "  - {when: {tool: delegate}, say: tool_done}\n"
    "  - {when: speech, say: filler, call: {name: look_up, arguments: {what: hours}}}\n"
    "  - {when: {dtmf: any}, say: key_pressed}\n"
    "  - {when: any, say: short_answer}\n"
)
BACKEND = {
    "type": "responses",
    "responses": {"model": "gpt-5.5", "tools": [{"type": "function", "name": "look_up"}]},
}


def test_nothing_but_the_start_is_taken_first() -> None:
    driver = LiveDriver(started=False)
    driver.append("commentary", "Greet.")
    driver.send("session.update", session={})
    driver.raw("no json")
    assert driver.error_codes == ["session_not_started", "session_not_started", "invalid_event"]
    driver.start()
    started = driver.last("session.started")["session"]
    assert started["status"] == "active"
    assert started["expires_at"] == 1_700_000_000 + 3600
    assert started["audio"]["format"] == {"type": "audio/pcmu", "rate": 8000}
    driver.start()
    assert driver.error_codes[-1] == "session_already_started"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"modell": "x"}, "unknown_parameter", "session.modell"),
        ({"audio": {"input": {}}}, "unknown_parameter", "session.audio.input"),
        ({"input": [{"role": "user", "content": []}]}, "invalid_value", None),
        ({"delegation": {"type": "nobody"}}, "invalid_value", None),
        ({"instructions": "word " * 20_000}, "invalid_value", None),
    ],
)
def test_a_start_is_read_to_the_letter(
    fields: dict[str, object], code: str, param: str | None
) -> None:
    driver = LiveDriver(**fields)
    assert driver.error_codes == [code]
    if param is not None:
        assert param in driver.last("error")["error"]["param"]
    driver.start()
    assert driver.of("session.started")


def test_a_realtime_model_is_refused() -> None:
    driver = LiveDriver(model="gpt-realtime-2.1")
    assert driver.error_codes == ["invalid_model"]
    assert driver.session.ending is not None


@pytest.mark.parametrize("audio_format", [PCMU, PCMA, L16_16K, L16_24K])
def test_silence_and_speech_come_in_real_time(audio_format: AudioFormat) -> None:
    driver = LiveDriver(CLIENT, audio_format=audio_format)
    driver.advance(1000)
    assert bytes(driver.audio) == audio_format.silence(audio_format.frame_bytes(1000))
    driver.append("commentary", "Greet the caller.")
    driver.advance(5000)
    assert len(driver.audio) == audio_format.frame_bytes(6000)
    assert driver.words() == GREETING
    [said] = driver.session.mouth.said
    assert (said.text, said.cut) == (GREETING, False)
    begin_ms = audio_format.duration_ms(driver.audio.find(said.utterance.audio))
    assert 1080 <= begin_ms <= 1160
    words = driver.of("session.output_transcript.delta")
    assert 1000 <= words[0]["start_ms"] < words[0]["end_ms"] <= words[1]["end_ms"] < 6000


def test_a_stall_of_the_clock_is_not_made_up_for() -> None:
    driver = LiveDriver()
    driver.now += 60
    driver.advance(0)
    assert driver.session.mouth.position_ms == 60_000
    assert len(driver.audio) <= PCMU.frame_bytes(2040)


def test_the_caller_is_heard_and_answered() -> None:
    driver = LiveDriver()
    driver.advance(400)
    driver.speak("caller_question")
    driver.advance(2000)
    assert driver.words("input") == "What are your opening hours this week?"
    first = driver.of("session.input_transcript.delta")[0]
    # 400 of silence before it was dialled, 400 of silence and 300 of padding within it.
    assert first["start_ms"] == pytest.approx(500, abs=120)
    assert driver.words().startswith("We are open")


def test_who_is_talked_over_falls_silent() -> None:
    driver = LiveDriver()
    driver.append("commentary", f"Say: {HOURS}")
    driver.advance(1000)
    driver.speak("caller_interrupt")
    [said, answer] = driver.session.mouth.said
    assert said.cut
    assert said.text
    assert len(said.text) < len(HOURS)
    assert answer.text == "" or answer.utterance.transcript.startswith("Of course")
    driver.advance(5000)
    assert driver.words().endswith(VOICE.prompts["agent"].text)


def test_a_model_may_be_slow_to_fall_silent() -> None:
    slow = scenario("  - {when: greeting, say: opening_hours, faults: {late_deltas: 25}}\n")
    cut_ms = []
    for played in (slow, scenario("  - {when: greeting, say: opening_hours}\n")):
        driver = LiveDriver(played)
        driver.append("commentary", "Greet.")
        driver.advance(300)
        driver.speak("caller_yes")
        driver.advance(3000)
        cut_ms.append(driver.session.mouth.said[0].audio_ms)
    assert cut_ms[0] == cut_ms[1] + 1000


def test_muted_it_hears_silence() -> None:
    driver = LiveDriver()
    driver.send("session.input_audio.mute", event_id="e1")
    assert driver.last("session.input_audio.muted")["client_event_id"] == "e1"
    driver.speak("caller_question")
    assert driver.words("input") == ""
    driver.send("session.input_audio.unmute")
    driver.speak("caller_question")
    driver.advance(1000)
    assert driver.words("input")


def test_what_is_appended_is_acknowledged() -> None:
    driver = LiveDriver(CLIENT)
    driver.advance(80)
    driver.send(
        "session.instructions.append", event_id="e1", content="It is noon.", delegation_id=None
    )
    acknowledged = driver.last("session.instructions.appended")
    assert acknowledged["client_event_id"] == "e1"
    assert acknowledged["start_ms"] == acknowledged["end_ms"] == 80
    assert driver.session.told == [("instructions", "It is noon.", None)]
    driver.send("session.commentary.append", content="x")
    driver.append("commentary", "x" * 2001)
    driver.append("thinking", "x", "del_unknown")
    codes = ["missing_required_parameter", "invalid_value", "invalid_value"]
    assert driver.error_codes == codes


def test_typed_digits_are_answered_when_speech_is_asked_for() -> None:
    driver = LiveDriver(CLIENT)
    driver.append("thinking", "The caller pressed 42 on the keypad.")
    driver.append("commentary", "Respond to the caller now.")
    driver.advance(4000)
    assert driver.words() == VOICE.prompts["key_pressed"].text


def test_a_conversation_that_goes_on_is_not_greeted_again() -> None:
    before = [{"role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}]
    driver = LiveDriver(CLIENT, input=before)
    driver.append("commentary", "Respond to the caller now.")
    driver.advance(3000)
    assert driver.words() == VOICE.prompts["short_answer"].text


# Delegated work


def test_the_client_is_given_work_without_a_word_of_it() -> None:
    driver = LiveDriver(CLIENT)
    driver.speak("caller_question")
    driver.advance(1000)
    created = driver.last("session.delegation.created")
    delegation = created["delegation"]
    assert set(delegation) == {"id", "type", "target"}
    assert delegation["target"] == "client"
    assert created["offset_ms"] <= driver.session.mouth.position_ms
    driver.append("commentary", "We are open all day.", delegation["id"])
    driver.advance(5000)
    assert driver.words().endswith(VOICE.prompts["tool_done"].text)
    [work] = driver.session.work.delegated
    assert work.answers == ["We are open all day."]


def test_a_backend_calls_tools_and_waits_for_every_output() -> None:
    calls = scenario(
        "  - when: speech\n"
        "    call: [{name: look_up}, {name: look_up, arguments: {x: 1}}, {name: other}]\n"
        "  - {when: {tool: look_up}, say: tool_done}\n"
    )
    driver = LiveDriver(calls, delegation=BACKEND)
    driver.speak("caller_question")
    driver.advance(1000)
    inner = [event["event"] for event in driver.of("response.event")]
    assert [event["type"] for event in inner] == [
        "response.created",
        "response.output_item.done",
        "response.output_item.done",
        "response.completed",
    ]
    first, second = (event["item"]["call_id"] for event in inner[1:3])
    output = {"type": "function_call_output", "output": "nine"}
    driver.send("response.item.create", item=output | {"call_id": first})
    driver.send("response.create")
    assert driver.error_codes == ["missing_tool_outputs"]
    driver.send("response.item.create", item=output | {"call_id": first})
    assert driver.error_codes[-1] == "invalid_tool_call_id"
    driver.send("response.item.create", item=output | {"call_id": second})
    driver.send("response.create")
    driver.advance(3000)
    assert driver.words() == VOICE.prompts["tool_done"].text
    driver.append("commentary", "x", driver.session.work.delegated[0].id)
    assert driver.error_codes[-1] == "invalid_value"


def test_without_a_backend_there_is_none_to_talk_to() -> None:
    driver = LiveDriver()
    driver.send("response.create")
    driver.send("response.item.create", item={"type": "message"})
    assert driver.error_codes == ["invalid_event", "invalid_event"]


def test_the_delegation_may_be_changed_but_not_its_type() -> None:
    driver = LiveDriver(delegation=BACKEND)
    changed = {"type": "responses", "responses": {"model": "gpt-6"}}
    driver.send("session.update", session={"delegation": changed})
    updated = driver.last("session.updated")["session"]
    assert updated["delegation"]["responses"]["model"] == "gpt-6"
    driver.send("session.update", session={"delegation": {"type": "client"}})
    driver.send("session.update", session={"voice": "marin"})
    assert driver.error_codes == ["invalid_value", "unknown_parameter"]


# Fixtures, time and faults


def test_a_fixture_is_played_word_for_word_and_nothing_else_goes_on() -> None:
    driver = LiveDriver(CLIENT, audio_format=L16_24K)
    driver.append("commentary", "Greet.")
    driver.advance(600)
    notice = bytes([7, 0]) * 3 * 24_000
    driver.send(
        "session.output_audio.fixture.play",
        event_id="e1",
        audio=base64.b64encode(notice).decode(),
    )
    assert driver.last("session.output_audio.fixture.playing")["client_event_id"] == "e1"
    driver.append("commentary", "Greet.")
    driver.send("session.output_audio.fixture.play", audio="AAAA")
    assert driver.error_codes == ["fixture_active", "fixture_active"]
    driver.speak("caller_yes")
    driver.advance(1000)
    assert driver.last("session.output_audio.fixture.played")["client_event_id"] == "e1"
    assert notice in bytes(driver.audio)
    assert driver.session.mouth.said[0].cut
    assert driver.words("input") == ""
    assert driver.session.fixtures == [notice]


@pytest.mark.parametrize("audio", ["", "AAA", "AA==", "%%%%", "A" * 4 * 480_002])
def test_fixtures_that_are_none(audio: str) -> None:
    driver = LiveDriver()
    driver.send("session.output_audio.fixture.play", audio=audio)
    assert driver.error_codes == ["invalid_value"]


def test_usage_is_told_each_minute_and_at_the_end() -> None:
    driver = LiveDriver()
    driver.advance(121_000)
    seconds = [event["usage"]["seconds"] for event in driver.of("session.usage.updated")]
    assert seconds == pytest.approx([60, 120], abs=0.05)
    driver.send("session.close")
    closed = driver.last("session.closed")
    assert closed["reason"] == "close_requested"
    assert closed["usage"]["seconds"] == pytest.approx(121, abs=0.05)
    assert driver.session.ending is not None
    assert driver.session.next_timer() is None
    driver.append("commentary", "too late")
    assert driver.session.messages_to_send() == []


def test_a_session_expires() -> None:
    driver = LiveDriver(CLIENT.model_copy(update={"max_session_s": 5.0}))
    driver.advance(6000)
    assert driver.last("session.closed")["reason"] == "expired"
    assert driver.session.ending is not None


def test_faults_of_the_connection() -> None:
    dropped = LiveDriver(faults=ConnectionFaults(drop_after_ms=500))
    dropped.advance(600)
    assert dropped.session.ending is not None
    assert dropped.session.ending.close_code is None
    stalled = LiveDriver(faults=ConnectionFaults(stall_after_ms=400))
    stalled.advance(1000)
    assert len(stalled.audio) <= PCMU.frame_bytes(400)
    deaf = LiveDriver(faults=ConnectionFaults(stop_reading_after_ms=100))
    deaf.advance(200)
    assert not deaf.session.reading
    error = {"code": "insufficient_quota", "close": True}
    broke = LiveDriver(faults=ConnectionFaults.model_validate({"error": error}), started=False)
    broke.advance(0)
    broke._take()
    assert broke.error_codes == ["insufficient_quota"]


def test_faults_of_a_turn() -> None:
    faulty = scenario(
        "  - when: greeting\n    say: greeting\n"
        "    faults: {garbage_frames: 2, duplicate_events: true, first_delta_ms: 900}\n"
        "  - {when: nudge, faults: {error: {code: server_error, type: server_error}}}\n"
    )
    driver = LiveDriver(faulty)
    driver.append("commentary", "Greet.")
    driver.advance(880)
    assert driver.words() == ""
    driver.advance(4000)
    assert len(driver.garbage) == 2
    assert driver.words() == "".join(f"{part}{part}" for part in _fragments(driver))
    driver.append("commentary", "More.")
    assert driver.error_codes[-1] == "server_error"


def _fragments(driver: LiveDriver) -> list[str]:
    return [event["delta"] for event in driver.of("session.output_transcript.delta")[::2]]
