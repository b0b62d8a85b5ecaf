"""The turn cores of one call behind the few questions that the bridge asks."""

from __future__ import annotations

from dataclasses import replace

from telephony.audio.vad import VoiceActivityDetector
from telephony.calls.agent import Agent
from telephony.realtime.traits import Traits
from telephony.turns.controller import Command, CreateResponse, Interrupt, TurnController
from telephony.turns.latency import LatencyTracker, TurnLatency
from telephony.turns.policy import BargeInPolicy
from telephony.turns.silence import HangUpSilentCaller, SilenceWatch

ANSWER_LIMIT_S = 12.0
"""How long a caller who spoke waits for a response to begin before the model is asked for one.

Longer than any endpointing. It may have missed the turn, or be dead: one that does not answer a
request either is given up.
"""

_NEVER = float("inf")


class TurnTaking:
    """Tells every fact to barge-in, latency and silence alike.

    ``next_timer`` and ``has_commands`` are plain attributes: the media path looks at them once a
    ptime.
    """

    __slots__ = (
        "_asked_since",
        "_controller",
        "_held",
        "_latency",
        "_pending",
        "_silence",
        "_speech_onset_at",
        "has_commands",
        "next_timer",
    )

    def __init__(self, agent: Agent, traits: Traits, now: float) -> None:
        self._controller = TurnController(_policy(agent, traits))
        self._held = False
        self._latency = LatencyTracker()
        self._silence = SilenceWatch(agent.silence, now) if agent.silence is not None else None
        self._speech_onset_at = 0.0
        self._asked_since: float | None = None
        self._pending: list[Command] = []
        self.has_commands = False
        self.next_timer = _NEVER
        self._settle()

    def change_model(self, agent: Agent, traits: Traits, now: float) -> None:
        """Go on with another agent, or with a model that has other traits."""
        self._controller.follow(_policy(agent, traits))
        if agent.silence is None:
            self._silence = None
        elif self._silence is None:
            self._silence = SilenceWatch(agent.silence, now)
        else:
            self._silence.follow(agent.silence)
        self._settle()

    @property
    def caller_waits(self) -> bool:
        return self._latency.waiting

    def commands(self) -> list[Command]:
        """Return what barge-in decided, once."""
        commands, self._pending = self._pending, []
        self.has_commands = False
        return commands

    def silence_verdict(self) -> bool | None:
        """Return None, or whether a silent caller is to be hung up on (else asked again)."""
        commands = self._silence.commands() if self._silence is not None else []
        if not commands:
            return None
        return any(isinstance(command, HangUpSilentCaller) for command in commands)

    def onset_of(self, interrupt: Interrupt) -> float:
        """Return when that began which led to ``interrupt``: the caller's voice, or a key."""
        spoken = interrupt.reason in ("local_speech", "server_speech")
        return self._speech_onset_at if spoken else interrupt.fact_at

    def _settle(self) -> None:
        """Note what there is to do now, and when next."""
        self._collect()
        due = self._controller.next_timer()
        if self._silence is not None and not self._held:
            silence_due = self._silence.next_timer()
            if silence_due is not None and (due is None or silence_due < due):
                due = silence_due
        answer_due = self._answer_due()
        if answer_due is not None and (due is None or answer_due < due):
            due = answer_due
        self.next_timer = _NEVER if due is None else due

    def _answer_due(self) -> float | None:
        """Return when the caller has waited too long; once for each time they stopped speaking."""
        since = self._latency.unanswered_since
        if since is None or since == self._asked_since or self._held:
            return None
        return since + ANSWER_LIMIT_S

    def _collect(self) -> None:
        for command in self._controller.commands():
            if isinstance(command, CreateResponse):
                self._asked_since = self._latency.unanswered_since
            self._pending.append(command)
            self.has_commands = True

    def handle_timer(self, now: float) -> None:
        self._controller.handle_timer(now)
        if self._silence is not None and not self._held:
            self._silence.handle_timer(now)
            self.has_commands = True
        answer_due = self._answer_due()
        if answer_due is not None and now >= answer_due:
            self._asked_since = self._latency.unanswered_since
            self._pending.append(CreateResponse())
            self.has_commands = True
        self._settle()

    # Facts

    def caller_held(self, held: bool, now: float) -> None:
        """The caller put us on hold, or came back: nobody is silent who isn't there."""
        self._held = held
        if self._silence is not None:
            self._silence.caller_stopped(now)
        self._settle()

    def local_speech(self, changed: bool | None, vad: VoiceActivityDetector, now: float) -> None:
        """Our detector hears speech, or ``changed`` from or to speech with this frame."""
        if changed is None:
            self._controller.local_speech_continued(vad.voiced_ms, now)
            self._collect()
            return
        if changed:
            self._speech_onset_at = now - vad.speech_ms / 1000
            self._latency.caller_started()
            self._controller.local_speech_started(vad.voiced_ms, now)
            if self._silence is not None:
                self._silence.caller_started(now)
        else:
            self._latency.caller_stopped(now - vad.trailing_silence_ms / 1000)
            self._controller.local_speech_stopped(now)
            if self._silence is not None:
                self._silence.caller_stopped(now)
        self._settle()

    def server_speech_started(self, heard_at: float | None, now: float) -> None:
        if not self._controller.caller_speaking:
            self._speech_onset_at = now if heard_at is None else min(heard_at, now)
            self._latency.caller_started()
        self._controller.server_speech_started(now)
        if self._silence is not None:
            self._silence.caller_started(now)
        self._settle()

    def server_speech_stopped(self, voice_ended_at: float, now: float) -> None:
        """The model's detector is sure that the caller ended; the voice did before."""
        self._latency.caller_stopped(min(voice_ended_at, now))
        self._controller.server_speech_stopped(now)
        if self._silence is not None:
            self._silence.caller_stopped(now)
        self._settle()

    def model_interrupted(self, now: float) -> None:
        """The model cut itself off."""
        self._controller.model_interrupted(now)
        self._settle()

    def interrupt_bot(self, now: float) -> None:
        """Cut the bot off for reasons of ours."""
        self._controller.interrupt(now)
        self._settle()

    def digit_received(self, now: float) -> None:
        self._controller.digit_received(now)
        if self._silence is not None:
            self._silence.digit_received(now)
        self._settle()
        if self.has_commands:
            # The answer that was cut off is not the one to come.
            self._latency.interrupted()

    def response_started(self, response_id: str, now: float) -> None:
        self._latency.response_started(now)
        self._controller.response_started(response_id, now)
        if self._silence is not None:
            self._silence.response_started(now)
        self._settle()

    def audio_received(self, response_id: str, item_id: str, now: float) -> None:
        self._latency.audio_received(now)
        self._controller.audio_received(response_id, item_id, now)
        self._settle()

    def response_finished(self, response_id: str, now: float) -> None:
        self._controller.response_finished(response_id, now)
        if self._silence is not None:
            self._silence.response_finished(now)
        self._settle()

    def model_disconnected(self, now: float) -> None:
        self._controller.model_disconnected(now)
        if self._silence is not None:
            self._silence.response_finished(now)
        self._settle()

    def playout_started(self, now: float) -> TurnLatency | None:
        """Return the latency of the turn that this talkspurt answers, if it answers one."""
        latency = self._latency.packet_sent(now)
        self._controller.playout_started(now)
        if self._silence is not None:
            self._silence.playout_started(now)
        self._settle()
        return latency

    def playout_drained(self, now: float) -> None:
        self._controller.playout_drained(now)
        if self._silence is not None:
            self._silence.playout_drained(now)
        self._settle()


def _policy(agent: Agent, traits: Traits) -> BargeInPolicy:
    policy = replace(agent.barge_in, server_interrupts=traits.interrupts_by_itself)
    if not traits.detects_turns:
        # Our detector ends the turns then, and each end asks for a response already.
        policy = replace(policy, false_interruption_ms=0)
    return policy
