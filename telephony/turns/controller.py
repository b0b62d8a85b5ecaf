"""Turn taking: facts in, commands out, one policy for every source of facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from telephony.turns.policy import BargeInPolicy
from telephony.turns.responses import ResponseBook
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

Reason = Literal["local_speech", "server_speech", "digit", "command", "model"]

_PATIENCE = 4
"""False-interruption periods after which a voice only we hear no longer delays the recovery."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Flush playout, fence ``response_id``, cancel it when ``cancel`` says so, and truncate.

    ``response_id`` is None when what plays is no response (a prompt). ``cancel`` is False when
    the response is complete already or the server stops it by itself. ``fact_at`` is the
    ``now`` of the fact that caused this, for the time from fact to silence.
    """

    reason: Reason
    response_id: str | None
    cancel: bool
    fact_at: float


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """Ask the model to speak again: we interrupted it and then nobody said anything."""


Command = Interrupt | CreateResponse


@dataclass(slots=True)
class TurnStats:
    interrupts: int = 0
    protected: int = 0
    """Facts that did not interrupt because the greeting is protected."""
    too_early: int = 0
    """Facts that did not interrupt because the bot had only begun to speak."""
    recoveries: int = 0


class TurnController:
    """Decides when the caller's turn ends the bot's.

    Report every fact as it happens; after each of them, and after :meth:`handle_timer`, drain
    :meth:`commands`. Our own voice activity detector and the model's report the same caller:
    whichever comes first interrupts, and the other finds nothing left to interrupt.
    """

    __slots__ = (
        "_bot",
        "_caller",
        "_commands",
        "_discounted_ms",
        "_greeting",
        "_interrupted_at",
        "_playing_since",
        "_policy",
        "_recover_at",
        "_responses",
        "_voiced_ms",
        "stats",
    )

    def __init__(self, policy: BargeInPolicy) -> None:
        self._policy = policy
        self._caller = Caller.SILENT
        self._bot = Bot.IDLE
        self._responses = ResponseBook()
        self._greeting = policy.protect_greeting
        self._playing_since: float | None = None
        # Voice of the present local speech: all of it, and how much of it is no barge-in.
        self._voiced_ms = 0.0
        self._discounted_ms = 0.0
        self._interrupted_at = 0.0
        self._recover_at: float | None = None
        self._commands: list[Command] = []
        self.stats = TurnStats()

    def follow(self, policy: BargeInPolicy) -> None:
        """Decide by another policy from here on."""
        self._policy = policy

    @property
    def turn(self) -> Turn:
        return turn_of(self._caller, self._bot)

    @property
    def caller_speaking(self) -> bool:
        return self._caller is not Caller.SILENT

    def commands(self) -> list[Command]:
        """Return what is to be done, once."""
        commands, self._commands = self._commands, []
        return commands

    # The caller

    def local_speech_started(self, voiced_ms: float, now: float) -> None:
        """Our detector heard the caller begin; ``voiced_ms`` of voice made it sure."""
        self._caller_fact(CallerFact.LOCAL_STARTED)
        self._voiced_ms = self._discounted_ms = 0.0
        if self._only_just_begun(now):
            self.stats.too_early += 1
        self.local_speech_continued(voiced_ms, now)

    def local_speech_continued(self, voiced_ms: float, now: float) -> None:
        """The caller goes on: ``voiced_ms`` of voice in this speech so far, pauses left out.

        Report it for each frame in which our detector says that the caller speaks.
        """
        if self._caller not in (Caller.HEARD_LOCALLY, Caller.HEARD_BY_BOTH):
            return
        if voiced_ms <= self._voiced_ms:
            return
        self._voiced_ms = voiced_ms
        if not self._policy.obeys_local or self._bot not in AUDIBLE:
            return
        if self._only_just_begun(now):
            self._discounted_ms = voiced_ms
        elif voiced_ms - self._discounted_ms >= self._policy.min_speech_ms:
            self._interrupt("local_speech", now)

    def local_speech_stopped(self, now: float) -> None:
        was_speaking = self.caller_speaking
        self._caller_fact(CallerFact.LOCAL_STOPPED)
        self._voiced_ms = self._discounted_ms = 0.0
        if was_speaking and self._recover_at is not None:
            self._recover_at = now + self._policy.false_interruption_ms / 1000

    def server_speech_started(self, now: float) -> None:
        """The model's detector heard the caller begin."""
        self._caller_fact(CallerFact.SERVER_STARTED)
        self._recover_at = None
        if not self._policy.obeys_server:
            return
        if self._policy.server_interrupts or not self._only_just_begun(now):
            self._interrupt("server_speech", now)
        else:
            self.stats.too_early += 1

    def server_speech_stopped(self, now: float) -> None:
        self._caller_fact(CallerFact.SERVER_STOPPED)
        if self._bot is Bot.IDLE:
            # The caller had the first word: what the bot says next is no greeting.
            self._greeting = False

    def digit_received(self, now: float) -> None:
        self._recover_at = None
        if self._policy.digits:
            self._interrupt("digit", now)

    def model_interrupted(self, now: float) -> None:
        """The model cut itself off: what is left of it is not worth playing."""
        self._greeting = False
        self._recover_at = None
        self._interrupt("model", now)

    def interrupt(self, now: float) -> None:
        """Stop the bot for our own reasons (hold, transfer), whatever the policy says."""
        self._greeting = False
        self._recover_at = None
        self._interrupt("command", now)

    # The bot

    def response_started(self, response_id: str, now: float) -> None:
        if self._responses.begin(response_id):
            self._recover_at = None
            self._bot_fact(BotFact.RESPONSE_STARTED)

    def audio_received(self, response_id: str, item_id: str, now: float) -> None:
        """Audio of ``response_id`` was queued for playout. Cheap: it comes with every delta."""
        if response_id != self._responses.active:
            if not self._responses.begin(response_id):
                return
            self._recover_at = None
            self._bot_fact(BotFact.RESPONSE_STARTED)
        self._responses.audible = response_id
        self._bot_fact(BotFact.AUDIO_RECEIVED)

    def playout_started(self, now: float) -> None:
        """The first frame of a talkspurt went to the caller."""
        if self._playing_since is None:
            self._playing_since = now
        self._recover_at = None
        self._bot_fact(BotFact.PLAYOUT_STARTED)

    def playout_drained(self, now: float) -> None:
        """Nothing is left to be played, for now or for good."""
        self._bot_fact(BotFact.PLAYOUT_DRAINED)

    def response_finished(self, response_id: str, now: float) -> None:
        """The model is done with the response, in whatever way."""
        if self._responses.finish(response_id):
            self._bot_fact(BotFact.RESPONSE_FINISHED)

    def model_disconnected(self, now: float) -> None:
        """The session is gone: its response ends here, and nobody there hears the caller."""
        self._caller_fact(CallerFact.SERVER_STOPPED)
        if self._responses.active is not None:
            self.response_finished(self._responses.active, now)

    # Time

    def next_timer(self) -> float | None:
        return self._recover_at

    def handle_timer(self, now: float) -> None:
        if self._recover_at is None or now < self._recover_at:
            return
        period_s = self._policy.false_interruption_ms / 1000
        if self.caller_speaking and now < self._interrupted_at + _PATIENCE * period_s:
            self._recover_at = now + period_s
            return
        self._recover_at = None
        self.stats.recoveries += 1
        self._commands.append(CreateResponse())

    # Rules

    def _caller_fact(self, fact: CallerFact) -> None:
        self._caller = CALLER_TABLE.get((self._caller, fact), self._caller)

    def _bot_fact(self, fact: BotFact) -> None:
        before = self._bot
        after = self._bot = BOT_TABLE.get((before, fact), before)
        if before not in AUDIBLE and after in AUDIBLE:
            # A detector's hangover outlasts the caller: only voice from here on is barge-in.
            self._discounted_ms = self._voiced_ms
        elif before is not Bot.IDLE and after is Bot.IDLE:
            self._greeting = False
            self._playing_since = None
            self._responses.audible = None

    def _only_just_begun(self, now: float) -> bool:
        """Whether the bot is audible, but not for long enough to count what comes back."""
        if self._bot not in AUDIBLE or not self._policy.ignore_first_ms:
            return False
        since = self._playing_since
        return since is None or now < since + self._policy.ignore_first_ms / 1000

    def _interrupt(self, reason: Reason, now: float) -> None:
        if self._bot is Bot.IDLE:
            return
        if self._greeting:
            self.stats.protected += 1
            self._discounted_ms = self._voiced_ms
            return
        cancel = self._responses.active is not None
        if reason == "model" or (reason == "server_speech" and self._policy.server_interrupts):
            cancel = False
        response_id = self._responses.interrupt()
        self._bot_fact(BotFact.INTERRUPTED)
        self.stats.interrupts += 1
        self._commands.append(Interrupt(reason, response_id, cancel, now))
        if reason == "local_speech" and self._policy.false_interruption_ms:
            self._expect_confirmation(now)

    def _expect_confirmation(self, now: float) -> None:
        if self._caller is Caller.HEARD_BY_BOTH:
            return
        self._interrupted_at = now
        self._recover_at = now + self._policy.false_interruption_ms / 1000
