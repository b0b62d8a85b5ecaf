"""The conversation that the parts of a cascade share."""

from __future__ import annotations

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.base.speech import SpeechMark
from telephony.realtime.cascade.spoken import SpokenItem
from telephony.realtime.cascade.state import CascadeState
from telephony.realtime.dialect import Brief
from telephony.realtime.events import ItemDeleted, ItemTruncated
from telephony.realtime.history import HistoryItem
from tests.realtime.cascade.driver import config

TEXT = "We are open until six."


def state(*items: HistoryItem) -> CascadeState:
    return CascadeState(config(), Brief(history=items), Ids.seeded(1), PCMU, PCMU)


def said(shared: CascadeState, item_id: str, audio_ms: int, finished: bool = True) -> SpokenItem:
    spoken = SpokenItem(item_id)
    spoken.text = TEXT
    spoken.received_bytes = PCMU.frame_bytes(audio_ms)
    spoken.finished = finished
    spoken.add_marks([SpeechMark(len(TEXT), float(audio_ms))] if finished else [])
    shared.remember(spoken)
    shared.history.place(HistoryItem(item_id, "message", "assistant", TEXT))
    return spoken


def test_calls_that_still_run_are_adopted() -> None:
    shared = state(
        HistoryItem("a", "function_call", call_id="t1", name="x"),
        HistoryItem("b", "function_call", call_id="t2", name="x"),
        HistoryItem("c", "function_call_output", call_id="t2", text="done"),
    )
    assert shared.calls.open_calls == {"t1"}
    assert shared.last_item_id() == "c"
    assert state().last_item_id() == "root"


def test_what_was_said_in_another_session_is_cut_by_its_share() -> None:
    shared = state(
        HistoryItem("a", "message", "assistant", TEXT, generated_ms=2200.0, replayed=True),
        HistoryItem("b", "message", "assistant", TEXT, replayed=True),
        HistoryItem("u", "message", "user", TEXT, generated_ms=2200.0),
    )
    shared.truncate("a", 2200)
    shared.truncate("b", 100)
    shared.truncate("u", 100)
    assert shared.events == []
    shared.truncate("a", 1200)
    assert shared.events == [ItemTruncated("a", 1200, "We are open")]
    shared.truncate("a", 0)
    assert shared.events[-1] == ItemDeleted("a")
    assert shared.stats.truncated == shared.stats.deleted == 1
    assert shared.cuts == 2


def test_words_without_audio_are_taken_out() -> None:
    shared = state()
    spoken = said(shared, "a", 800, finished=False)
    shared.cut_to_received(spoken)
    item = shared.history.get("a")
    assert item is not None
    assert item.heard_text == "We are open"
    shared.cut_to_received(said(shared, "b", 0, finished=False))
    assert shared.history.get("b") is None
    shared.cut_to_received(said(shared, "c", 800))
    kept = shared.history.get("c")
    assert kept is not None
    assert kept.heard_text == TEXT
    shared.cut_to_received(SpokenItem("unknown"))


def test_items_tell_the_length_of_their_audio() -> None:
    shared = state()
    said(shared, "a", 800)
    assert [item.generated_ms for item in shared.conversation()] == [800.0]


def test_what_is_remembered_has_a_bound() -> None:
    shared = state()
    for number in range(200):
        said(shared, f"i{number}", 100)
        shared.fence(f"r{number}")
    shared.truncate("i0", 50)
    assert shared.events == []
    assert not shared.is_fenced("r0")
    assert shared.is_fenced("r199")


def test_audio_is_billed_once() -> None:
    shared = state()
    shared.billed_bytes = 16000
    assert shared.take_billed_s() == 2.0
    assert shared.take_billed_s() == 0.0
