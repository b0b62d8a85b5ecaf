from __future__ import annotations

from itertools import product

import pytest

from telephony.turns.turn_table import (
    AUDIBLE,
    BOT_TABLE,
    CALLER_TABLE,
    Bot,
    BotFact,
    Caller,
    CallerFact,
    Turn,
    turn_of,
)


def run_bot(*facts: BotFact) -> Bot:
    state = Bot.IDLE
    for fact in facts:
        state = BOT_TABLE.get((state, fact), state)
    return state


def run_caller(*facts: CallerFact) -> Caller:
    state = Caller.SILENT
    for fact in facts:
        state = CALLER_TABLE.get((state, fact), state)
    return state


def test_a_turn_of_the_bot() -> None:
    facts = [
        (BotFact.RESPONSE_STARTED, Bot.THINKING),
        (BotFact.AUDIO_RECEIVED, Bot.SPEAKING),
        (BotFact.PLAYOUT_STARTED, Bot.SPEAKING),
        (BotFact.RESPONSE_FINISHED, Bot.FINISHING),
        (BotFact.PLAYOUT_DRAINED, Bot.IDLE),
    ]
    for count in range(len(facts)):
        assert run_bot(*(fact for fact, _ in facts[: count + 1])) is facts[count][1]


def test_a_model_slower_than_the_line() -> None:
    started = (BotFact.RESPONSE_STARTED, BotFact.AUDIO_RECEIVED, BotFact.PLAYOUT_STARTED)
    assert run_bot(*started, BotFact.PLAYOUT_DRAINED) is Bot.THINKING
    assert run_bot(*started, BotFact.PLAYOUT_DRAINED, BotFact.AUDIO_RECEIVED) is Bot.SPEAKING
    assert run_bot(*started, BotFact.PLAYOUT_DRAINED, BotFact.RESPONSE_FINISHED) is Bot.IDLE


def test_the_next_response_begins_while_the_last_one_still_plays() -> None:
    state = run_bot(
        BotFact.RESPONSE_STARTED,
        BotFact.AUDIO_RECEIVED,
        BotFact.RESPONSE_FINISHED,
        BotFact.RESPONSE_STARTED,
    )
    assert state is Bot.SPEAKING


def test_a_prompt_is_no_response() -> None:
    assert run_bot(BotFact.PLAYOUT_STARTED) is Bot.FINISHING
    assert run_bot(BotFact.PLAYOUT_STARTED, BotFact.PLAYOUT_DRAINED) is Bot.IDLE


@pytest.mark.parametrize("state", list(Bot))
def test_an_interrupt_leaves_nothing(state: Bot) -> None:
    assert BOT_TABLE.get((state, BotFact.INTERRUPTED), state) is Bot.IDLE


@pytest.mark.parametrize(("state", "fact"), list(product(Bot, BotFact)))
def test_a_fact_of_the_bot_that_comes_twice_says_nothing_new(state: Bot, fact: BotFact) -> None:
    once = BOT_TABLE.get((state, fact), state)
    assert BOT_TABLE.get((once, fact), once) is once


@pytest.mark.parametrize(("state", "fact"), list(product(Caller, CallerFact)))
def test_a_fact_of_the_caller_that_comes_twice_says_nothing_new(
    state: Caller, fact: CallerFact
) -> None:
    once = CALLER_TABLE.get((state, fact), state)
    assert CALLER_TABLE.get((once, fact), once) is once


def test_the_caller_is_silent_when_both_say_so() -> None:
    local, server = CallerFact.LOCAL_STARTED, CallerFact.SERVER_STARTED
    assert run_caller(local, server, CallerFact.SERVER_STOPPED) is Caller.HEARD_LOCALLY
    assert run_caller(server, local, CallerFact.LOCAL_STOPPED) is Caller.HEARD_BY_SERVER
    stops = (CallerFact.LOCAL_STOPPED, CallerFact.SERVER_STOPPED)
    assert run_caller(local, server, *stops) is Caller.SILENT


@pytest.mark.parametrize(("caller", "bot"), list(product(Caller, Bot)))
def test_every_pair_has_a_name(caller: Caller, bot: Bot) -> None:
    turn = turn_of(caller, bot)
    assert (turn in (Turn.CALLER_SPEAKING, Turn.OVERLAP)) == (caller is not Caller.SILENT)
    assert (turn in (Turn.BOT_SPEAKING, Turn.OVERLAP)) == (bot in AUDIBLE)
