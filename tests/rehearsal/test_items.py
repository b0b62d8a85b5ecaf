from __future__ import annotations

import pytest

from telephony.audio.format import PCMU
from telephony.rehearsal.client_events import parse_new_item
from telephony.rehearsal.conversation import Item, Part
from telephony.rehearsal.items import item_from_client, stimulus_of
from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.script import Stimulus


def built(**wire) -> Item:
    return item_from_client(parse_new_item(wire), PCMU, lambda: "new")


def user(kind: str = "input_text", text: str = "") -> Item:
    return Item("u", role="user", content=[Part(kind, text)])  # type: ignore[arg-type]


BOT = Item("b", role="assistant", content=[Part("output_audio", "Hello")])
CALL = Item("c", "function_call", name="lookup", call_id="call_1")


def test_messages():
    item = built(
        type="message", role="user", content=[{"type": "input_audio", "audio": "/////w=="}]
    )
    assert item.id == "item_new"
    assert item.content[0].audio == b"\xff" * 4
    assert item.content[0].audio_ms == 0.5
    image = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
    assert built(type="message", role="user", content=[image]).content[0].kind == "input_image"
    text = {"type": "input_text", "text": "Be short."}
    assert built(id="s", type="message", role="system", content=[text]).text == "Be short."


def test_function_items():
    call = built(type="function_call", name="f", arguments="{}")
    assert (call.name, call.call_id) == ("f", "call_new")
    output = built(type="function_call_output", call_id="call_7", output="x")
    assert (output.call_id, output.output) == ("call_7", "x")


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("assistant", "output_audio"),
        ("assistant", "input_text"),
        ("system", "output_text"),
        ("user", "output_text"),
    ],
)
def test_content_that_a_role_cannot_have(role, kind):
    part = {"type": kind, "text": "x"} if "text" in kind else {"type": kind, "transcript": "x"}
    with pytest.raises(ClientError) as error:
        built(type="message", role=role, content=[part])
    assert error.value.param == "item.content[0].type"


def test_audio_that_is_not_base64():
    with pytest.raises(ClientError) as error:
        built(type="message", role="user", content=[{"type": "input_audio", "audio": "?"}])
    assert error.value.param == "item.content[0].audio"


@pytest.mark.parametrize(
    ("items", "stimulus"),
    [
        ([], Stimulus("greeting")),
        ([Item("s", role="system", content=[Part("input_text", "x")])], Stimulus("greeting")),
        ([user(text="hi")], Stimulus("text", 1, "hi")),
        ([user("input_audio", "yes"), BOT, user("input_audio", "no")], Stimulus("speech", 2, "no")),
        ([user(), BOT], Stimulus("nudge", 1)),
        (
            [CALL, Item("o", "function_call_output", call_id="call_1", output="42")],
            Stimulus("tool", 0, "42", "lookup"),
        ),
        (
            [Item("o", "function_call_output", call_id="gone", output="42")],
            Stimulus("tool", 0, "42", ""),
        ),
        ([CALL], Stimulus("nudge", 0)),
    ],
)
def test_what_the_newest_item_asks_for(items, stimulus):
    assert stimulus_of(items) == stimulus
