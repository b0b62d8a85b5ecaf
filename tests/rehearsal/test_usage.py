from __future__ import annotations

from telephony.rehearsal.conversation import Item, Part
from telephony.rehearsal.usage import Usage, text_tokens, transcription_usage


def test_text_tokens_are_rounded_up():
    assert [text_tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]


def test_a_response_reads_the_conversation_and_the_instructions():
    heard = Item("item_1", role="user", content=[Part("input_audio", "abcd", audio_ms=1500)])
    call = Item("item_2", "function_call", arguments="{}")
    usage = Usage.of_input([heard, call], "12345678", None)
    assert (usage.input_text, usage.input_audio) == (4, 15)


def test_what_was_read_before_is_cached():
    before = Usage(input_text=3, input_audio=20)
    heard = Item("item_1", role="user", content=[Part("input_audio", audio_ms=1500)])
    usage = Usage.of_input([heard], "x" * 40, before)
    assert (usage.cached_text, usage.cached_audio) == (3, 15)


def test_totals_add_up():
    usage = Usage(input_text=10, input_audio=20, cached_text=4, cached_audio=5)
    usage.count_output([Item("i", role="assistant", content=[Part("output_audio", "abcd")])], 1000)
    wire = usage.to_wire()
    assert wire["output_token_details"] == {"text_tokens": 1, "audio_tokens": 20}
    assert wire["input_token_details"]["cached_tokens"] == 9
    assert wire["total_tokens"] == wire["input_tokens"] + wire["output_tokens"] == 51


def test_a_turn_is_written_down_by_the_second_or_by_the_token():
    assert transcription_usage("gpt-live-transcribe", 1500.0, "Hello.") == {
        "type": "duration",
        "seconds": 1.5,
    }
    assert transcription_usage("gpt-4o-transcribe", 1500.0, "Hello.") == {
        "type": "tokens",
        "input_tokens": 15,
        "output_tokens": 2,
        "total_tokens": 17,
        "input_token_details": {"audio_tokens": 15, "text_tokens": 0},
    }
