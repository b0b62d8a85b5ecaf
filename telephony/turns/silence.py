"""A caller who says nothing: ask a few times, then hang up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SilencePolicy:
    reprompt_after_s: float = 8.0
    """Silence of caller and bot, before the first and before each further question."""
    max_reprompts: int = 2
    """Questions without an answer; the next silence of that length ends the call."""
    thinking_limit_s: float = 20.0
    """How long a response without audio (a slow tool) keeps the clock from running out."""

    def __post_init__(self) -> None:
        if self.reprompt_after_s <= 0 or self.thinking_limit_s < 0:
            raise ValueError("reprompt_after_s must be positive, thinking_limit_s not negative")
        if self.max_reprompts < 0:
            raise ValueError("max_reprompts must not be negative")


@dataclass(frozen=True, slots=True)
class Reprompt:
    """Ask whether the caller is still there; ``attempt`` counts from 1."""

    attempt: int


@dataclass(frozen=True, slots=True)
class HangUpSilentCaller:
    """The caller did not answer ``attempts`` questions."""

    attempts: int


SilenceCommand = Reprompt | HangUpSilentCaller


class SilenceWatch:
    """Runs while neither side speaks. Drain :meth:`commands` after :meth:`handle_timer`.

    With two detectors the last report counts. Playout that was flushed has drained too.
    """

    __slots__ = (
        "_attempts",
        "_bot_speaking",
        "_caller_speaking",
        "_commands",
        "_given_up",
        "_policy",
        "_quiet_since",
        "_thinking_since",
    )

    def __init__(self, policy: SilencePolicy, now: float) -> None:
        self._policy = policy
        self._quiet_since = now
        self._thinking_since: float | None = None
        self._caller_speaking = False
        self._bot_speaking = False
        self._attempts = 0
        self._given_up = False
        self._commands: list[SilenceCommand] = []

    def follow(self, policy: SilencePolicy) -> None:
        """Ask by another policy from here on; who speaks and since when stays known."""
        self._policy = policy

    def commands(self) -> list[SilenceCommand]:
        commands, self._commands = self._commands, []
        return commands

    def caller_started(self, now: float) -> None:
        self._caller_speaking = True
        self._attempts = 0

    def caller_stopped(self, now: float) -> None:
        self._caller_speaking = False
        self._quiet_since = now

    def digit_received(self, now: float) -> None:
        """A caller who presses keys is there."""
        self._attempts = 0
        self._quiet_since = now

    def response_started(self, now: float) -> None:
        self._thinking_since = now

    def response_finished(self, now: float) -> None:
        self._thinking_since = None

    def playout_started(self, now: float) -> None:
        self._bot_speaking = True

    def playout_drained(self, now: float) -> None:
        self._bot_speaking = False
        self._quiet_since = now

    def next_timer(self) -> float | None:
        """Return when the silence has lasted too long, or None while somebody speaks."""
        if self._given_up or self._caller_speaking or self._bot_speaking:
            return None
        due = self._quiet_since + self._policy.reprompt_after_s
        if self._thinking_since is not None:
            due = max(due, self._thinking_since + self._policy.thinking_limit_s)
        return due

    def handle_timer(self, now: float) -> None:
        due = self.next_timer()
        if due is None or now < due:
            return
        if self._attempts >= self._policy.max_reprompts:
            self._given_up = True
            self._commands.append(HangUpSilentCaller(self._attempts))
            return
        self._attempts += 1
        # Should the question never be heard, the silence after it counts from here.
        self._quiet_since = now
        self._thinking_since = None
        self._commands.append(Reprompt(self._attempts))
