from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from telephony.audio.format import PCMU
from telephony.audio.g711 import l16_to_pcmu
from telephony.base.ids import Ids
from telephony.calls.agent import Agent
from telephony.calls.bridge import Bridge
from telephony.calls.keypad import KeypadConfig
from telephony.realtime import events as model
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.session_config import ServerVad, SessionConfig
from telephony.turns.latency import TurnLatency
from telephony.turns.silence import SilencePolicy
from tests.support.fake_call import FakeClock, FakeConnection, Line20ms, agent
from tests.support.models import config_of
from tests.support.phones import Watcher
from tests.support.scenes import speech

SPEECH = l16_to_pcmu(speech("caller_question"))
LOUD = b"\x10" * 160


@dataclass
class Listener:
    """Notes what a bridge reports."""

    told: list[Any] = field(default_factory=list)
    turns: list[bool] = field(default_factory=list)

    def session_ready(self) -> None:
        self.told.append("ready")

    def session_expiring(self, left_s: float | None) -> None:
        self.told.append("expiring")

    def response_finished(self, event: model.ResponseFinished) -> None:
        self.told.append(("finished", event.response_id, event.status))

    def usage_reported(self, usage: model.Usage, model_name: str) -> None: ...

    def model_failed(self, error: model.ModelError) -> None:
        self.told.append(("failed", error.code))

    def playout_drained(self) -> None:
        self.told.append("drained")

    def interrupted(self, reason: str, seconds: float | None) -> None:
        self.told.append(("interrupted", reason, seconds))

    def turn_measured(self, latency: TurnLatency) -> None:
        self.told.append("measured")

    def caller_silent(self, hang_up: bool) -> None:
        self.told.append(("silent", hang_up))

    def transcript(self, role: str, text: str, item_id: str = "") -> None:
        self.told.append((role, text))

    def transcript_grew(self, role: str, item_id: str, piece: str) -> None:
        self.told.append(("grew", role, item_id, piece))

    def caller_turn_ended(self, *, by_model: bool) -> None:
        self.turns.append(by_model)

    def tool_calls_cancelled(self, call_ids: Iterable[str]) -> None:
        self.told.append(("unwanted", *call_ids))

    def approval_requested(self, event: model.ApprovalRequested) -> None:
        self.told.append(("approval", event.approval_id))

    def timers_changed(self) -> None: ...


class Scene:
    """A bridge between a line that the test ticks and a model that the test plays."""

    def __init__(self, *, connected: bool = True, **changes: Any) -> None:
        bot: Agent = agent(**changes)
        self.clock = FakeClock()
        self.listener = Listener()
        self.metrics = Watcher()
        self.dialect = OpenAIRealtime(config_of(bot), Ids.seeded(1), PCMU, PCMU)
        self.bridge = Bridge(bot, PCMU, 20, self.dialect, self.listener, self.metrics, self.clock)
        self.line = Line20ms(self.bridge, self.clock)
        self.model = FakeConnection()
        if connected:
            self.connect()
            self.model.get_ready()

    def connect(self) -> None:
        self.model = FakeConnection()
        self.model.on_message = self.bridge.message_received
        self.bridge.connected(self.model)

    def speak(self, ms: int, response: str = "r1", item: str = "i1", *, done: bool = True) -> None:
        """Let the model say ``ms`` of sound."""
        self.model.hear("response.created", response={"id": response})
        ids = {"response_id": response, "item_id": item, "content_index": 0}
        audio = base64.b64encode(LOUD * (ms // 20)).decode()
        self.model.hear("response.output_audio.delta", delta=audio, **ids)
        if done:
            self.model.hear("response.output_audio.done", **ids)
            self.model.hear("response.done", response={"id": response, "status": "completed"})


def test_a_session_is_configured_and_then_hears_the_caller() -> None:
    scene = Scene(connected=False)
    scene.line.tick(times=3)
    scene.connect()
    assert scene.model.kinds == ["session.update"]
    scene.line.tick(times=3)
    assert scene.model.audio == []
    scene.model.get_ready()
    assert scene.listener.told == ["ready"]
    # What was said meanwhile is not lost.
    assert [len(audio) for audio in scene.model.audio] == [480, 480]
    scene.line.tick(times=3)
    assert len(scene.model.audio) == 3


def test_the_models_speech_is_played_to_its_end() -> None:
    scene = Scene()
    scene.speak(100)
    assert scene.bridge.caller_hears
    assert not scene.bridge.speech.was_heard
    scene.line.tick(times=7)
    assert scene.line.spoken == [LOUD] * 5 + [None] * 2
    assert scene.bridge.speech.was_heard
    assert not scene.bridge.caller_hears
    assert scene.listener.told[-1] == "drained"
    assert scene.bridge.stats.responses == 1


def test_a_barge_in_is_one_piece_and_exact() -> None:
    scene = Scene()
    scene.speak(4000, done=False)
    scene.line.tick(times=30)
    scene.model.sent.clear()
    before = len(scene.line.spoken)
    for start in range(0, len(SPEECH) - 159, 160):
        scene.line.tick(SPEECH[start : start + 160])
        if scene.model.sent:
            break
    assert scene.model.kinds == ["response.cancel", "conversation.item.truncate"]
    frames_heard = sum(frame is not None for frame in scene.line.spoken)
    assert scene.model.last("conversation.item.truncate")["audio_end_ms"] == frames_heard * 20
    # The tick that heard the caller is silent already.
    assert scene.line.spoken[-1] is None
    assert frames_heard == len(scene.line.spoken) - 1 > before
    [interrupted] = [told for told in scene.listener.told if told[0] == "interrupted"]
    assert interrupted[1] == "local_speech"
    assert 0.05 <= interrupted[2] <= 0.3
    assert scene.bridge.interrupted_response_id == "r1"
    # Late deltas of the fenced response are heard by nobody.
    ids = {"response_id": "r1", "item_id": "i1", "content_index": 0}
    late = base64.b64encode(LOUD * 50).decode()
    scene.model.hear("response.output_audio.delta", delta=late, **ids)
    scene.line.tick(times=5)
    assert scene.line.spoken[-5:] == [None] * 5
    assert scene.dialect.stats.fenced_deltas == 1


def test_the_way_to_the_ear_is_taken_off() -> None:
    scene = Scene(playout_latency_ms=100)
    scene.speak(4000, done=False)
    scene.line.tick(times=30)
    scene.bridge.digit_received("1")
    assert scene.model.last("conversation.item.truncate")["audio_end_ms"] == 500


def test_what_we_cut_off_ourselves_is_no_interruption_by_the_caller() -> None:
    scene = Scene()
    scene.speak(2000)
    scene.line.tick(times=10)
    scene.bridge.interrupt_bot()
    assert scene.model.last("conversation.item.truncate")["audio_end_ms"] == 200
    stats = scene.bridge.stats
    assert (stats.cut_offs, stats.barge_ins, stats.barge_in_s) == (1, 0, [])
    assert scene.metrics.barge_in_sources == []
    assert ("interrupted", "command", None) in scene.listener.told
    # There is nothing left to be cut off.
    scene.bridge.interrupt_bot()
    assert stats.cut_offs == 1


def test_speech_that_nobody_heard_is_deleted() -> None:
    scene = Scene()
    scene.speak(4000, done=False)
    scene.bridge.digit_received("1")
    assert scene.model.kinds[-2:] == ["response.cancel", "conversation.item.delete"]
    assert scene.listener.told[-1] == ("interrupted", "digit", None)
    assert scene.bridge.stats.barge_ins == 0


def test_an_interruption_after_the_last_frame_tells_nothing() -> None:
    scene = Scene()
    scene.speak(100)
    scene.line.tick(times=7)
    scene.model.sent.clear()
    scene.bridge.digit_received("1")
    assert scene.model.sent == []


def test_digits_reach_the_model_as_one_entry() -> None:
    scene = Scene(keypad=KeypadConfig(inter_digit_ms=100))
    scene.bridge.digit_received("4")
    scene.bridge.digit_received("2")
    scene.model.sent.clear()
    scene.line.tick(times=4)
    assert scene.model.sent == []
    scene.line.tick(times=2)
    assert scene.model.kinds == ["conversation.item.create", "response.create"]
    content = scene.model.sent[0]["item"]["content"]
    assert content == [{"type": "input_text", "text": "The caller pressed 42 on the keypad."}]


def test_a_key_that_is_held_does_not_end_its_entry() -> None:
    scene = Scene(keypad=KeypadConfig(inter_digit_ms=100))
    scene.bridge.digit_received("4", held=True)
    scene.model.sent.clear()
    scene.line.tick(times=20)
    assert scene.model.sent == []
    scene.bridge.digit_finished()
    scene.line.tick(times=6)
    assert scene.model.kinds == ["conversation.item.create", "response.create"]


def test_a_caller_who_presses_nothing_is_told_of() -> None:
    scene = Scene(keypad=KeypadConfig(first_digit_ms=500))
    scene.speak(100)
    scene.line.tick(times=10)
    scene.model.sent.clear()
    scene.line.tick(times=30)
    assert scene.model.kinds == ["conversation.item.create", "response.create"]
    content = scene.model.sent[0]["item"]["content"]
    assert content[0]["text"] == "The caller pressed nothing on the keypad."


def test_a_caller_who_speaks_or_is_away_presses_nothing() -> None:
    scene = Scene(keypad=KeypadConfig(first_digit_ms=1500))
    scene.speak(100)
    scene.line.tick(times=10)
    scene.line.say(l16_to_pcmu(speech("caller_yes")))
    scene.model.sent.clear()
    scene.line.tick(times=100)
    assert "conversation.item.create" not in scene.model.kinds
    scene = Scene(keypad=KeypadConfig(first_digit_ms=1500))
    scene.speak(100)
    scene.line.tick(times=10)
    scene.bridge.caller_held(True)
    scene.line.tick(times=100)
    assert "conversation.item.create" not in scene.model.kinds


def test_a_turn_is_measured() -> None:
    scene = Scene()
    scene.line.say(SPEECH)
    scene.line.tick(times=30)
    scene.speak(100)
    scene.line.tick(times=2)
    assert "measured" in scene.listener.told
    [latency] = scene.bridge.stats.latencies
    assert 0.5 < latency.total_s < 1.5


def test_the_servers_endpointing_is_taken_off_the_turn() -> None:
    session = SessionConfig(model="m", turn_detection=ServerVad(silence_duration_ms=500))
    scene = Scene(session=session)
    scene.line.tick(times=100)
    scene.model.hear("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=200)
    scene.model.hear("input_audio_buffer.speech_stopped", item_id="u1", audio_end_ms=1900)
    scene.speak(100)
    scene.line.tick()
    [latency] = scene.bridge.stats.latencies
    # The voice was last heard at 1400 ms of 2000, and the answer began a tick later.
    assert abs(latency.total_s - 0.62) < 0.03


def test_without_turn_detection_our_detector_ends_the_turn() -> None:
    scene = Scene(session=SessionConfig(model="m", turn_detection=None))
    scene.model.sent.clear()
    scene.line.say(SPEECH)
    scene.line.tick(times=30)
    assert scene.model.kinds == ["input_audio_buffer.commit", "response.create"]
    scene.model.hear("input_audio_buffer.committed", item_id="u1")
    assert scene.model.kinds.count("response.create") == 1


def test_a_turn_that_ends_without_a_session_is_ended_in_the_next_one() -> None:
    scene = Scene(session=SessionConfig(model="m", turn_detection=None))
    scene.bridge.disconnected()
    scene.line.say(SPEECH)
    scene.line.tick(times=30)
    scene.connect()
    scene.model.get_ready()
    scene.line.tick(times=10)
    assert scene.model.kinds[-2:] == ["input_audio_buffer.commit", "response.create"]
    assert scene.model.audio


def test_the_model_is_asked_when_it_does_not_answer_by_itself() -> None:
    session = SessionConfig(model="m", turn_detection=ServerVad(create_response=False))
    scene = Scene(session=session)
    scene.model.hear("input_audio_buffer.committed", item_id="u1")
    assert scene.model.kinds[-1] == "response.create"


def test_the_echo_of_what_plays_during_a_reconnect_is_no_turn() -> None:
    scene = Scene()
    scene.speak(2000)
    scene.line.tick(times=10)
    scene.bridge.disconnected()
    # Before our detector is sure of a voice.
    scene.line.tick(LOUD, times=3)
    scene.line.tick(times=12)
    scene.connect()
    scene.model.get_ready()
    assert scene.model.audio
    assert set(b"".join(scene.model.audio)) == set(PCMU.silence(1))


def test_a_caller_over_what_plays_during_a_reconnect_is_heard() -> None:
    scene = Scene()
    scene.speak(2000)
    scene.line.tick(times=9)
    scene.bridge.disconnected()
    for start in range(0, len(SPEECH) - 159, 160):
        scene.line.tick(SPEECH[start : start + 160])
    scene.connect()
    scene.model.get_ready()
    assert b"".join(scene.model.audio) in SPEECH


def test_history_goes_before_what_was_said_during_a_reconnect() -> None:
    scene = Scene()
    order: list[str] = []
    scene.dialect.add_user_text("remember me")
    scene.bridge.send_control()
    scene.bridge.disconnected()
    scene.line.say(SPEECH)
    assert scene.bridge.turn_follows
    scene.connect()
    send, send_audio = scene.model.send, scene.model.send_audio

    def noted(message: bytes) -> None:
        order.append("control")
        send(message)

    def noted_audio(message: bytes) -> bool:
        order.append("audio")
        return send_audio(message)

    scene.model.send, scene.model.send_audio = noted, noted_audio  # type: ignore[method-assign]
    scene.model.get_ready()
    assert scene.model.last("conversation.item.create")["item"]["content"][0]["text"]
    assert order.index("audio") > order.index("control")
    assert "control" not in order[order.index("audio") :]


def test_what_was_queued_is_heard_though_the_model_is_gone() -> None:
    scene = Scene()
    scene.speak(100, done=False)
    scene.bridge.disconnected()
    assert ("finished", "r1", "failed") in scene.listener.told
    scene.line.tick(times=6)
    assert scene.line.spoken[:5] == [LOUD] * 5
    assert scene.listener.told[-1] == "drained"


def test_a_caller_who_interrupts_while_the_model_is_gone_is_obeyed() -> None:
    scene = Scene()
    scene.speak(4000, done=False)
    scene.line.tick(times=30)
    scene.bridge.disconnected()
    scene.line.say(SPEECH)
    assert scene.line.spoken[-1] is None
    assert scene.bridge.stats.barge_ins == 1
    [item] = scene.dialect.history
    assert item.heard_ms is not None


def test_silence_is_reported_and_not_while_on_hold() -> None:
    scene = Scene(silence=SilencePolicy(reprompt_after_s=1.0, max_reprompts=1))
    scene.bridge.caller_held(True)
    scene.line.tick(times=100)
    assert ("silent", False) not in scene.listener.told
    scene.bridge.caller_held(False)
    scene.line.tick(times=51)
    assert scene.listener.told[-1] == ("silent", False)
    scene.line.tick(times=51)
    assert scene.listener.told[-1] == ("silent", True)


def test_quiet_is_when_nobody_speaks_and_nothing_is_under_way() -> None:
    scene = Scene()
    assert scene.bridge.quiet
    scene.model.hear("response.created", response={"id": "r1"})
    assert not scene.bridge.quiet
    scene.model.hear("response.done", response={"id": "r1", "status": "completed"})
    assert scene.bridge.quiet
    scene.line.say(SPEECH[:8000])
    assert not scene.bridge.quiet


def test_garbage_from_the_model_changes_nothing() -> None:
    scene = Scene()
    for message in ("", "{", "[]", '{"type":7}', b"\xff\xfe", '{"type":"response.done"}'):
        scene.bridge.message_received(message)
    scene.line.tick(times=3)
    assert scene.listener.told == ["ready"]


def test_errors_and_transcripts_are_passed_on() -> None:
    scene = Scene()
    scene.model.hear("error", error={"type": "server_error", "code": "oops", "message": "m"})
    scene.model.hear(
        "conversation.item.input_audio_transcription.completed", item_id="u1", transcript="hi"
    )
    assert ("failed", "oops") in scene.listener.told
    assert ("user", "hi") in scene.listener.told


def test_audio_the_socket_did_not_take_is_counted() -> None:
    scene = Scene()
    scene.model.full = True
    scene.line.tick(times=9)
    assert scene.bridge.uplink.dropped_ms == 180


def test_what_tools_and_guardrails_need_to_know_is_passed_on() -> None:
    scene = Scene()
    for event in (
        model.TranscriptDelta("assistant", "a1", "hel"),
        model.ToolCallsCancelled(("c1", "c2")),
        model.ApprovalRequested("p1", "crm", "read", "{}"),
    ):
        scene.bridge._react[type(event)](event, scene.clock())
    assert scene.listener.told[-3:] == [
        ("grew", "assistant", "a1", "hel"),
        ("unwanted", "c1", "c2"),
        ("approval", "p1"),
    ]


def test_the_end_of_a_turn_is_told_and_by_whom() -> None:
    scene = Scene()
    scene.model.hear("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=0)
    scene.model.hear("input_audio_buffer.speech_stopped", item_id="u1", audio_end_ms=500)
    assert scene.listener.turns == [True]
    scene.line.say(SPEECH)
    scene.line.tick(times=30)
    assert scene.listener.turns == [True, False]


def test_a_filler_answers_nobody_and_the_answer_after_it_is_measured() -> None:
    scene = Scene()
    scene.line.say(SPEECH)
    scene.line.tick(times=25)
    assert scene.bridge.caller_waits
    scene.bridge.fill(LOUD * 100)
    scene.line.tick(times=20)
    assert scene.line.spoken[-1] == LOUD
    assert not scene.bridge.speech.was_heard
    assert scene.bridge.caller_waits
    assert scene.bridge.stats.latencies == []
    scene.speak(1000)
    scene.line.tick(times=15)
    [latency] = scene.bridge.stats.latencies
    assert latency.model_to_caller_s <= 0.3
    assert scene.bridge.speech.was_heard
    assert not scene.bridge.caller_waits
    scene.line.tick(times=60)
    assert len(scene.bridge.stats.latencies) == 1
    assert scene.bridge.quiet


def test_a_caller_may_interrupt_the_filler() -> None:
    scene = Scene()
    scene.bridge.fill(LOUD * 100)
    scene.line.tick(times=20)
    sent = len(scene.model.sent)
    scene.bridge.interrupt_bot()
    assert not scene.bridge.caller_hears
    assert "conversation.item.truncate" not in scene.model.kinds[sent:]


def test_a_turn_that_ended_without_a_session_is_left_to_a_model_that_ends_turns_itself() -> None:
    scene = Scene(session=SessionConfig(turn_detection=None))
    scene.bridge.disconnected()
    scene.line.say(SPEECH)
    scene.line.tick(times=25)
    bot = agent()
    other = OpenAIRealtime(config_of(bot), Ids.seeded(2), PCMU, PCMU)
    scene.bridge.change_session(bot, other)
    scene.connect()
    scene.model.get_ready()
    assert scene.model.audio
    assert "input_audio_buffer.commit" not in scene.model.kinds


def test_a_long_turn_without_a_session_is_ended_when_the_next_one_has_heard_all_of_it() -> None:
    scene = Scene(session=SessionConfig(model="m", turn_detection=None))
    scene.bridge.disconnected()
    for _ in range(3):
        scene.line.say(SPEECH)
    scene.line.tick(times=30)
    scene.connect()
    scene.model.get_ready()
    assert "input_audio_buffer.commit" not in scene.model.kinds
    assert not scene.bridge.quiet
    while "input_audio_buffer.commit" not in scene.model.kinds:
        heard = len(scene.model.audio)
        scene.line.tick()
        assert len(scene.model.audio) > heard or "input_audio_buffer.commit" in scene.model.kinds
    said = b"".join(scene.model.audio)
    assert said.count(SPEECH[8000:9600]) == 3
    assert scene.model.kinds[-2:] == ["input_audio_buffer.commit", "response.create"]


def test_a_turn_that_ends_while_the_session_still_hears_its_beginning_is_ended_after_that() -> None:
    scene = Scene(session=SessionConfig(model="m", turn_detection=None))
    scene.bridge.disconnected()
    for _ in range(2):
        scene.line.say(SPEECH)
    scene.connect()
    scene.model.get_ready()
    assert scene.bridge.uplink.behind
    while scene.bridge.uplink.behind:
        scene.line.tick()
        assert "input_audio_buffer.commit" not in scene.model.kinds
    scene.line.tick(times=30)
    assert scene.model.kinds.count("input_audio_buffer.commit") == 1
