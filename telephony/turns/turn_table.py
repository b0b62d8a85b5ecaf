"""Whose turn it is, as data: two small machines and the name of each pair of their states.

A pair of state and fact that a table does not list changes nothing: facts that come twice, late
or out of order are harmless by construction.
"""

from __future__ import annotations

from enum import Enum, auto


class Caller(Enum):
    """Who says that the caller speaks."""

    SILENT = auto()
    HEARD_LOCALLY = auto()
    HEARD_BY_SERVER = auto()
    HEARD_BY_BOTH = auto()


class CallerFact(Enum):
    LOCAL_STARTED = auto()
    LOCAL_STOPPED = auto()
    SERVER_STARTED = auto()
    SERVER_STOPPED = auto()


class Bot(Enum):
    IDLE = auto()
    THINKING = auto()
    """A response was created; nothing of it waits to be heard."""
    SPEAKING = auto()
    """The response goes on and its audio is queued or playing."""
    FINISHING = auto()
    """Audio is playing and no response is active: the rest of one, or a prompt."""


class BotFact(Enum):
    RESPONSE_STARTED = auto()
    AUDIO_RECEIVED = auto()
    PLAYOUT_STARTED = auto()
    PLAYOUT_DRAINED = auto()
    RESPONSE_FINISHED = auto()
    INTERRUPTED = auto()


class Turn(Enum):
    """What a log line calls the moment."""

    LISTENING = "listening"
    CALLER_SPEAKING = "caller_speaking"
    MODEL_THINKING = "model_thinking"
    BOT_SPEAKING = "bot_speaking"
    OVERLAP = "overlap"


CALLER_TABLE: dict[tuple[Caller, CallerFact], Caller] = {
    (Caller.SILENT, CallerFact.LOCAL_STARTED): Caller.HEARD_LOCALLY,
    (Caller.SILENT, CallerFact.SERVER_STARTED): Caller.HEARD_BY_SERVER,
    (Caller.HEARD_LOCALLY, CallerFact.LOCAL_STOPPED): Caller.SILENT,
    (Caller.HEARD_LOCALLY, CallerFact.SERVER_STARTED): Caller.HEARD_BY_BOTH,
    (Caller.HEARD_BY_SERVER, CallerFact.SERVER_STOPPED): Caller.SILENT,
    (Caller.HEARD_BY_SERVER, CallerFact.LOCAL_STARTED): Caller.HEARD_BY_BOTH,
    (Caller.HEARD_BY_BOTH, CallerFact.LOCAL_STOPPED): Caller.HEARD_BY_SERVER,
    (Caller.HEARD_BY_BOTH, CallerFact.SERVER_STOPPED): Caller.HEARD_LOCALLY,
}

BOT_TABLE: dict[tuple[Bot, BotFact], Bot] = {
    (Bot.IDLE, BotFact.RESPONSE_STARTED): Bot.THINKING,
    (Bot.IDLE, BotFact.PLAYOUT_STARTED): Bot.FINISHING,
    (Bot.THINKING, BotFact.AUDIO_RECEIVED): Bot.SPEAKING,
    (Bot.THINKING, BotFact.PLAYOUT_STARTED): Bot.SPEAKING,
    (Bot.THINKING, BotFact.RESPONSE_FINISHED): Bot.IDLE,
    (Bot.THINKING, BotFact.INTERRUPTED): Bot.IDLE,
    (Bot.SPEAKING, BotFact.PLAYOUT_DRAINED): Bot.THINKING,
    (Bot.SPEAKING, BotFact.RESPONSE_FINISHED): Bot.FINISHING,
    (Bot.SPEAKING, BotFact.INTERRUPTED): Bot.IDLE,
    (Bot.FINISHING, BotFact.RESPONSE_STARTED): Bot.SPEAKING,
    (Bot.FINISHING, BotFact.PLAYOUT_DRAINED): Bot.IDLE,
    (Bot.FINISHING, BotFact.INTERRUPTED): Bot.IDLE,
}

_TURN_OF_BOT = {
    Bot.IDLE: Turn.LISTENING,
    Bot.THINKING: Turn.MODEL_THINKING,
    Bot.SPEAKING: Turn.BOT_SPEAKING,
    Bot.FINISHING: Turn.BOT_SPEAKING,
}

AUDIBLE = frozenset({Bot.SPEAKING, Bot.FINISHING})
"""States in which the caller hears the bot or is about to."""


def turn_of(caller: Caller, bot: Bot) -> Turn:
    if caller is Caller.SILENT:
        return _TURN_OF_BOT[bot]
    return Turn.OVERLAP if bot in AUDIBLE else Turn.CALLER_SPEAKING
