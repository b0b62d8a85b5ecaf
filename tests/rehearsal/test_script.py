from __future__ import annotations

import pytest

from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import shipped_scenario
from telephony.rehearsal.script import Cue, Script, Stimulus
from tests.rehearsal.driver import scenario

DEFAULT = Script(shipped_scenario("default"), shipped_prompts())


@pytest.mark.parametrize(
    ("stimulus", "say"),
    [
        (Stimulus("greeting"), ("greeting",)),
        (
            Stimulus("speech", 1, "[speech, 1.0 s]"),
            ("opening_hours", "weekend_hours", "leave_message"),
        ),
        (Stimulus("speech", 4, "[speech, 1.0 s]"), ("you_said", "echo")),
        (
            Stimulus("speech", 4, "What are your opening hours this week?"),
            ("opening_hours", "weekend_hours", "leave_message"),
        ),
        (Stimulus("speech", 2, "Stop please I want to talk to an agent."), ("agent",)),
        (Stimulus("speech", 1, "No thank you that is all, goodbye."), ("goodbye",)),
        (Stimulus("text", 1, "goodbye"), ("goodbye",)),
        (Stimulus("text", 1, "The caller pressed 5 on the keypad."), ("key_pressed",)),
        (Stimulus("tool", 1, "ok", "hangup"), ()),
        (Stimulus("tool", 1, "ok", "book_table"), ("tool_done",)),
        (Stimulus("idle", 3), ("still_there",)),
        (Stimulus("nudge", 3), ("short_answer",)),
    ],
)
def test_default_scenario(stimulus, say):
    assert DEFAULT.cue(stimulus).say == say


def test_goodbye_calls_hangup():
    (call,) = DEFAULT.cue(Stimulus("speech", 3, "goodbye")).call
    assert (call.name, call.arguments) == ("hangup", {"reason": "the caller said goodbye"})


def test_the_first_fitting_rule_wins():
    script = Script(
        scenario("  - {when: {turn: 2}, say: filler}\n  - {when: any, say: again}"),
        shipped_prompts(),
    )
    assert script.cue(Stimulus("speech", 2)).say == ("filler",)
    assert script.cue(Stimulus("speech", 1)).say == ("again",)


def test_any_is_no_greeting_and_no_rule_is_silence():
    script = Script(scenario("  - {when: any, say: again}"), shipped_prompts())
    assert script.cue(Stimulus("greeting")) == Cue()


def test_words_match_whole():
    script = Script(scenario("  - {when: {heard: all day}, say: again}"), shipped_prompts())
    assert script.cue(Stimulus("speech", 1, "Open all day?")).say == ("again",)
    assert script.cue(Stimulus("speech", 1, "Call daytime")).say == ()


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("5", True),
        ("The caller pressed 5 on the keypad.", True),
        ("pressed 55", False),
        ("a5b", False),
        ("five", False),
    ],
)
def test_digits_in_a_text(text, fits):
    script = Script(scenario('  - {when: {dtmf: "5"}, say: again}'), shipped_prompts())
    assert bool(script.cue(Stimulus("text", 1, text)).say) is fits


def test_a_letter_key_is_no_article():
    script = Script(scenario("  - {when: {dtmf: A}, say: again}"), shipped_prompts())
    assert script.cue(Stimulus("text", 1, "The caller pressed A on the keypad.")).say
    assert not script.cue(Stimulus("text", 1, "A caller asks.")).say


def test_text_and_tool_rules():
    script = Script(
        scenario(
            "  - {when: {text: table for two}, say: agent}\n"
            "  - {when: {tool: lookup}, say: tool_done, delay_ms: 700}"
        ),
        shipped_prompts(),
    )
    assert script.cue(Stimulus("text", 1, "A table for two, please")).say == ("agent",)
    assert script.cue(Stimulus("speech", 1, "A table for two, please")).say == ()
    assert script.cue(Stimulus("tool", 1, "x", "lookup")).delay_ms == 700
    assert script.cue(Stimulus("tool", 1, "x", "other")).say == ()


def test_instructions_that_quote_a_prompt_come_first():
    cue = DEFAULT.cue(Stimulus("speech", 1, "goodbye"), 'Say exactly: "One moment, please."')
    assert cue == Cue(say=("filler",))


def test_prompts_may_be_named_by_their_text():
    script = Script(scenario('  - {when: any, say: "one moment please"}'), shipped_prompts())
    assert script.cue(Stimulus("nudge")).say == ("filler",)
