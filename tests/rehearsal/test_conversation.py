from __future__ import annotations

import base64

import pytest

from telephony.audio.format import L16_24K, PCMU
from telephony.rehearsal.conversation import Conversation, Item, Part
from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.utterance import Clip, Utterance

SPEECH = Utterance([Clip("one two three four", bytes(48000))], PCMU, 100)


def spoken(item_id: str, audio_ms: float = 1000.0) -> Item:
    part = Part("output_audio", SPEECH.transcript, audio_ms=audio_ms, utterance=SPEECH)
    return Item(item_id, role="assistant", content=[part])


def conversation(*ids: str) -> Conversation:
    out = Conversation("conv_1")
    for item_id in ids:
        out.add(Item(item_id, role="user", content=[Part("input_text", item_id)]))
    return out


def order(of: Conversation) -> list[str]:
    return [item.id for item in of]


def test_items_are_added_last_first_or_after_another():
    items = conversation("a", "b")
    assert items.add(Item("c", role="user")) == "b"
    assert items.add(Item("d", role="user"), "root") is None
    assert items.add(Item("e", role="user"), "a") == "a"
    assert order(items) == ["d", "a", "e", "b", "c"]


@pytest.mark.parametrize(
    ("item_id", "previous", "code"),
    [
        ("a", None, "item_create_invalid_item_id"),
        ("c", "x", "item_create_invalid_previous_item_id"),
    ],
)
def test_impossible_additions_are_refused(item_id, previous, code):
    items = conversation("a", "b")
    with pytest.raises(ClientError) as error:
        items.add(Item(item_id, role="user"), previous)
    assert error.value.code == code
    assert order(items) == ["a", "b"]


def test_delete():
    items = conversation("a", "b")
    items.delete("a")
    assert order(items) == ["b"]
    with pytest.raises(ClientError, match="Error deleting item"):
        items.delete("a")


def test_truncate_keeps_the_words_that_were_heard():
    items = conversation()
    items.add(spoken("s"))
    items.truncate("s", 0, 500)
    (item,) = items
    assert (item.audio_ms, item.text) == (500, "one two")
    items.truncate("s", 0, 250)
    assert (item.audio_ms, item.text) == (250, "one")
    items.truncate("s", 0, 0)
    assert (item.audio_ms, item.text) == (0, "")


@pytest.mark.parametrize(
    ("item_id", "content_index", "audio_end_ms", "code"),
    [
        ("x", 0, 0, "item_truncate_invalid_item_id"),
        ("a", 0, 0, "unsupported_content_type"),
        ("s", 1, 0, "unsupported_content_type"),
        ("silent", 0, 0, "unsupported_content_type"),
        ("s", 0, 1002, None),
    ],
)
def test_impossible_truncations_change_nothing(item_id, content_index, audio_end_ms, code):
    items = conversation("a")
    items.add(spoken("s"))
    items.add(spoken("silent", 0.0))
    with pytest.raises(ClientError) as error:
        items.truncate(item_id, content_index, audio_end_ms)
    assert error.value.code == code
    assert items[1].audio_ms == 1000


def test_a_rounded_up_millisecond_is_no_error():
    items = conversation()
    items.add(spoken("s", 999.5))
    items.truncate("s", 0, 1000)
    assert items[0].audio_ms == 999.5


def test_audio_goes_on_the_wire_only_when_retrieved():
    item = spoken("s", 500.0)
    assert "audio" not in item.to_wire()["content"][0]
    (part,) = item.to_wire(with_audio=True)["content"]
    assert len(base64.b64decode(part["audio"])) == 4000
    heard = Part("input_audio", audio=b"abc", audio_format=L16_24K)
    assert heard.to_wire(with_audio=True) == {
        "type": "input_audio",
        "transcript": None,
        "audio": base64.b64encode(b"abc").decode(),
    }


def test_function_items_on_the_wire():
    call = Item("c", "function_call", name="f", call_id="call_1", arguments="{}")
    assert call.to_wire() == {
        "id": "c",
        "object": "realtime.item",
        "type": "function_call",
        "status": "completed",
        "name": "f",
        "call_id": "call_1",
        "arguments": "{}",
    }
    output = Item("o", "function_call_output", call_id="call_1", output="ok")
    assert output.to_wire()["output"] == "ok"
