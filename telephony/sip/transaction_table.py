"""The four transactions of RFC 3261 section 17 as tables, with the Accepted states of RFC 6026.

1. A pair (state, signal) that is missing is ignored: the RFC draws no arc for it.
2. On a change of state every running timer stops, except those the rule keeps; then the rule's
   timers start.
3. A timer whose duration is zero (reliable transport) fires at once; one without a duration (A, E
   and G on a reliable transport) does not start.
4. Three arcs go beyond the figures: a client whose transport fails after a provisional response
   reports it, for its only flow is gone; a client INVITE is abandoned 64*T1 after its CANCEL
   (section 9.1); and a 2xx after a refusal is delivered: proxies pass on every 2xx (section 16.7),
   and the callee who answered too late is to be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from telephony.sip.config import TimerConfig


class State(Enum):
    TRYING = auto()
    CALLING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Signal(Enum):
    """What drives a transaction: a message received, a response of ours, a timer, a failure."""

    REQUEST = auto()
    ACK = auto()
    SEND_1XX = auto()
    SEND_2XX = auto()
    SEND_REFUSAL = auto()
    RECEIVE_1XX = auto()
    RECEIVE_2XX = auto()
    RECEIVE_REFUSAL = auto()
    TIMER_A = auto()
    TIMER_B = auto()
    TIMER_D = auto()
    TIMER_E = auto()
    TIMER_F = auto()
    TIMER_G = auto()
    TIMER_H = auto()
    TIMER_I = auto()
    TIMER_J = auto()
    TIMER_K = auto()
    TIMER_L = auto()
    TIMER_M = auto()
    ABANDON = auto()
    TRANSPORT_ERROR = auto()


class Action(Enum):
    SEND = auto()
    """Send the new message and remember it."""
    RESEND = auto()
    """Send the last message again."""
    DELIVER = auto()
    """Hand what was received to the transaction user."""
    SEND_ACK = auto()
    """Acknowledge the refusal of an INVITE (section 17.1.1.3)."""
    REPORT_TIMEOUT = auto()
    REPORT_TRANSPORT_ERROR = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a signal does: actions in order, the next state, timers to start and to keep."""

    state: State
    actions: tuple[Action, ...] = ()
    start: tuple[Signal, ...] = ()
    keep: tuple[Signal, ...] = ()


Table = Mapping[tuple[State, Signal], Rule]

_RESEND = (Action.RESEND,)
_DELIVER = (Action.DELIVER,)
_TIMEOUT = Rule(State.TERMINATED, (Action.REPORT_TIMEOUT,))
_TRANSPORT_ERROR = Rule(State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,))
_END = Rule(State.TERMINATED)

# Figure 5; Accepted from RFC 6026 figure 3.
INVITE_CLIENT: Table = {
    (State.CALLING, Signal.TIMER_A): Rule(State.CALLING, _RESEND, (Signal.TIMER_A,)),
    (State.CALLING, Signal.TIMER_B): _TIMEOUT,
    (State.CALLING, Signal.TRANSPORT_ERROR): _TRANSPORT_ERROR,
    (State.CALLING, Signal.ABANDON): _TIMEOUT,
    (State.CALLING, Signal.RECEIVE_1XX): Rule(State.PROCEEDING, _DELIVER),
    (State.CALLING, Signal.RECEIVE_2XX): Rule(State.ACCEPTED, _DELIVER, (Signal.TIMER_M,)),
    (State.CALLING, Signal.RECEIVE_REFUSAL): Rule(
        State.COMPLETED, (Action.SEND_ACK, Action.DELIVER), (Signal.TIMER_D,)
    ),
    (State.PROCEEDING, Signal.TRANSPORT_ERROR): _TRANSPORT_ERROR,
    (State.PROCEEDING, Signal.ABANDON): _TIMEOUT,
    (State.PROCEEDING, Signal.RECEIVE_1XX): Rule(State.PROCEEDING, _DELIVER),
    (State.PROCEEDING, Signal.RECEIVE_2XX): Rule(State.ACCEPTED, _DELIVER, (Signal.TIMER_M,)),
    (State.PROCEEDING, Signal.RECEIVE_REFUSAL): Rule(
        State.COMPLETED, (Action.SEND_ACK, Action.DELIVER), (Signal.TIMER_D,)
    ),
    (State.COMPLETED, Signal.RECEIVE_REFUSAL): Rule(State.COMPLETED, (Action.SEND_ACK,)),
    (State.COMPLETED, Signal.RECEIVE_2XX): Rule(State.COMPLETED, _DELIVER),
    (State.COMPLETED, Signal.TRANSPORT_ERROR): _END,
    (State.COMPLETED, Signal.TIMER_D): _END,
    (State.ACCEPTED, Signal.RECEIVE_2XX): Rule(State.ACCEPTED, _DELIVER),
    (State.ACCEPTED, Signal.TIMER_M): _END,
}

# Figure 7; Accepted from RFC 6026 figure 5. The user sends 100 Trying at once, and finds
# the dialog of an ACK that arrives in Accepted.
INVITE_SERVER: Table = {
    (State.PROCEEDING, Signal.REQUEST): Rule(State.PROCEEDING, _RESEND),
    (State.PROCEEDING, Signal.SEND_1XX): Rule(State.PROCEEDING, (Action.SEND,)),
    (State.PROCEEDING, Signal.SEND_2XX): Rule(State.ACCEPTED, (Action.SEND,), (Signal.TIMER_L,)),
    (State.PROCEEDING, Signal.SEND_REFUSAL): Rule(
        State.COMPLETED, (Action.SEND,), (Signal.TIMER_G, Signal.TIMER_H)
    ),
    (State.PROCEEDING, Signal.TRANSPORT_ERROR): _TRANSPORT_ERROR,
    (State.COMPLETED, Signal.REQUEST): Rule(State.COMPLETED, _RESEND),
    (State.COMPLETED, Signal.TIMER_G): Rule(State.COMPLETED, _RESEND, (Signal.TIMER_G,)),
    (State.COMPLETED, Signal.TIMER_H): _TIMEOUT,
    (State.COMPLETED, Signal.TRANSPORT_ERROR): _END,
    (State.COMPLETED, Signal.ACK): Rule(State.CONFIRMED, (), (Signal.TIMER_I,)),
    (State.CONFIRMED, Signal.TIMER_I): _END,
    (State.ACCEPTED, Signal.SEND_2XX): Rule(State.ACCEPTED, (Action.SEND,)),
    (State.ACCEPTED, Signal.TIMER_L): _END,
}

# Figure 6.
NON_INVITE_CLIENT: Table = {
    (State.TRYING, Signal.TIMER_E): Rule(State.TRYING, _RESEND, (Signal.TIMER_E,)),
    (State.TRYING, Signal.TIMER_F): _TIMEOUT,
    (State.TRYING, Signal.TRANSPORT_ERROR): _TRANSPORT_ERROR,
    (State.TRYING, Signal.RECEIVE_1XX): Rule(
        State.PROCEEDING, _DELIVER, keep=(Signal.TIMER_E, Signal.TIMER_F)
    ),
    (State.TRYING, Signal.RECEIVE_2XX): Rule(State.COMPLETED, _DELIVER, (Signal.TIMER_K,)),
    (State.TRYING, Signal.RECEIVE_REFUSAL): Rule(State.COMPLETED, _DELIVER, (Signal.TIMER_K,)),
    (State.PROCEEDING, Signal.TIMER_E): Rule(State.PROCEEDING, _RESEND, (Signal.TIMER_E,)),
    (State.PROCEEDING, Signal.TIMER_F): _TIMEOUT,
    (State.PROCEEDING, Signal.TRANSPORT_ERROR): _TRANSPORT_ERROR,
    (State.PROCEEDING, Signal.RECEIVE_1XX): Rule(State.PROCEEDING, _DELIVER),
    (State.PROCEEDING, Signal.RECEIVE_2XX): Rule(State.COMPLETED, _DELIVER, (Signal.TIMER_K,)),
    (State.PROCEEDING, Signal.RECEIVE_REFUSAL): Rule(State.COMPLETED, _DELIVER, (Signal.TIMER_K,)),
    (State.COMPLETED, Signal.TIMER_K): _END,
}

# Figure 8.
NON_INVITE_SERVER: Table = {
    (State.TRYING, Signal.SEND_1XX): Rule(State.PROCEEDING, (Action.SEND,)),
    (State.TRYING, Signal.SEND_2XX): Rule(State.COMPLETED, (Action.SEND,), (Signal.TIMER_J,)),
    (State.TRYING, Signal.SEND_REFUSAL): Rule(State.COMPLETED, (Action.SEND,), (Signal.TIMER_J,)),
    (State.PROCEEDING, Signal.REQUEST): Rule(State.PROCEEDING, _RESEND),
    (State.PROCEEDING, Signal.SEND_1XX): Rule(State.PROCEEDING, (Action.SEND,)),
    (State.PROCEEDING, Signal.SEND_2XX): Rule(State.COMPLETED, (Action.SEND,), (Signal.TIMER_J,)),
    (State.PROCEEDING, Signal.SEND_REFUSAL): Rule(
        State.COMPLETED, (Action.SEND,), (Signal.TIMER_J,)
    ),
    (State.PROCEEDING, Signal.TRANSPORT_ERROR): _END,
    (State.COMPLETED, Signal.REQUEST): Rule(State.COMPLETED, _RESEND),
    (State.COMPLETED, Signal.TRANSPORT_ERROR): _END,
    (State.COMPLETED, Signal.TIMER_J): _END,
}

REPEATED: frozenset[Signal] = frozenset((Signal.TIMER_A, Signal.TIMER_E, Signal.TIMER_G))
"""Timers that double each time they start again; all but A up to T2."""


def durations(timers: TimerConfig, reliable: bool) -> dict[Signal, float | None]:
    """Return the first duration in seconds of every timer (table 4); None: does not run."""
    give_up_s = timers.give_up_s
    repeat = None if reliable else timers.t1_s
    linger_s = 0.0 if reliable else timers.t4_s
    return {
        Signal.TIMER_A: repeat,
        Signal.TIMER_B: give_up_s,
        Signal.TIMER_D: 0.0 if reliable else max(32.0, give_up_s),
        Signal.TIMER_E: repeat,
        Signal.TIMER_F: give_up_s,
        Signal.TIMER_G: repeat,
        Signal.TIMER_H: give_up_s,
        Signal.TIMER_I: linger_s,
        Signal.TIMER_J: 0.0 if reliable else give_up_s,
        Signal.TIMER_K: linger_s,
        Signal.TIMER_L: give_up_s,
        Signal.TIMER_M: give_up_s,
    }
